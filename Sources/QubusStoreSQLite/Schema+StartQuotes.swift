extension Schema {
  /// What was told of the starts of waiting jobs.
  static let startQuotes = """
    -- Times in microseconds UTC; raw: before experience corrected it; started_at: NULL until then.
    CREATE TABLE start_quotes (
      job BLOB NOT NULL CHECK (length(job) = 16),
      quoted_at INTEGER NOT NULL,
      lane TEXT NOT NULL,
      device TEXT NOT NULL,
      raw_p10 INTEGER NOT NULL,
      raw_p50 INTEGER NOT NULL,
      raw_p90 INTEGER NOT NULL,
      p10 INTEGER NOT NULL,
      p50 INTEGER NOT NULL,
      p90 INTEGER NOT NULL,
      started_at INTEGER,
      PRIMARY KEY (job, quoted_at)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX start_quotes_by_time ON start_quotes (quoted_at);
    """
}
