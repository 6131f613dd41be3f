extension Schema {
  /// The data keys of tenants, wrapped, and whether everything from before is sealed.
  static let version5 = """
    CREATE TABLE tenant_keys (
      tenant TEXT PRIMARY KEY,
      -- Id of the master key that wraps it.
      master BLOB NOT NULL CHECK (length(master) = 8),
      -- NULL: destroyed, and with it what the tenant had.
      wrapped BLOB,
      created_at INTEGER NOT NULL,
      erased_at INTEGER
    ) STRICT, WITHOUT ROWID;
    -- NULL: rows may be plain.
    ALTER TABLE service ADD COLUMN sealed_at INTEGER;
    """
}
