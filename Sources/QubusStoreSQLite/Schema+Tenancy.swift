extension Schema {
  /// Who there is, what they may do, and the audit.
  ///
  /// The triggers keep the audit from being changed by mistake or by SQL; against a hand in the
  /// file there is its chain. None watches inserts: that would cost every submit a microsecond to
  /// keep out what the chain shows.
  static let version3 = """
    -- The data directory itself; one row.
    CREATE TABLE service (
      id BLOB NOT NULL CHECK (length(id) = 16)
    );
    INSERT INTO service VALUES (randomblob(16));

    CREATE TABLE tenants (
      name TEXT PRIMARY KEY,
      disabled INTEGER NOT NULL,
      created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE projects (
      tenant TEXT NOT NULL REFERENCES tenants (name),
      name TEXT NOT NULL,
      -- Name of a principal of the tenant; empty: nobody.
      owner TEXT NOT NULL,
      disabled INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      PRIMARY KEY (tenant, name)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE principals (
      tenant TEXT NOT NULL,
      project TEXT NOT NULL,
      principal TEXT NOT NULL,
      uid INTEGER,
      disabled INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      PRIMARY KEY (tenant, project, principal),
      FOREIGN KEY (tenant, project) REFERENCES projects (tenant, name)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX principals_by_user ON principals (uid) WHERE uid IS NOT NULL;

    -- Revoked ones stay: a key belongs to one principal for ever.
    CREATE TABLE client_keys (
      key TEXT PRIMARY KEY,
      tenant TEXT NOT NULL,
      project TEXT NOT NULL,
      principal TEXT NOT NULL,
      invitation INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      expires_at INTEGER,
      revoked_at INTEGER,
      FOREIGN KEY (tenant, project, principal)
        REFERENCES principals (tenant, project, principal)
    ) STRICT, WITHOUT ROWID;

    -- An empty scope is everywhere; no name is empty.
    CREATE TABLE grants (
      tenant TEXT NOT NULL,
      project TEXT NOT NULL,
      principal TEXT NOT NULL,
      role TEXT NOT NULL,
      scope_tenant TEXT NOT NULL,
      scope_project TEXT NOT NULL,
      scope_device_family TEXT NOT NULL,
      PRIMARY KEY (tenant, project, principal, role, scope_tenant, scope_project,
        scope_device_family),
      FOREIGN KEY (tenant, project, principal)
        REFERENCES principals (tenant, project, principal)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE tokens (
      id TEXT PRIMARY KEY,
      tenant TEXT NOT NULL,
      project TEXT NOT NULL,
      principal TEXT NOT NULL,
      bound_to TEXT NOT NULL,
      issued_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      max_shots INTEGER,
      shots_used INTEGER NOT NULL,
      revoked_at INTEGER,
      FOREIGN KEY (tenant, project, principal)
        REFERENCES principals (tenant, project, principal)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tokens_by_expiry ON tokens (expires_at);

    INSERT INTO tenants VALUES ('default', 0, unixepoch() * 1000000);
    INSERT INTO projects VALUES ('default', 'default', '', 0, unixepoch() * 1000000);

    CREATE TABLE audit (
      number INTEGER PRIMARY KEY,
      -- Version of the canonical bytes that the hash covers.
      encoding INTEGER NOT NULL,
      time INTEGER NOT NULL,
      -- Whose rights were used; NULL for who could not be told.
      actor_tenant TEXT,
      actor_project TEXT,
      actor TEXT,
      credential TEXT NOT NULL,
      token TEXT NOT NULL,
      method TEXT NOT NULL,
      action TEXT NOT NULL,
      subject TEXT NOT NULL,
      -- Of the subject; empty for the service.
      tenant TEXT NOT NULL,
      outcome INTEGER NOT NULL,
      policy TEXT NOT NULL,
      reason TEXT NOT NULL,
      trace_id TEXT NOT NULL,
      hash BLOB NOT NULL CHECK (length(hash) = 32)
    ) STRICT;
    CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit
      BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END;
    CREATE TRIGGER audit_kept BEFORE DELETE ON audit
      BEGIN SELECT RAISE(ABORT, 'audit records are never removed'); END;
    """
}
