internal import QubusCore
internal import QubusJobs

extension CommandExecutor {
  /// A job's row as far as a change needs it.
  struct HeadRow {
    var job: Int64
    var head: JobHead
    var owner: Principal
    /// Whether something is held for it, or was.
    var isPriced: Bool
  }

  func head(of id: Identifier) throws(SQLiteFailure) -> HeadRow? {
    let select = sql.headByID
    select.rewind()
    select.add(row: id)
    defer { select.rewind() }
    guard try select.step() else { return nil }
    var row = select.row
    let job = row.integer()
    let number = row.integer()
    guard let status = UInt8(exactly: number).flatMap(JobStatus.init(rawValue:)) else {
      throw SQLiteFailure(code: SQLiteFailure.corrupt, message: "job \(id) has status \(number)")
    }
    let attempt = UInt32(truncatingIfNeeded: row.integer())
    let head = JobHead(id: id, status: status, attempt: attempt, lastSequence: row.unsigned())
    return HeadRow(
      job: job, head: head,
      owner: Principal(tenant: row.text(), project: row.text(), name: row.text()),
      isPriced: row.boolean())
  }

  /// The number for the row of a new job, nil when the id is taken.
  func freeNumber(for id: Identifier) throws(SQLiteFailure) -> Int64? {
    let last = JobNumber.last(of: id)
    let select = sql.slots
    select.rewind()
    select.add(JobNumber.first(of: id))
    select.add(last)
    defer { select.rewind() }
    var highest: Int64?
    while try select.step() {
      var row = select.row
      highest = row.integer()
      if row.identifier() == id { return nil }
    }
    guard let highest else { return JobNumber.first(of: id) }
    guard highest < last else {
      throw SQLiteFailure(
        code: SQLiteFailure.constraint, message: "no row is free for job id \(id)")
    }
    return highest + 1
  }

  func add(_ owner: Principal, to statement: SQLStatement) {
    statement.add(owner.tenant)
    statement.add(owner.project)
    statement.add(owner.name)
  }

  func add(_ phases: PhaseLedger, storedAt: Microseconds?, to statement: SQLStatement) {
    statement.add(phases.acceptedAt)
    statement.add(phases.compiledAt)
    statement.add(phases.queuedAt)
    statement.add(phases.reservedAt)
    statement.add(phases.startedAt)
    statement.add(phases.deviceMicroseconds)
    statement.add(phases.finishedAt)
    statement.add(storedAt ?? phases.storedAt)
  }

  func insertJob(
    _ record: JobRecord, _ columns: JobColumns, as job: Int64, request: [UInt8]?
  ) throws(SQLiteFailure) {
    let insert = sql.insertJob
    insert.rewind()
    insert.add(job)
    insert.add(record.id)
    add(record.principal, to: insert)
    insert.add(record.clientJobID)
    insert.add(record.clientVersion)
    insert.add(record.idempotencyKey)
    insert.add(record.fingerprint)
    insert.add(record.fingerprintVersion)
    insert.add(UInt32(record.status.rawValue))
    insert.add(record.reason)
    insert.add(record.attempt)
    insert.add(record.lane)
    insert.add(record.device)
    insert.add(columns.name)
    insert.add(columns.tags)
    insert.add(record.seed)
    add(record.phases, storedAt: nil, to: insert)
    insert.add(record.shotsDone)
    insert.add(record.shotsTotal)
    insert.add(record.lastSequence)
    insert.add(columns.error)
    insert.add(record.traceID)
    insert.add(columns.annotations)
    insert.add(columns.notices)
    insert.add(record.replayOf)
    insert.add(record.cancelRequested)
    insert.add(record.fallbackUsed)
    insert.add(record.hasResult)
    insert.add(request)
    insert.add(record.costHeld)
    try insert.run()
  }

  /// Few jobs have such links: those without save the columns.
  func link(_ record: JobRecord, _ job: Int64) throws(SQLiteFailure) {
    _ = try write("UPDATE jobs SET batch = ?, resubmit_of = ? WHERE job = ?") {
      $0.add(record.batch)
      $0.add(record.resubmitOf)
      $0.add(job)
    }
  }

  func insertEvents(
    _ events: [JobEvent], bodies: [[UInt8]], job: Int64, owner: Principal
  ) throws(SQLiteFailure) {
    let insert = sql.insertEvent
    for (event, body) in zip(events, bodies) {
      insert.rewind()
      insert.add(job)
      insert.add(event.sequence)
      add(owner, to: insert)
      insert.add(event.time)
      insert.add(event.kind.rawValue)
      insert.add(UInt32(event.status.rawValue))
      insert.add(event.reason)
      insert.add(event.attempt)
      insert.add(body)
      try insert.run()
    }
  }

  func insertResult(
    _ result: StoredResult, job: Int64, owner: Principal
  ) throws(SQLiteFailure) {
    let insert = sql.insertResult
    insert.rewind()
    insert.add(job)
    add(owner, to: insert)
    insert.add(result.manifest)
    insert.add(result.provenance)
    insert.add(result.sha256)
    insert.add(result.packedChunks)
    try insert.run()
    for chunk in result.chunks {
      let insert = sql.insertChunk
      insert.rewind()
      insert.add(job)
      insert.add(chunk.item)
      insert.add(chunk.chunk)
      add(owner, to: insert)
      insert.add(chunk.bytes)
      insert.add(chunk.sha256)
      insert.add(chunk.encoding.rawValue)
      insert.add(chunk.content)
      insert.add(chunk.file)
      insert.add(chunk.offset)
      try insert.run()
    }
  }
}
