internal import GRDB

/// Everything the writer says to SQLite, prepared once.
struct WriterStatements {
  let begin: SQLStatement
  let commit: SQLStatement
  let jobByKey: SQLStatement
  let headByID: SQLStatement
  let slots: SQLStatement
  let insertJob: SQLStatement
  let insertRequest: SQLStatement
  let insertTag: SQLStatement
  let insertEvent: SQLStatement
  let updateJob: SQLStatement
  let moveJob: SQLStatement
  let insertResult: SQLStatement
  let insertChunk: SQLStatement

  init(_ db: Database) throws {
    func prepare(_ sql: String) throws -> SQLStatement {
      SQLStatement(try db.makeStatement(sql: sql), of: db)
    }
    func insert(_ table: String, _ columns: String) throws -> SQLStatement {
      let count = columns.split(separator: ",").count
      let marks = Array(repeating: "?", count: count).joined(separator: ",")
      return try prepare("INSERT INTO \(table) (\(columns)) VALUES (\(marks))")
    }
    let owner = "tenant,project,principal"
    begin = try prepare("BEGIN IMMEDIATE")
    commit = try prepare("COMMIT")
    jobByKey = try prepare(
      """
      SELECT id, fingerprint, fingerprint_version FROM jobs
      WHERE tenant = ? AND project = ? AND principal = ? AND idempotency_key = ?
        AND idempotency_key <> ''
      """)
    headByID = try prepare(
      """
      SELECT job, status, attempt, last_sequence, tenant, project, principal,
        cost_held IS NOT NULL FROM jobs
      WHERE \(JobNumber.condition)
      """)
    slots = try prepare("SELECT job, id FROM jobs WHERE job BETWEEN ? AND ? ORDER BY job")
    insertJob = try insert(
      "jobs",
      """
      job,id,\(owner),client_job_id,client_version,idempotency_key,
      fingerprint,fingerprint_version,status,reason,
      attempt,lane,device,name,tags,seed,accepted_at,compiled_at,queued_at,reserved_at,started_at,
      device_us,finished_at,stored_at,shots_done,shots_total,last_sequence,error,trace_id,
      annotations,notices,replay_of,cancel_requested,fallback_used,has_result,
      request,cost_held
      """)
    insertRequest = try insert("requests", "job,\(owner),request")
    insertTag = try prepare(
      "INSERT OR IGNORE INTO job_tags (\(owner),tag,id) VALUES (?,?,?,?,?)")
    insertEvent = try insert(
      "events", "job,sequence,\(owner),time,kind,status,reason,attempt,body")
    // A change without a move leaves every index alone.
    let common = """
      last_sequence = ?, reason = COALESCE(?, reason), attempt = ?,
      accepted_at = COALESCE(?, accepted_at), compiled_at = COALESCE(?, compiled_at),
      queued_at = COALESCE(?, queued_at), reserved_at = COALESCE(?, reserved_at),
      started_at = COALESCE(?, started_at), device_us = COALESCE(?, device_us),
      finished_at = COALESCE(?, finished_at), stored_at = COALESCE(?, stored_at),
      device = COALESCE(?, device), shots_done = COALESCE(?, shots_done),
      error = COALESCE(?, error), annotations = COALESCE(?, annotations),
      cancel_requested = COALESCE(?, cancel_requested), has_result = has_result OR ?
      """
    updateJob = try prepare("UPDATE jobs SET \(common) WHERE job = ?")
    moveJob = try prepare(
      """
      UPDATE jobs SET \(common), status = ?, claim_daemon = ?, claim_attempt = ?, lease_until = NULL
      WHERE job = ?
      """)
    insertResult = try insert(
      "results", "job,\(owner),manifest,provenance,sha256,chunks")
    insertChunk = try insert(
      "result_chunks", "job,item,chunk,\(owner),bytes,sha256,encoding,content,file,offset")
  }
}
