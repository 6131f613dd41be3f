internal import QubusCore

/// Tells when the process holds more memory than it may.
///
/// ZeroMQ keeps the frames of a message until its last one has come, without any bound and without
/// a word to whoever reads (measured, libzmq 4.3.4). Only the process's memory shows it.
struct MemoryWatch {
  /// Bytes; 0: nothing is watched.
  private let cap: UInt64
  /// What is alarming now: the cap, or above it where the last remedy has not helped.
  private var mark: UInt64
  private(set) var due: Microseconds?

  static let intervalMicroseconds: Microseconds = 250_000

  init(cap: UInt64) {
    self.cap = cap
    mark = cap
    due = cap > 0 ? 0 : nil
  }

  /// The bytes held, when they are too many.
  mutating func look(_ now: Microseconds) -> UInt64? {
    guard let due, now >= due else { return nil }
    self.due = now + Self.intervalMicroseconds
    let resident = ResidentMemory.bytes
    if resident < cap { mark = cap }
    return resident > mark ? resident : nil
  }

  /// After the remedy: memory that is the service's own must not close connections again and again.
  mutating func remedied() { mark = max(cap, ResidentMemory.bytes + cap / 8) }
}
