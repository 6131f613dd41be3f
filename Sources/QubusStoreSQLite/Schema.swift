/// The schema, as an append-only list of migrations. A released one is never edited: its fixture in
/// `Tests/QubusStoreTests/Fixtures` proves that it still opens.
///
/// A job's key is a number made of its id (`JobNumber`), so ids need no index of their own. Ids are
/// 16-byte blobs, times integer microseconds UTC, money integer micro-units; unknown is
/// NULL, never 0. Statuses are the numbers of the wire, event kinds its words.
enum Schema {
  /// Bytes "QBUS"; marks the file as ours.
  static let applicationID: Int32 = 0x5142_5553

  static var version: Int { migrations.count }

  /// Migration `i` leads from version `i` to `i + 1`.
  static let migrations = [
    version1, version2, version3, version4, version5, version6, version7, version8, version9,
    version10, version11,
  ]

  /// Control of waiting jobs, what was told of their starts, the calendars of devices.
  private static let version11 = [control, startQuotes, calendar].joined(separator: "\n")

  private static let owner = """
    tenant TEXT NOT NULL DEFAULT 'default',
      project TEXT NOT NULL DEFAULT 'default',
      principal TEXT NOT NULL DEFAULT 'default'
    """

  private static let version1 = """
    CREATE TABLE jobs (
      job INTEGER PRIMARY KEY,
      id BLOB NOT NULL CHECK (length(id) = 16),
      \(owner),
      client_job_id TEXT NOT NULL,
      client_version TEXT NOT NULL,
      idempotency_key TEXT NOT NULL,
      fingerprint BLOB NOT NULL,
      fingerprint_version INTEGER NOT NULL,
      status INTEGER NOT NULL,
      reason TEXT NOT NULL,
      attempt INTEGER NOT NULL,
      -- A claim is daemon, attempt and lease; a NULL lease lasts as long as the directory's lock.
      claim_daemon BLOB,
      claim_attempt INTEGER,
      lease_until INTEGER,
      lane TEXT NOT NULL,
      device TEXT NOT NULL,
      name TEXT NOT NULL,
      tags BLOB NOT NULL,
      seed INTEGER NOT NULL,
      accepted_at INTEGER,
      compiled_at INTEGER,
      queued_at INTEGER,
      reserved_at INTEGER,
      started_at INTEGER,
      device_us INTEGER,
      finished_at INTEGER,
      stored_at INTEGER,
      shots_done INTEGER NOT NULL,
      shots_total INTEGER NOT NULL,
      last_sequence INTEGER NOT NULL,
      cost_held INTEGER,
      cost INTEGER,
      error BLOB,
      trace_id TEXT NOT NULL,
      annotations BLOB NOT NULL,
      notices BLOB NOT NULL,
      replay_of BLOB,
      cancel_requested INTEGER NOT NULL,
      fallback_used INTEGER NOT NULL,
      has_result INTEGER NOT NULL,
      -- NULL when it is long and lies in requests.
      request BLOB
    );
    -- With the status, so that filters by it and the search for unfinished jobs read no rows.
    CREATE INDEX jobs_by_project ON jobs (tenant, project, id, status);
    CREATE UNIQUE INDEX jobs_by_key ON jobs (tenant, project, principal, idempotency_key)
      WHERE idempotency_key <> '';

    CREATE TABLE requests (
      job INTEGER PRIMARY KEY REFERENCES jobs (job),
      \(owner),
      request BLOB NOT NULL
    );

    CREATE TABLE job_tags (
      \(owner),
      tag TEXT NOT NULL,
      id BLOB NOT NULL,
      PRIMARY KEY (tenant, project, tag, id)
    ) WITHOUT ROWID;

    CREATE TABLE events (
      job INTEGER NOT NULL REFERENCES jobs (job),
      sequence INTEGER NOT NULL,
      \(owner),
      time INTEGER NOT NULL,
      kind TEXT NOT NULL,
      status INTEGER NOT NULL,
      reason TEXT NOT NULL,
      attempt INTEGER NOT NULL,
      body BLOB NOT NULL,
      PRIMARY KEY (job, sequence)
    ) WITHOUT ROWID;

    CREATE TABLE results (
      job INTEGER PRIMARY KEY REFERENCES jobs (job),
      \(owner),
      manifest BLOB NOT NULL,
      provenance BLOB NOT NULL,
      -- Of the manifest followed by the provenance.
      sha256 BLOB NOT NULL,
      -- All chunks of a small result (`PackedChunks`); NULL when they lie in result_chunks.
      chunks BLOB
    );

    -- encoding: 0 as is, 1 zlib, 2 at \"offset\" of the file named by \"file\", the item's SHA-256.
    -- bytes and sha256 are those of the uncompressed chunk.
    CREATE TABLE result_chunks (
      job INTEGER NOT NULL REFERENCES results (job),
      item INTEGER NOT NULL,
      chunk INTEGER NOT NULL,
      \(owner),
      bytes INTEGER NOT NULL,
      sha256 BLOB NOT NULL,
      encoding INTEGER NOT NULL,
      content BLOB,
      file BLOB,
      offset INTEGER NOT NULL,
      PRIMARY KEY (job, item, chunk)
    ) WITHOUT ROWID;
    """

  /// Sessions and their optimizations. A row has the ownership of jobs; its usage is journaled.
  private static let version2 = """
    CREATE TABLE sessions (
      id BLOB PRIMARY KEY CHECK (length(id) = 16),
      \(owner),
      client_version TEXT NOT NULL,
      trace_id TEXT NOT NULL,
      secret_sha256 BLOB NOT NULL,
      idempotency_key TEXT NOT NULL,
      request_sha256 BLOB NOT NULL,
      request BLOB NOT NULL,
      seed INTEGER NOT NULL,
      device TEXT NOT NULL,
      name TEXT NOT NULL,
      tags BLOB NOT NULL,
      state INTEGER NOT NULL,
      reason TEXT NOT NULL,
      opened_at INTEGER NOT NULL,
      last_used_at INTEGER NOT NULL,
      closed_at INTEGER,
      idle_seconds REAL NOT NULL,
      wall_seconds REAL NOT NULL,
      max_steps INTEGER NOT NULL,
      max_device_seconds REAL NOT NULL,
      memory_limit_bytes INTEGER NOT NULL,
      steps INTEGER NOT NULL,
      last_sequence INTEGER NOT NULL,
      device_ns INTEGER NOT NULL,
      shots_used INTEGER NOT NULL,
      cost_held INTEGER,
      cost INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX sessions_by_owner ON sessions (tenant, project, principal, id, state);
    -- An ended session gives its key free.
    CREATE UNIQUE INDEX sessions_by_key ON sessions (tenant, project, principal, idempotency_key)
      WHERE idempotency_key <> '' AND state = 1;

    CREATE TABLE optimizations (
      id BLOB PRIMARY KEY CHECK (length(id) = 16),
      session BLOB NOT NULL REFERENCES sessions (id),
      \(owner),
      request BLOB NOT NULL,
      started_at INTEGER NOT NULL,
      ending TEXT NOT NULL,
      ended_at INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX optimizations_by_session ON optimizations (session);

    CREATE TABLE optimization_checkpoints (
      optimization BLOB NOT NULL REFERENCES optimizations (id),
      iteration INTEGER NOT NULL,
      \(owner),
      time INTEGER NOT NULL,
      state BLOB NOT NULL,
      PRIMARY KEY (optimization, iteration)
    ) WITHOUT ROWID;
    """
}
