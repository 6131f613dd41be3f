internal import QubusCore

/// Lets one line a second through and counts the rest: a hostile peer must not fill the disk.
struct LogRateLimit {
  private var next: Microseconds = 0
  private var suppressed = 0

  /// - Returns: the number of lines left out before this one, or nil when this one is left out too.
  mutating func admit(_ now: Microseconds) -> Int? {
    guard now >= next else {
      suppressed += 1
      return nil
    }
    next = now + 1_000_000
    defer { suppressed = 0 }
    return suppressed
  }
}
