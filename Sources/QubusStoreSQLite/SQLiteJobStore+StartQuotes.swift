internal import GRDB
package import QubusCore
package import QubusJobs

extension SQLiteJobStore: StartQuoteStore {
  package func keep(
    _ quotes: [StartQuoteRecord],
    completion: @escaping @Sendable (Result<Void, QubusError>) -> Void
  ) {
    enqueue(WriteTask(.quotes(quotes, completion)))
  }

  package func startQuotes(limit: Int) throws(QubusError) -> [StartQuoteRecord] {
    try readers.read { db in
      let select = try db.ready(
        """
        SELECT job,lane,device,quoted_at,raw_p10,raw_p50,raw_p90,p10,p50,p90,started_at
        FROM start_quotes ORDER BY quoted_at DESC, job DESC LIMIT ?
        """)
      defer { select.rewind() }
      select.add(max(0, limit))
      var quotes: [StartQuoteRecord] = []
      while try select.step() {
        var row = select.row
        guard let job = row.identifier() else { continue }
        quotes.append(
          StartQuoteRecord(
            job: job, lane: row.text(), device: row.text(), quotedAt: row.integer(),
            raw: TimeBand(p10: row.integer(), p50: row.integer(), p90: row.integer()),
            band: TimeBand(p10: row.integer(), p50: row.integer(), p90: row.integer()),
            startedAt: row.optionalInteger()))
      }
      return quotes.reversed()
    }
  }

  package func startQuoteScores() throws(QubusError) -> [StartQuoteScore] {
    try readers.read { db in
      let select = try db.ready(
        """
        SELECT lane, COUNT(*), COUNT(started_at), TOTAL(started_at BETWEEN p10 AND p90),
          TOTAL(CASE WHEN started_at NOT NULL THEN p90 - p10 END), TOTAL(ABS(started_at - p50)),
          MIN(quoted_at)
        FROM start_quotes GROUP BY lane ORDER BY lane
        """)
      defer { select.rewind() }
      var scores: [StartQuoteScore] = []
      while try select.step() {
        var row = select.row
        var score = StartQuoteScore(lane: row.text())
        score.quotes = UInt64(row.integer())
        score.scored = UInt64(row.integer())
        score.covered = UInt64(row.real())
        score.widthSeconds = row.real() * 1e-6
        score.errorSeconds = row.real() * 1e-6
        score.since = row.integer()
        scores.append(score)
      }
      return scores
    }
  }
}

extension CommandExecutor {
  /// Quotes that are kept; the oldest go.
  static let quotesKept = 50_000

  /// Within the open transaction of the writer.
  func keep(_ quotes: [StartQuoteRecord]) throws(SQLiteFailure) {
    for quote in quotes {
      try write(
        """
        INSERT OR REPLACE INTO start_quotes
          (job,quoted_at,lane,device,raw_p10,raw_p50,raw_p90,p10,p50,p90,started_at)
        VALUES (?,?,?,?,?,?,?,?,?,?,?)
        """
      ) {
        $0.add(quote.job)
        $0.add(quote.quotedAt)
        $0.add(quote.lane)
        $0.add(quote.device)
        for band in [quote.raw, quote.band] {
          $0.add(band.p10)
          $0.add(band.p50)
          $0.add(band.p90)
        }
        $0.add(quote.startedAt)
      }
    }
    try write(
      """
      DELETE FROM start_quotes WHERE quoted_at <=
        (SELECT quoted_at FROM start_quotes ORDER BY quoted_at DESC LIMIT 1 OFFSET ?)
      """
    ) { $0.add(Self.quotesKept) }
  }
}
