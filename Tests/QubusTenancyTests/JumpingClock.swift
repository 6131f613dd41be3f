import QubusCore

/// A machine's clocks: the wall clock can be set, the other one only goes on.
final class JumpingClock: Clock {
  private let times: Lock<(wall: Microseconds, monotonic: Microseconds)>

  init(_ wall: Microseconds = 1_800_000_000_000_000) { times = Lock((wall, 5_000_000)) }

  func now() -> Microseconds { times.withLock { $0.wall } }
  func monotonic() -> Microseconds { times.withLock { $0.monotonic } }

  func advance(seconds: Int64) {
    times.withLock { times in
      times.wall += seconds * 1_000_000
      times.monotonic += seconds * 1_000_000
    }
  }

  /// Somebody sets the wall clock.
  func set(bySeconds seconds: Int64) { times.withLock { $0.wall += seconds * 1_000_000 } }
}
