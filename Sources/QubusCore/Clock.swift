#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Microseconds since 1970-01-01 UTC.
package typealias Microseconds = Int64

/// Where time comes from; injected, so that every decision can be replayed.
package protocol Clock: Sendable {
  /// Wall clock, microseconds UTC.
  func now() -> Microseconds
  /// A clock that never goes back, microseconds since an arbitrary origin.
  func monotonic() -> Microseconds
}

/// The machine's clocks.
package struct SystemClock: Clock {
  package init() {}

  package func now() -> Microseconds { Self.read(CLOCK_REALTIME) }
  package func monotonic() -> Microseconds { Self.read(CLOCK_MONOTONIC) }

  private static func read(_ clock: clockid_t) -> Microseconds {
    var time = timespec()
    clock_gettime(clock, &time)
    return Microseconds(time.tv_sec) * 1_000_000 + Microseconds(time.tv_nsec) / 1000
  }
}
