package import QubusCore

/// The windows of all devices, in order. A pure value that knows times, never a clock: the latest
/// time it was told counts, so that a clock that goes back changes nothing.
package struct Calendar: Sendable {
  /// Time before a window begins at which its holder's jobs are told.
  package static let notice: Microseconds = 900_000_000

  /// What time does to a window.
  enum Border: Sendable, Hashable {
    /// It begins soon.
    case near(CalendarWindow)
    case opened(CalendarWindow)
    case closed(CalendarWindow)
  }
  private enum Phase: Sendable { case planned, near, open }
  private struct Entry: Sendable {
    var window: CalendarWindow
    var phase = Phase.planned
  }
  /// By start; ended ones are gone.
  private var devices: [UInt16: [Entry]] = [:]
  /// Latest time seen.
  private(set) var now: Microseconds = .min
  /// When `advance` has something to tell.
  private(set) var nextBorder: Microseconds?

  package init() {}

  var isEmpty: Bool { devices.isEmpty }

  /// Takes over all windows there are from now on.
  /// - Returns: devices whose windows are others, and open windows that are there no more.
  mutating func set(
    _ windows: [CalendarWindow]
  ) -> (devices: Set<UInt16>, closed: [CalendarWindow]) {
    let before = devices
    let entries = before.values.joined()
    let known = Dictionary(entries.map { ($0.window.id, $0) }) { $1 }
    devices = [:]
    for window in windows.sorted(by: Self.precedes) where window.endsAt > now {
      // One that was moved begins anew; one that was only extended goes on.
      let isSame = known[window.id]?.window.startsAt == window.startsAt
      let phase = isSame ? known[window.id]?.phase ?? .planned : .planned
      devices[window.device, default: []].append(Entry(window: window, phase: phase))
    }
    findBorder()
    let open = Set(devices.values.joined().filter { $0.phase == .open }.map(\.window.id))
    let closed = entries.filter { $0.phase == .open && !open.contains($0.window.id) }
    let changed = Set(before.keys).union(devices.keys).filter {
      before[$0]?.map(\.window) != devices[$0]?.map(\.window)
    }
    return (changed, closed.map(\.window).sorted(by: Self.precedes))
  }

  /// Carries time on and tells what it brought, in order of devices and times. O(1) between
  /// borders.
  mutating func advance(to time: Microseconds) -> [Border] {
    now = max(now, time)
    guard let nextBorder, nextBorder <= now else { return [] }
    var borders: [Border] = []
    for device in devices.keys.sorted() {
      let entries = (devices[device] ?? []).compactMap { pass($0, &borders) }
      devices[device] = entries.isEmpty ? nil : entries
    }
    findBorder()
    return borders
  }

  /// The entry at the present time; nil when it is over.
  private func pass(_ entry: Entry, _ borders: inout [Border]) -> Entry? {
    var entry = entry
    let window = entry.window
    if window.endsAt <= now {
      if entry.phase == .open { borders.append(.closed(window)) }
      return nil
    }
    if entry.phase == .planned, Self.noticeTime(window) <= now {
      borders.append(.near(window))
      entry.phase = .near
    }
    if entry.phase == .near, window.startsAt <= now {
      borders.append(.opened(window))
      entry.phase = .open
    }
    return entry
  }

  private mutating func findBorder() {
    nextBorder = devices.values.joined().map { entry in
      switch entry.phase {
      case .planned: Self.noticeTime(entry.window)
      case .near: entry.window.startsAt
      case .open: entry.window.endsAt
      }
    }.min()
  }

  // MARK: - Rules

  /// Why a job cannot start at `time`; nil when it can: by its p90, or the time after which it is
  /// stopped at the latest, it ends before the next window that is closed to it begins.
  /// - Complexity: the windows of its device up to a gap that it fits.
  func delay(of job: SchedulerJob, at time: Microseconds) -> CalendarDelay? {
    guard let entries = devices[job.device] else { return nil }
    let length = max(1, min(job.longMicroseconds, job.runLimitMicroseconds ?? .max))
    var start = max(now, time)
    var first: CalendarWindow?
    for entry in entries where entry.window.endsAt > start {
      let end = start.addingReportingOverflow(length)
      if !end.overflow, entry.window.startsAt >= end.partialValue { break }
      guard !entry.window.admits(job) else { continue }
      first = first ?? entry.window
      start = entry.window.endsAt
    }
    return first.map { CalendarDelay(window: $0, until: start) }
  }

  /// The reservation of a device that has begun and not ended.
  func openReservation(of device: UInt16) -> CalendarWindow? {
    guard let first = devices[device]?.first, first.phase == .open,
      first.window.kind == .reserved
    else { return nil }
    return first.window
  }

  private static func noticeTime(_ window: CalendarWindow) -> Microseconds {
    let time = window.startsAt.subtractingReportingOverflow(notice)
    return time.overflow ? .min : time.partialValue
  }

  private static func precedes(_ a: CalendarWindow, _ b: CalendarWindow) -> Bool {
    (a.device, a.startsAt, a.id) < (b.device, b.startsAt, b.id)
  }
}
