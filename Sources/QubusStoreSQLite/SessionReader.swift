internal import QubusCore
internal import QubusJobs

/// Rows of `sessions` and of their optimizations as values.
enum SessionReader {
  static let columns = """
    id,tenant,project,principal,client_version,trace_id,secret_sha256,idempotency_key,
    request_sha256,request,seed,device,name,tags,state,reason,opened_at,last_used_at,closed_at,
    idle_seconds,wall_seconds,max_steps,max_device_seconds,memory_limit_bytes,
    steps,last_sequence,device_ns,shots_used
    """
  static let selection = "SELECT \(columns) FROM sessions"
  static let byID = selection + " WHERE id = ?"
  static let open = selection + " WHERE state = 1 ORDER BY id"

  static let optimizationColumns = """
    id,session,tenant,project,principal,request,started_at,ending,ended_at
    """
  static let optimizationByID = "SELECT \(optimizationColumns) FROM optimizations WHERE id = ?"
  static let checkpoint = """
    SELECT iteration,time,state,tenant FROM optimization_checkpoints
    WHERE optimization = ? AND iteration <= ? ORDER BY iteration DESC LIMIT 1
    """

  static func record(
    _ columns: SQLRow, _ vault: Vault?
  ) throws(QubusError) -> SessionRecord {
    var row = columns
    guard let id = row.identifier() else { throw damaged("a session has no id") }
    var record = SessionRecord(
      id: id, principal: Principal(tenant: row.text(), project: row.text(), name: row.text()),
      request: [], seed: 0, openedAt: 0)
    record.clientVersion = row.text()
    record.traceID = row.text()
    record.secretHash = row.blob()
    record.idempotencyKey = row.text()
    record.requestHash = row.blob()
    let request = row.blob()
    record.seed = row.unsigned()
    record.device = row.text()
    let sealable = SessionColumns(request: request, name: row.text(), tags: row.blob())
    try sealable.fill(&record, vault)
    guard let state = UInt8(exactly: row.integer()).flatMap(SessionState.init(rawValue:)) else {
      throw damaged("the state of session \(id)")
    }
    record.state = state
    record.reason = row.text()
    record.openedAt = row.integer()
    record.lastUsedAt = row.integer()
    record.closedAt = row.optionalInteger()
    record.idleSeconds = row.real()
    record.wallSeconds = row.real()
    record.maxSteps = row.unsigned()
    record.maxDeviceSeconds = row.real()
    record.memoryLimitBytes = row.unsigned()
    record.usage.steps = row.unsigned()
    record.usage.lastSequence = row.unsigned()
    record.usage.deviceNanoseconds = row.unsigned()
    record.usage.shotsUsed = row.unsigned()
    return record
  }

  static func optimization(
    _ columns: SQLRow, _ vault: Vault?
  ) throws(QubusError) -> OptimizationRecord {
    var row = columns
    guard let id = row.identifier(), let session = row.identifier() else {
      throw damaged("an optimization has no id")
    }
    var record = OptimizationRecord(
      id: id, session: session,
      principal: Principal(tenant: row.text(), project: row.text(), name: row.text()),
      request: [], startedAt: 0)
    record.request = try vault.open(
      row.blob(), of: record.principal.tenant, at: .optimization(id))
    record.startedAt = row.integer()
    record.ending = row.text()
    record.endedAt = row.optionalInteger()
    return record
  }

  private static func damaged(_ what: String) -> QubusError {
    QubusError(.dataDirectoryCorrupt, "the database is damaged: \(what)")
  }
}
