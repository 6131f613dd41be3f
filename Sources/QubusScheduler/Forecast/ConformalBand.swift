package import QubusCore

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A band that somebody was told, and what it was before experience corrected it.
package struct StartQuote: Sendable, Hashable {
  package var lane: Lane
  package var at: Microseconds
  package var raw: TimeBand
  package var band: TimeBand

  package init(lane: Lane, at: Microseconds, raw: TimeBand, band: TimeBand) {
    self.lane = lane
    self.at = at
    self.raw = raw
    self.band = band
  }
}

/// Widens and narrows bands so that as many starts fall into them as are promised, whatever is
/// wrong with the forecasts: adaptive conformal inference, per lane.
///
/// A start scores how far it lay outside the raw band, in logarithms of the wait, below 0 for one
/// inside. A band is stretched by that quantile of its lane's last scores that the error rate in
/// force asks for; the rate falls with every miss and rises with every hit, so that the share of
/// misses comes to what is promised in the long run, even while the load changes.
/// - Source: Gibbs & Candès 2021, "Adaptive conformal inference under distribution shift".
package struct ConformalBand: Sendable {
  private struct Track: Sendable {
    /// The last scores, in a ring.
    var scores: [Double] = []
    var next = 0
    /// Error rate in force; outside 0…1 while misses or hits come in rows.
    var rate: Double

    mutating func add(_ score: Double, _ change: Double, window: Int) {
      rate += change
      if scores.count < window {
        scores.append(score)
      } else {
        scores[next] = score
        next = (next + 1) % window
      }
    }

    /// How far to stretch.
    func quantile() -> Double {
      let sorted = scores.sorted()
      guard let smallest = sorted.first, let largest = sorted.last else { return 0 }
      // Past the ends of what was seen, further with every row of misses or hits.
      if rate <= 0 { return largest - 10 * rate }
      if rate >= 1 { return smallest - 10 * (rate - 1) }
      let rank = Int((Double(sorted.count + 1) * (1 - rate)).rounded(.up))
      return sorted[min(max(rank, 1), sorted.count) - 1]
    }
  }
  /// Part of the starts that bands hold.
  package let level: Double
  /// How fast the rate follows what happens.
  private let step: Double
  /// Scores that count.
  private let window: Int
  private var tracks: [Lane: Track] = [:]
  /// Of all lanes, for those that know little yet.
  private var all: Track

  /// Scores from which a lane is corrected by its own.
  private static let enough = 20
  /// Waits are told apart from here on, in microseconds.
  private static let finest = 10_000.0
  /// And from this part of the p90 on.
  private static let finestPart = 0.05

  package init(level: Double = 0.8, step: Double = 0.03, window: Int = 200) {
    precondition(level > 0 && level < 1 && step >= 0 && window > 0, "a level is a part of all")
    self.level = level
    self.step = step
    self.window = window
    all = Track(rate: 1 - level)
  }

  /// The band to tell.
  /// - Parameter now: when it is told; nothing starts before.
  package func band(_ raw: TimeBand, in lane: Lane, now: Microseconds) -> TimeBand {
    let own = tracks[lane]
    let track = own.map { $0.scores.count >= Self.enough ? $0 : all } ?? all
    let stretch = track.quantile()
    if stretch == 0 { return raw }
    let scale = Scale(raw, now)
    var low = scale.time(scale.place(raw.p10) - stretch)
    var high = scale.time(scale.place(raw.p90) + stretch)
    // Narrower than nothing: the median alone.
    if low > high { (low, high) = (raw.p50, raw.p50) }
    return TimeBand(p10: low, p50: min(max(raw.p50, low), high), p90: high)
  }

  /// Learns from a job that started.
  package mutating func score(_ quote: StartQuote, startedAt: Microseconds) {
    let scale = Scale(quote.raw, quote.at)
    let start = scale.place(startedAt)
    let score = max(scale.place(quote.raw.p10) - start, start - scale.place(quote.raw.p90))
    let miss = quote.band.contains(startedAt) ? 0.0 : 1.0
    let change = step * (1 - level - miss)
    all.add(score, change, window: window)
    tracks[quote.lane, default: Track(rate: 1 - level)].add(score, change, window: window)
  }

  /// Waits as logarithms that tell apart what matters beside the wait that was foretold.
  private struct Scale {
    private let now: Microseconds
    private let origin: Double

    init(_ raw: TimeBand, _ now: Microseconds) {
      self.now = now
      origin = ConformalBand.finest + ConformalBand.finestPart * Double(max(0, raw.p90 - now))
    }

    func place(_ time: Microseconds) -> Double { log(Double(max(0, time - now)) + origin) }

    func time(_ place: Double) -> Microseconds {
      now + Microseconds(min(max(0, exp(place) - origin), 0x1p55))
    }
  }
}
