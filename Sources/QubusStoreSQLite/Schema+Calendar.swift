extension Schema {
  /// Windows of the calendars of devices.
  static let calendar = """
    -- holder: tenant/project or tenant/project/name; empty: nobody. Times in microseconds UTC.
    CREATE TABLE reservations (
      id BLOB PRIMARY KEY CHECK (length(id) = 16),
      device TEXT NOT NULL,
      kind TEXT NOT NULL,
      shared INTEGER NOT NULL,
      holder TEXT NOT NULL,
      starts_at INTEGER NOT NULL,
      ends_at INTEGER NOT NULL CHECK (ends_at > starts_at),
      tenant TEXT NOT NULL,
      project TEXT NOT NULL,
      principal TEXT NOT NULL,
      created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX reservations_by_device ON reservations (device, ends_at);
    """
}
