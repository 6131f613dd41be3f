extension Schema {
  /// Devices that operators drained, changes of waiting jobs, which jobs belong together.
  static let control = """
    -- Who drained it, why, and since when, in microseconds UTC.
    CREATE TABLE device_drains (
      device TEXT PRIMARY KEY,
      tenant TEXT NOT NULL,
      project TEXT NOT NULL,
      principal TEXT NOT NULL,
      reason TEXT NOT NULL,
      since INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
    -- Ids: of those that were submitted together, of the ended one that this one runs again.
    ALTER TABLE jobs ADD COLUMN batch BLOB;
    ALTER TABLE jobs ADD COLUMN resubmit_of BLOB;
    CREATE INDEX jobs_by_batch ON jobs (batch) WHERE batch IS NOT NULL;
    """
}
