internal import GRDB
internal import GRDBSQLite
internal import QubusCore
internal import QubusJobs

/// Carries out single commands within the open transaction of the writer.
///
/// A command is checked in full before its first write, so that a refused one leaves no trace and
/// its group goes on.
struct CommandExecutor {
  let db: Database
  let sql: WriterStatements
  let codec: any JobCodec
  let daemonID: Identifier
  let clock: any Clock
  let sessions: SessionStatements
  let audit: AuditWriter
  let ledger: LedgerWriter
  let vault: Vault?

  init(
    _ db: Database, codec: any JobCodec, daemonID: Identifier, clock: any Clock, vault: Vault?
  ) throws {
    self.db = db
    self.codec = codec
    self.vault = vault
    self.daemonID = daemonID
    self.clock = clock
    sql = try WriterStatements(db)
    sessions = try SessionStatements(db)
    audit = try AuditWriter(db)
    ledger = try LedgerWriter(db, vault: vault)
  }

  /// Up to here a request lies in the job's own row, which saves a page with every submit; longer
  /// ones would make every change of the row write them again.
  static let shortRequestBytes = 1024

  func begin() throws(SQLiteFailure) {
    sql.begin.rewind()
    try sql.begin.run()
  }

  func commit() throws(SQLiteFailure) {
    sql.commit.rewind()
    try sql.commit.run()
  }

  /// Leaves the transaction, if SQLite has not done so by itself.
  func rollback() {
    audit.forgetTail()
    let connection = db.sqliteConnection
    if sqlite3_get_autocommit(connection) == 0 {
      sqlite3_exec(connection, "ROLLBACK", nil, nil, nil)
    }
  }

  func execute(_ work: WriteTask.Work) throws(SQLiteFailure) -> WriteTask.Outcome {
    switch work {
    case .accept(let work): .accepted(try accept(work))
    case .update(let work): .updated(try update(work))
    case .session(.open(let record, let entry, _)): .opened(try open(record, entry))
    case .session(let command): .done(try execute(command))
    case .tenancy(let changes, let entry, _): .done(try change(changes, entry))
    case .cut(let checkpoint, let entry, _): .done(.success(try cut(checkpoint, entry)))
    case .use(let use, _): .done(.success(try keep(use)))
    case .quotes(let quotes, _): .done(.success(try keep(quotes)))
    case .flush: .done(.success(()))
    case .control: preconditionFailure("a control command runs outside of transactions")
    }
  }

  // Submits

  private func accept(
    _ work: WriteTask.Accept
  ) throws(SQLiteFailure) -> Result<AcceptOutcome, QubusError> {
    if !work.record.idempotencyKey.isEmpty, let known = try knownKey(of: work.record) {
      if let entry = work.audit, case .success(.duplicate(let job)) = known {
        try audit.append(entry.duplicate(of: job.id, kind: "job"))
      }
      return known
    }
    if case .refused(let refusal)? = work.record.costAcceptance { return .failure(refusal) }
    guard let job = try freeNumber(for: work.record.id) else {
      return .failure(QubusError(.invariantViolated, "job id \(work.record.id) is taken"))
    }
    let record: JobRecord
    let events: [JobEvent]
    do throws(QubusError) {
      (record, events) = try work.record.accepting(work.events)
    } catch {
      return .failure(error)
    }
    let columns = work.columns
    let isShort = columns.request.count <= Self.shortRequestBytes
    try insertJob(record, columns, as: job, request: isShort ? columns.request : nil)
    if record.batch != nil || record.resubmitOf != nil { try link(record, job) }
    if !isShort {
      sql.insertRequest.rewind()
      sql.insertRequest.add(job)
      add(record.principal, to: sql.insertRequest)
      sql.insertRequest.add(columns.request)
      try sql.insertRequest.run()
    }
    for tag in columns.tagMarks {
      sql.insertTag.rewind()
      add(record.principal, to: sql.insertTag)
      sql.insertTag.add(tag)
      sql.insertTag.add(record.id)
      try sql.insertTag.run()
    }
    try insertEvents(events, bodies: work.bodies, job: job, owner: record.principal)
    if let hold = record.hold { try ledger.hold(hold, for: record) }
    if let entry = work.audit { try audit.append(entry) }
    return .success(.accepted(record, events))
  }

  private func knownKey(
    of record: JobRecord
  ) throws(SQLiteFailure) -> Result<AcceptOutcome, QubusError>? {
    sql.jobByKey.rewind()
    sql.jobByKey.add(record.principal.tenant)
    sql.jobByKey.add(record.principal.project)
    sql.jobByKey.add(record.principal.name)
    sql.jobByKey.add(record.idempotencyKey)
    defer { sql.jobByKey.rewind() }
    guard try sql.jobByKey.step() else { return nil }
    var row = sql.jobByKey.row
    guard let id = row.identifier() else {
      throw SQLiteFailure(code: SQLITE_CORRUPT, message: "a job has no id")
    }
    let fingerprint = row.blob()
    guard fingerprint == record.fingerprint, row.integer() == Int64(record.fingerprintVersion)
    else {
      return .failure(
        .idempotencyConflict(
          key: record.idempotencyKey, existing: id, existingFingerprint: fingerprint,
          fingerprint: record.fingerprint))
    }
    return try knownJob(id)
  }

  private func knownJob(
    _ id: Identifier
  ) throws(SQLiteFailure) -> Result<AcceptOutcome, QubusError> {
    let select: SQLStatement
    do {
      select = SQLStatement(try db.cachedStatement(sql: RecordReader.byID), of: db)
    } catch { throw SQLiteFailure(error) }
    select.rewind()
    select.add(row: id)
    defer { select.rewind() }
    guard try select.step() else {
      throw SQLiteFailure(code: SQLITE_CORRUPT, message: "job \(id) is in an index only")
    }
    let row = select.row
    do throws(QubusError) {
      return .success(.duplicate(try RecordReader.record(row, codec: codec, vault: vault)))
    } catch {
      return .failure(error)
    }
  }
}
