internal import GRDBSQLite
internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Changes of sessions, within the open transaction of the writer.
extension CommandExecutor {
  func open(
    _ record: SessionRecord, _ entry: AuditEntry?
  ) throws(SQLiteFailure) -> Result<SessionRecord, QubusError> {
    if !record.idempotencyKey.isEmpty, let known = try openSession(underKeyOf: record) {
      guard case .success(let session) = known else { return known }
      guard session.requestHash == record.requestHash else {
        return .failure(
          .idempotencyConflict(
            key: record.idempotencyKey, of: "session", existing: session.id,
            existingFingerprint: session.requestHash, fingerprint: record.requestHash))
      }
      if let entry { try audit.append(entry.duplicate(of: session.id, kind: "session")) }
      return known
    }
    guard try !exists(record.id) else {
      return .failure(QubusError(.invariantViolated, "session id \(record.id) is taken"))
    }
    let columns: SessionColumns
    do throws(QubusError) {
      columns = try SessionColumns(record, key: try vault?.key(of: record.principal.tenant))
    } catch {
      return .failure(error)
    }
    try insert(record, columns)
    if let entry { try audit.append(entry) }
    return .success(record)
  }

  private func exists(_ id: Identifier) throws(SQLiteFailure) -> Bool {
    sessions.byID.rewind()
    sessions.byID.add(id)
    defer { sessions.byID.rewind() }
    return try sessions.byID.step()
  }

  private func openSession(
    underKeyOf record: SessionRecord
  ) throws(SQLiteFailure) -> Result<SessionRecord, QubusError>? {
    let select = sessions.byKey
    select.rewind()
    add(record.principal, to: select)
    select.add(record.idempotencyKey)
    defer { select.rewind() }
    guard try select.step() else { return nil }
    do throws(QubusError) {
      return .success(try SessionReader.record(select.row, vault))
    } catch {
      return .failure(error)
    }
  }

  private func insert(
    _ record: SessionRecord, _ columns: SessionColumns
  ) throws(SQLiteFailure) {
    let insert = sessions.insert
    insert.rewind()
    insert.add(record.id)
    add(record.principal, to: insert)
    insert.add(record.clientVersion)
    insert.add(record.traceID)
    insert.add(record.secretHash)
    insert.add(record.idempotencyKey)
    insert.add(record.requestHash)
    insert.add(columns.request)
    insert.add(record.seed)
    insert.add(record.device)
    insert.add(columns.name)
    insert.add(columns.tags)
    insert.add(Int64(record.state.rawValue))
    insert.add(record.reason)
    insert.add(record.openedAt)
    insert.add(record.lastUsedAt)
    insert.add(record.closedAt)
    insert.add(record.idleSeconds)
    insert.add(record.wallSeconds)
    insert.add(record.maxSteps)
    insert.add(record.maxDeviceSeconds)
    insert.add(record.memoryLimitBytes)
    add(record.usage, to: insert)
    try insert.run()
  }

  private func add(_ usage: SessionUsage, to statement: SQLStatement) {
    statement.add(usage.steps)
    statement.add(usage.lastSequence)
    statement.add(usage.deviceNanoseconds)
    statement.add(usage.shotsUsed)
  }

  private func add(dayOf time: Microseconds, to statement: SQLStatement) {
    let day = QuotaBook.day(of: time)
    for _ in 0..<3 { statement.add(day) }
  }

  /// Everything but an open.
  func execute(_ command: SessionCommand) throws(SQLiteFailure) -> Result<Void, QubusError> {
    switch command {
    case .open: preconditionFailure("an open answers with its session")
    case .journal(let entries, _):
      for entry in entries {
        sessions.journal.rewind()
        add(dayOf: entry.lastUsedAt, to: sessions.journal)
        add(entry.usage, to: sessions.journal)
        sessions.journal.add(entry.lastUsedAt)
        sessions.journal.add(entry.id)
        try sessions.journal.run()
      }
    case .charge(let charges, _):
      for charge in charges { try ledger.charge(charge) }
    case .end(let id, let state, let reason, let usage, let time, let entry, _):
      let end = sessions.end
      end.rewind()
      add(dayOf: time, to: end)
      end.add(Int64(state.rawValue))
      end.add(reason)
      end.add(time)
      add(usage, to: end)
      end.add(id)
      try end.run()
      if let entry, end.changedRows > 0 { try audit.append(entry) }
    case .startOptimization(let record, _):
      guard try exists(record.session) else { return .failure(.sessionNotFound(record.session)) }
      let request: [UInt8]
      switch seal(record.request, of: record.principal.tenant, at: .optimization(record.id)) {
      case .success(let sealed): request = sealed
      case .failure(let error): return .failure(error)
      }
      let start = sessions.startOptimization
      start.rewind()
      start.add(record.id)
      start.add(record.session)
      add(record.principal, to: start)
      start.add(request)
      start.add(record.startedAt)
      start.add(record.ending)
      start.add(record.endedAt)
      try start.run()
    case .checkpoint(let checkpoint, _): return try keep(checkpoint)
    case .endOptimization(let id, let ending, let time, _):
      sessions.endOptimization.rewind()
      sessions.endOptimization.add(ending)
      sessions.endOptimization.add(time)
      sessions.endOptimization.add(id)
      try sessions.endOptimization.run()
    }
    return .success(())
  }

  private func keep(
    _ checkpoint: OptimizationCheckpoint
  ) throws(SQLiteFailure) -> Result<Void, QubusError> {
    guard let owner = try owner(of: checkpoint.optimization) else {
      return .failure(.optimizationNotFound(checkpoint.optimization))
    }
    let state: [UInt8]
    let place = SealPlace.checkpoint(checkpoint.optimization, checkpoint.iteration)
    switch seal(checkpoint.state, of: owner.tenant, at: place) {
    case .success(let sealed): state = sealed
    case .failure(let error): return .failure(error)
    }
    let insert = sessions.checkpoint
    insert.rewind()
    insert.add(checkpoint.optimization)
    insert.add(checkpoint.iteration)
    add(owner, to: insert)
    insert.add(checkpoint.time)
    insert.add(state)
    try insert.run()
    let select = sessions.checkpoints
    select.rewind()
    select.add(checkpoint.optimization)
    var kept: [UInt64] = []
    while try select.step() {
      var row = select.row
      kept.append(row.unsigned())
    }
    guard let spare = OptimizationCheckpoint.spare(of: kept) else { return .success(()) }
    sessions.dropCheckpoint.rewind()
    sessions.dropCheckpoint.add(checkpoint.optimization)
    sessions.dropCheckpoint.add(spare)
    try sessions.dropCheckpoint.run()
    return .success(())
  }

  private func seal(
    _ bytes: [UInt8], of tenant: String, at place: SealPlace
  ) -> Result<[UInt8], QubusError> {
    Result { () throws(QubusError) in
      guard let vault else { return bytes }
      return try vault.key(of: tenant).seal(bytes, at: place)
    }
  }

  private func owner(of id: Identifier) throws(SQLiteFailure) -> Principal? {
    let select = sessions.optimization
    select.rewind()
    select.add(id)
    defer { select.rewind() }
    guard try select.step() else { return nil }
    var row = select.row
    guard row.identifier() != nil, row.identifier() != nil else {
      throw SQLiteFailure(code: SQLITE_CORRUPT, message: "optimization \(id) has no session")
    }
    return Principal(tenant: row.text(), project: row.text(), name: row.text())
  }
}
