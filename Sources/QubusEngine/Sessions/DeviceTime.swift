#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The clock by which the device time of steps is taken: steps are shorter than the microseconds of
/// `Clock` can tell.
package enum DeviceTime {
  /// Since an arbitrary origin; never goes back.
  @Sendable
  package static func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
