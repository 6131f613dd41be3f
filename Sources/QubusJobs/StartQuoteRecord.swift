package import QubusCore

/// What somebody was told of when a waiting job will start, and when it did.
package struct StartQuoteRecord: Sendable, Hashable {
  package var job: Identifier
  package var lane: String
  package var device: String
  package var quotedAt: Microseconds
  /// As it was forecast, and as it was told after its correction.
  package var raw: TimeBand
  package var band: TimeBand
  /// Nil until the job starts.
  package var startedAt: Microseconds?

  package init(
    job: Identifier, lane: String, device: String, quotedAt: Microseconds, raw: TimeBand,
    band: TimeBand, startedAt: Microseconds? = nil
  ) {
    self.job = job
    self.lane = lane
    self.device = device
    self.quotedAt = quotedAt
    self.raw = raw
    self.band = band
    self.startedAt = startedAt
  }
}

/// How the quotes of a lane held.
package struct StartQuoteScore: Sendable, Hashable {
  package var lane: String
  package var quotes: UInt64 = 0
  /// Quotes whose jobs have started.
  package var scored: UInt64 = 0
  /// Of those, the ones that started within their band.
  package var covered: UInt64 = 0
  /// Sums over those that are scored: how wide bands were, and how far starts lay from their p50.
  package var widthSeconds = 0.0
  package var errorSeconds = 0.0
  /// Of the oldest quote.
  package var since: Microseconds = .max

  package init(lane: String) { self.lane = lane }

  /// Of several lanes together.
  package static func sum(_ scores: [StartQuoteScore], lane: String) -> StartQuoteScore {
    scores.reduce(into: StartQuoteScore(lane: lane)) { sum, score in
      sum.quotes += score.quotes
      sum.scored += score.scored
      sum.covered += score.covered
      sum.widthSeconds += score.widthSeconds
      sum.errorSeconds += score.errorSeconds
      sum.since = min(sum.since, score.since)
    }
  }
}

/// Keeps quotes, so that what experience corrected is known after a restart, and everybody can see
/// how they held.
package protocol StartQuoteStore: Sendable {
  /// Writes quotes, each in place of what is kept of the same job and time, and drops the oldest of
  /// too many. The completion runs after the commit, on the store's thread.
  func keep(
    _ quotes: [StartQuoteRecord],
    completion: @escaping @Sendable (Result<Void, QubusError>) -> Void)
  /// The last ones, oldest first.
  func startQuotes(limit: Int) throws(QubusError) -> [StartQuoteRecord]
  /// Of every lane that has quotes, by name.
  func startQuoteScores() throws(QubusError) -> [StartQuoteScore]
}
