internal import QubusCore

/// Tells when the process holds more memory than it may.
///
/// ZeroMQ keeps the frames of a message until its last one has come, without any bound and without
/// a word to whoever reads (measured, libzmq 4.3.4). Only the process's memory shows all of it.
struct MemoryWatch {
  struct Look {
    /// Bytes.
    let resident: UInt64
    let isAlarming: Bool
  }

  /// Bytes; 0: nothing is watched.
  private let cap: UInt64
  /// What is alarming now: the cap, or above it where the last remedy has not helped.
  private var mark: UInt64
  private(set) var due: Microseconds?
  private var hasFreed = false
  /// Looks in a row that were alarming.
  private var alarms = 0

  static let intervalMicroseconds: Microseconds = 250_000
  private static let patience = 2

  init(cap: UInt64) {
    self.cap = cap
    mark = cap
    due = cap > 0 ? 0 : nil
  }

  /// nil: it is not time.
  mutating func look(_ now: Microseconds) -> Look? {
    guard let due, now >= due else { return nil }
    self.due = now + Self.intervalMicroseconds
    if hasFreed { ResidentMemory.trim() }
    hasFreed = false
    let resident = ResidentMemory.bytes
    if resident < cap { mark = cap }
    let isAlarming = resident > mark
    alarms = isAlarming ? alarms + 1 : 0
    return Look(resident: resident, isAlarming: isAlarming)
  }

  /// Whether single connections may be dealt with before all are closed.
  var isPatient: Bool { alarms <= Self.patience }

  /// Memory becomes free within the next moments: it goes back to the system with the next look.
  mutating func freesSome() { hasFreed = true }

  /// After the remedy: memory that is the service's own must not close connections again and again.
  mutating func remedied() { mark = max(cap, ResidentMemory.bytes + cap / 8) }
}
