/// A clock that moves only when told to, for tests and simulations.
package final class ManualClock: Clock {
  private let time: Lock<Microseconds>

  package init(_ start: Microseconds = 1_700_000_000_000_000) { time = Lock(start) }

  package func now() -> Microseconds { time.withLock { $0 } }
  package func monotonic() -> Microseconds { time.withLock { $0 } }

  /// Moves the clock forward.
  package func advance(microseconds: Microseconds) {
    precondition(microseconds >= 0)
    time.withLock { $0 += microseconds }
  }
}
