internal import QubusCore

/// How fast jobs leave the queue, from the last departures; a bounded memory.
struct DrainRate: Sendable {
  private static let window = 64
  private var departures: [Microseconds] = []
  private var oldest = 0

  mutating func record(_ now: Microseconds) {
    if departures.count < Self.window {
      departures.append(now)
    } else {
      departures[oldest] = now
      oldest = (oldest + 1) % Self.window
    }
  }

  /// Time until `jobs` more have left, 100 ms to 60 s; one second while nothing is known.
  func milliseconds(toDrain jobs: Int, now: Microseconds) -> UInt64 {
    guard departures.count > 1 else { return 1000 }
    let first = departures[departures.count < Self.window ? 0 : oldest]
    let perJob = Double(max(1, now - first)) / Double(departures.count)
    return UInt64(min(60_000, max(100, perJob * Double(jobs) / 1000)))
  }
}
