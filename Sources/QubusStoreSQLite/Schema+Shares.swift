extension Schema {
  /// What principals used, for the fair queue of the next life of the service, and the weights in
  /// it that administration set.
  static let version9 = """
    -- device_seconds: worth what their age had left of them at that time, in microseconds UTC.
    CREATE TABLE used_service (
      tenant TEXT NOT NULL,
      project TEXT NOT NULL,
      principal TEXT NOT NULL,
      device_seconds REAL NOT NULL,
      at INTEGER NOT NULL,
      PRIMARY KEY (tenant, project, principal)
    ) STRICT, WITHOUT ROWID;

    -- scope: tenant, tenant/project or tenant/project/name.
    CREATE TABLE share_weights (
      scope TEXT PRIMARY KEY,
      weight REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
    """
}
