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
    /// It has been so for some looks: who holds much is not only on his way.
    let isPressing: Bool
    /// Whether single connections may be dealt with before all are closed.
    let isPatient: Bool
  }

  /// Bytes; 0: nothing is watched.
  private let cap: UInt64
  /// What is alarming now: the cap, or above it where the last remedy has not helped.
  private var mark: UInt64
  private(set) var due: Microseconds?
  /// Until when what was freed may still come.
  private var freesUntil: Microseconds = 0
  private var nextTrim: Microseconds = 0
  /// Since when every look was alarming.
  private var alarmedSince: Microseconds?

  static let intervalMicroseconds: Microseconds = 100_000
  /// While a message may have no end: it grows by a gigabyte a second.
  private static let hurriedMicroseconds: Microseconds = 20_000
  private static let patienceMicroseconds: Microseconds = 500_000

  init(cap: UInt64) {
    self.cap = cap
    mark = cap
    due = cap > 0 ? 0 : nil
  }

  /// nil: it is not time.
  mutating func look(_ now: Microseconds) -> Look? {
    guard let due, now >= due else { return nil }
    self.due = now + Self.intervalMicroseconds
    if now < freesUntil, now >= nextTrim {
      ResidentMemory.trim()
      nextTrim = now + Self.intervalMicroseconds
    }
    let resident = ResidentMemory.bytes
    if resident < cap { mark = cap }
    let isAlarming = resident > mark
    alarmedSince = isAlarming ? alarmedSince ?? now : nil
    let alarmed = now - (alarmedSince ?? now)
    return Look(
      resident: resident, isAlarming: isAlarming,
      isPressing: alarmed >= Self.intervalMicroseconds,
      isPatient: alarmed < Self.patienceMicroseconds)
  }

  /// The next look is to come soon.
  mutating func hurries(_ now: Microseconds) { due = now + Self.hurriedMicroseconds }

  /// Memory becomes free within the next moments: it goes back to the system with the next looks.
  mutating func freesSome(_ now: Microseconds) { freesUntil = now + Self.patienceMicroseconds }

  /// After the remedy: memory that is the service's own must not close connections again and again.
  mutating func remedied() { mark = max(cap, ResidentMemory.bytes + cap / 8) }
}
