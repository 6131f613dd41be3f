extension Schema {
  /// Prices, credit, budgets, and the double-entry ledger of what was held and spent.
  ///
  /// Money is integer micro-units. `charges` has one row for each job for which something was held,
  /// and one a day for each session; its sums agree with the accounts `held …` and `spent …`.
  static let version4 = """
    CREATE TABLE prices (
      device TEXT PRIMARY KEY,
      per_job INTEGER NOT NULL CHECK (per_job >= 0),
      per_shot INTEGER NOT NULL CHECK (per_shot >= 0),
      per_device_second INTEGER NOT NULL CHECK (per_device_second >= 0)
    ) STRICT, WITHOUT ROWID;

    -- Grants and subscriptions; what is left of one is in the account `credit NUMBER`.
    CREATE TABLE entitlements (
      number INTEGER PRIMARY KEY,
      tenant TEXT NOT NULL,
      project TEXT NOT NULL,
      amount INTEGER NOT NULL CHECK (amount > 0),
      -- NULL: a grant.
      period_seconds INTEGER,
      created_at INTEGER NOT NULL,
      -- End of the present period, or of the grant.
      expires_at INTEGER,
      ends_at INTEGER,
      FOREIGN KEY (tenant, project) REFERENCES projects (tenant, name)
    ) STRICT;

    CREATE TABLE budgets (
      tenant TEXT NOT NULL,
      project TEXT NOT NULL,
      -- Empty: all classes and none.
      class TEXT NOT NULL,
      period TEXT NOT NULL,
      soft_cap INTEGER,
      hard_cap INTEGER,
      PRIMARY KEY (tenant, project, class),
      FOREIGN KEY (tenant, project) REFERENCES projects (tenant, name)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE charges (
      -- Id of a job or session.
      subject BLOB NOT NULL CHECK (length(subject) = 16),
      -- Of a session, days since 1970-01-01; 0 for a job.
      day INTEGER NOT NULL,
      tenant TEXT NOT NULL,
      project TEXT NOT NULL,
      principal TEXT NOT NULL,
      device TEXT NOT NULL,
      class TEXT NOT NULL,
      experiment TEXT NOT NULL,
      -- In force when it was accepted.
      per_job INTEGER NOT NULL,
      per_shot INTEGER NOT NULL,
      per_device_second INTEGER NOT NULL,
      held_at INTEGER NOT NULL,
      settled_at INTEGER,
      -- Entitlement and amount, eight bytes each, little-endian.
      parts BLOB NOT NULL,
      held INTEGER NOT NULL,
      -- NULL while it is held.
      cost INTEGER,
      -- How the job ended; that of a session is 0.
      status INTEGER NOT NULL,
      shots INTEGER NOT NULL,
      device_us INTEGER NOT NULL,
      queue_us INTEGER NOT NULL,
      PRIMARY KEY (subject, day)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX charges_by_time ON charges (held_at);
    CREATE INDEX charges_open ON charges (subject) WHERE cost IS NULL;

    -- The lines of a movement sum to zero.
    CREATE TABLE ledger (
      movement INTEGER NOT NULL,
      line INTEGER NOT NULL,
      time INTEGER NOT NULL,
      kind TEXT NOT NULL,
      -- Job or session.
      subject BLOB,
      account TEXT NOT NULL,
      amount INTEGER NOT NULL,
      PRIMARY KEY (movement, line)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER ledger_unchanged BEFORE UPDATE ON ledger
      BEGIN SELECT RAISE(ABORT, 'ledger entries are never changed'); END;
    CREATE TRIGGER ledger_kept BEFORE DELETE ON ledger
      BEGIN SELECT RAISE(ABORT, 'ledger entries are never removed'); END;

    -- Sums of the ledger by account, kept in the transaction of each movement.
    CREATE TABLE accounts (
      name TEXT PRIMARY KEY,
      balance INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    """
}
