internal import QubusCore
internal import QubusJobs

/// Rows of `jobs` and `events` as values.
enum RecordReader {
  private static let columns = """
    id,tenant,project,principal,client_job_id,client_version,idempotency_key,
    fingerprint,fingerprint_version,status,reason,attempt,
    lane,device,name,tags,seed,accepted_at,compiled_at,queued_at,reserved_at,
    started_at,device_us,finished_at,stored_at,shots_done,shots_total,last_sequence,error,trace_id,
    annotations,notices,replay_of,cancel_requested,fallback_used,has_result,
    cost_held,cost,results_expire_at,events_expire_at,removed,withheld,
    priority,batch,resubmit_of
    """

  /// A long request is fetched by number; ownership comes from the job's own row.
  static let selection = """
    SELECT \(columns), COALESCE(request,
      (SELECT requests.request FROM requests WHERE requests.job = jobs.job))
    FROM jobs
    """
  static let byID = selection + " WHERE " + JobNumber.condition
  /// Read once, at start: a scan of an index that exists anyway, instead of one more page to write
  /// with every submit.
  static let unfinished =
    selection + """
       WHERE jobs.job IN (SELECT job FROM jobs INDEXED BY jobs_by_project WHERE status < 6)
      ORDER BY jobs.id
      """
  static let events = """
    SELECT sequence,time,kind,status,reason,attempt,body,tenant FROM events
    WHERE job = \(JobNumber.ofRow) AND sequence > ? ORDER BY sequence LIMIT ?
    """

  static func record(
    _ columns: SQLRow, codec: any JobCodec, vault: Vault?
  ) throws(QubusError) -> JobRecord {
    var row = columns
    guard let id = row.identifier() else { throw damaged("a job has no id") }
    let principal = Principal(tenant: row.text(), project: row.text(), name: row.text())
    var record = JobRecord(id: id, principal: principal, request: [])
    record.clientJobID = row.text()
    record.clientVersion = row.text()
    record.idempotencyKey = row.text()
    record.fingerprint = row.blob()
    record.fingerprintVersion = UInt32(truncatingIfNeeded: row.integer())
    record.status = try status(row.integer(), of: id)
    record.reason = row.text()
    record.attempt = UInt32(truncatingIfNeeded: row.integer())
    record.lane = row.text()
    record.device = row.text()
    let (name, tags) = (row.text(), row.blob())
    record.seed = row.unsigned()
    record.phases = phases(&row)
    record.shotsDone = row.unsigned()
    record.shotsTotal = row.unsigned()
    record.lastSequence = row.unsigned()
    let error = row.optionalBlob()
    record.traceID = row.text()
    let (annotations, notices) = (row.blob(), row.blob())
    record.replayOf = row.identifier()
    record.cancelRequested = row.boolean()
    record.fallbackUsed = row.boolean()
    record.hasResult = row.boolean()
    record.costHeld = row.optionalInteger()
    record.cost = row.optionalInteger()
    record.retention = retention(&row)
    record.withheld = Withholding(rawValue: UInt8(truncatingIfNeeded: row.integer()))
    record.priority = Int(row.integer())
    record.batch = row.identifier()
    record.resubmitOf = row.identifier()
    let sealable = JobColumns(
      name: name, tags: tags, notices: notices, annotations: annotations, error: error,
      request: row.blob())
    try sealable.fill(&record, vault, codec: codec)
    return record
  }

  static func event(
    _ columns: SQLRow, of id: Identifier, codec: any JobCodec, vault: Vault?
  ) throws(QubusError) -> JobEvent {
    var row = columns
    let sequence = row.unsigned()
    let time = row.integer()
    let word = row.text()
    guard let kind = JobEventKind(rawValue: word) else {
      throw damaged("event \(sequence) of \(id) is a \(word)")
    }
    let status = try status(row.integer(), of: id)
    let reason = row.text()
    let attempt = UInt32(truncatingIfNeeded: row.integer())
    let (stored, tenant) = (row.blob(), row.text())
    var body = JobEventBody()
    do throws(QubusError) {
      let plain = try vault.open(stored, of: tenant, at: .event(id, time, attempt: attempt))
      if !plain.isEmpty { body = try codec.decodeEventBody(plain) }
    } catch {
      // That something happened, and when, is known of an erased tenant's job too.
      guard error.isLockedTenant else { throw error }
    }
    return JobEvent(
      jobID: id, sequence: sequence, time: time, kind: kind, status: status, reason: reason,
      attempt: attempt, body: body)
  }

  private static func retention(_ row: inout SQLRow) -> JobRetention {
    var retention = JobRetention()
    retention.resultsExpireAt = row.optionalInteger()
    retention.eventsExpireAt = row.optionalInteger()
    let removed = row.integer()
    retention.isResultRemoved = removed & 1 != 0
    retention.areEventsRemoved = removed & 2 != 0
    retention.isRestored = removed & 4 != 0
    return retention
  }

  private static func phases(_ row: inout SQLRow) -> PhaseLedger {
    var phases = PhaseLedger()
    phases.acceptedAt = row.optionalInteger()
    phases.compiledAt = row.optionalInteger()
    phases.queuedAt = row.optionalInteger()
    phases.reservedAt = row.optionalInteger()
    phases.startedAt = row.optionalInteger()
    phases.deviceMicroseconds = row.optionalInteger()
    phases.finishedAt = row.optionalInteger()
    phases.storedAt = row.optionalInteger()
    return phases
  }

  private static func status(_ number: Int64, of id: Identifier) throws(QubusError) -> JobStatus {
    guard let status = UInt8(exactly: number).flatMap(JobStatus.init(rawValue:)) else {
      throw damaged("job \(id) has status \(number)")
    }
    return status
  }

  private static func damaged(_ what: String) -> QubusError {
    QubusError(.dataDirectoryCorrupt, "the database is damaged: \(what)")
  }
}
