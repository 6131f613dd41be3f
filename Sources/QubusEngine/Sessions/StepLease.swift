internal import QubusCore
internal import Synchronization

/// Device time that all sessions together may use, window by window, while jobs compete. Without
/// locks, for it is asked before every step; time and competition are arguments.
///
/// What is used beyond a window's grant is taken from the next ones, so that long steps get no more
/// than their share on average.
final class StepLease: Sendable {
  private let windowMicroseconds: Microseconds
  /// Nanoseconds of device time in one window.
  private let grant: Int64
  private let windowEnd = Atomic<Microseconds>(.min)
  private let used = Atomic<Int64>(0)
  /// The window's end for which somebody set a timer.
  private let awaited = Atomic<Microseconds>(.min)

  /// - Parameter share: of `cores`, above 0, at most 1.
  init(windowMicroseconds: Microseconds, share: Double, cores: Int) {
    self.windowMicroseconds = windowMicroseconds
    grant = max(1, Int64(Double(windowMicroseconds) * 1000 * share * Double(cores)))
  }

  /// Whether a step may start. Without competition always, and nothing is held against it later.
  func isOpen(now: Microseconds, isCompeting: Bool) -> Bool {
    let end = windowEnd.load(ordering: .relaxed)
    guard isCompeting else {
      if end != .min { close() }
      return true
    }
    if now >= end { turn(now: now, from: end) }
    return used.load(ordering: .relaxed) < grant
  }

  /// Microseconds until steps that wait for the lease look again; nil when somebody was told so
  /// before and will wake them.
  func claimWakeUp(now: Microseconds) -> Microseconds? {
    let end = windowEnd.load(ordering: .relaxed)
    let before = awaited.exchange(end, ordering: .relaxed)
    return before == end && now < end ? nil : max(1, end - now)
  }

  func charge(nanoseconds: UInt64) {
    used.add(Int64(clamping: nanoseconds), ordering: .relaxed)
  }

  private func close() {
    windowEnd.store(.min, ordering: .relaxed)
    used.store(0, ordering: .relaxed)
  }

  private func turn(now: Microseconds, from end: Microseconds) {
    let isFirst = end == .min
    let windows = isFirst ? 1 : (now - end) / windowMicroseconds + 1
    let next = isFirst ? now + windowMicroseconds : end + windows * windowMicroseconds
    guard windowEnd.compareExchange(expected: end, desired: next, ordering: .relaxed).exchanged
    else { return }
    if isFirst { return used.store(0, ordering: .relaxed) }
    let before = used.load(ordering: .relaxed)
    let (granted, overflow) = grant.multipliedReportingOverflow(by: windows)
    used.subtract(min(before, overflow ? before : granted), ordering: .relaxed)
  }
}
