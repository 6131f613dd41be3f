extension Schema {
  /// When results and events expire, and the cut behind which the audit begins.
  static let version7 = """
    ALTER TABLE jobs ADD COLUMN results_expire_at INTEGER;
    ALTER TABLE jobs ADD COLUMN events_expire_at INTEGER;
    -- Bits: 1 the result has gone, 2 the events.
    ALTER TABLE jobs ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
    -- Empty, and free of cost, while nothing expires.
    CREATE INDEX jobs_by_result_expiry ON jobs (results_expire_at)
      WHERE results_expire_at IS NOT NULL AND removed & 1 = 0;
    CREATE INDEX jobs_by_event_expiry ON jobs (events_expire_at)
      WHERE events_expire_at IS NOT NULL AND removed & 2 = 0;
    CREATE INDEX chunks_by_file ON result_chunks (file) WHERE file IS NOT NULL;

    -- The last record that retention removed, as a signed checkpoint; at most one row.
    CREATE TABLE audit_cut (
      row INTEGER PRIMARY KEY CHECK (row = 1),
      number INTEGER NOT NULL,
      hash BLOB NOT NULL CHECK (length(hash) = 32),
      time INTEGER NOT NULL,
      public_key BLOB NOT NULL,
      signature BLOB NOT NULL
    ) STRICT;
    DROP TRIGGER audit_kept;
    CREATE TRIGGER audit_kept BEFORE DELETE ON audit
      WHEN OLD.number > COALESCE((SELECT number FROM audit_cut), 0)
      BEGIN SELECT RAISE(ABORT, 'audit records are never removed'); END;
    """
}
