extension Schema {
  /// Limits, approval policies, whose devices are, and what sessions had used when a day began.
  static let version6 = """
    -- scope: tenant, tenant/project or tenant/project/name.
    CREATE TABLE quotas (
      scope TEXT NOT NULL,
      quota TEXT NOT NULL,
      -- Of devices; empty: all.
      family TEXT NOT NULL,
      bound INTEGER NOT NULL,
      PRIMARY KEY (scope, quota, family)
    ) STRICT, WITHOUT ROWID;

    -- An empty project is every one of the tenant, an empty class every one.
    CREATE TABLE approval_policies (
      tenant TEXT NOT NULL REFERENCES tenants (name),
      project TEXT NOT NULL,
      class TEXT NOT NULL,
      max_shots INTEGER,
      max_cost INTEGER,
      device_families BLOB NOT NULL,
      expiry_seconds INTEGER NOT NULL,
      PRIMARY KEY (tenant, project, class)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE dedicated_devices (
      device TEXT PRIMARY KEY,
      tenant TEXT NOT NULL REFERENCES tenants (name)
    ) STRICT, WITHOUT ROWID;

    -- Days since 1970, UTC, of the last use; what was used before it began.
    ALTER TABLE sessions ADD COLUMN day INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE sessions ADD COLUMN device_ns_before INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE sessions ADD COLUMN shots_before INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX sessions_by_day ON sessions (day);
    """
}
