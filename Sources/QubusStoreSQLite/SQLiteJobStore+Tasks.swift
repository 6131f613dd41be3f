internal import QubusCore
internal import QubusJobs

/// Commands on their way to the writer: encoded and sealed here, on the caller's thread, so that
/// the writer only writes.
extension SQLiteJobStore {
  /// Up to here a result is encoded on its caller's thread.
  private static let smallResultBytes = 16 << 10

  func task(_ command: StoreCommand) throws(QubusError) -> WriteTask {
    switch command {
    case .accept(let record, let events, let audit, let completion):
      let key = try vault?.key(of: record.principal.tenant)
      let work = WriteTask.Accept(
        record: record, events: events, bodies: try bodies(events, of: record.id, key),
        columns: try JobColumns(record, error: record.error.map { codec.encode($0) }, key: key),
        audit: audit, completion: key == nil ? completion : remembering(record, completion))
      return WriteTask(.accept(work), bytes: record.request.count)
    case .update(let update, let completion):
      return try task(update, completion)
    case .flush(let completion):
      return WriteTask(.flush(completion))
    }
  }

  private func task(
    _ given: JobUpdate, _ completion: @escaping @Sendable (Result<[JobEvent], QubusError>) -> Void
  ) throws(QubusError) -> WriteTask {
    var update = given
    let key = try key(for: &update)
    var work = WriteTask.Update(
      update: update, bodies: try bodies(update.events, of: update.jobID, key),
      error: update.error.map { codec.encode($0) },
      annotations: update.annotations.map { PackedStrings.pack($0) }, key: key, result: nil,
      completion: key == nil ? completion : forgetting(update, completion))
    if let key {
      if let plain = work.error { work.error = try key.seal(plain, at: .error(update.jobID)) }
      if let plain = work.annotations {
        work.annotations = try key.seal(plain, at: .annotations(update.jobID))
      }
    }
    guard let result = update.result else { return WriteTask(.update(work)) }
    try result.validate()
    let bytes = result.data.reduce(0) { $0 + $1.count }
    guard bytes <= min(Self.smallResultBytes, options.inlineResultBytes) else {
      return WriteTask(.update(work), needsPreparation: true)
    }
    do throws(SQLiteFailure) {
      work.result = try StoredResult(
        result, codec: codec, blobs: directory.blobs, inlineLimit: options.inlineResultBytes,
        key: key)
    } catch { throw error.error(at: directory.path) }
    return WriteTask(.update(work))
  }

  /// Keeps whose the job is until it ends, or is none.
  private func remembering(
    _ record: JobRecord,
    _ completion: @escaping @Sendable (Result<AcceptOutcome, QubusError>) -> Void
  ) -> @Sendable (Result<AcceptOutcome, QubusError>) -> Void {
    owners.note(record)
    return { [owners] result in
      switch result {
      case .success(.accepted): break
      case .success(.duplicate), .failure: owners.forget(record.id)
      }
      completion(result)
    }
  }

  private func forgetting(
    _ update: JobUpdate, _ completion: @escaping @Sendable (Result<[JobEvent], QubusError>) -> Void
  ) -> @Sendable (Result<[JobEvent], QubusError>) -> Void {
    guard update.moves.last?.isTerminal == true else { return completion }
    return { [owners] result in
      if case .success = result { owners.forget(update.jobID) }
      completion(result)
    }
  }

  /// The key of the job's tenant; nil without encryption. A job of an erased tenant may still end,
  /// but nothing of what it says is kept.
  /// - Throws: `job_not_found`, `tenant_erased`, `tenant_key_corrupt`.
  private func key(for update: inout JobUpdate) throws(QubusError) -> DataKey? {
    guard let vault else { return nil }
    var owner = owners[update.jobID]
    if owner == nil { owner = try storedTenant(of: update.jobID) }
    guard let tenant = owner else {
      throw QubusError(.jobNotFound, "no job \(update.jobID)")
    }
    do throws(QubusError) {
      return try vault.key(of: tenant)
    } catch {
      guard error.code == .tenantErased, update.result == nil else { throw error }
      (update.error, update.annotations) = (nil, nil)
      for i in update.events.indices { update.events[i].body = JobEventBody() }
      return nil
    }
  }

  private func storedTenant(of job: Identifier) throws(QubusError) -> String? {
    try readers.read { db in
      let select = try db.ready("SELECT tenant FROM jobs WHERE \(JobNumber.condition)")
      defer { select.rewind() }
      select.add(row: job)
      guard try select.step() else { return nil }
      var row = select.row
      return row.text()
    }
  }

  private func bodies(
    _ events: [NewEvent], of job: Identifier, _ key: DataKey?
  ) throws(QubusError) -> [[UInt8]] {
    var bodies: [[UInt8]] = []
    bodies.reserveCapacity(events.count)
    for event in events {
      var body = encode(event.body)
      if let key, !body.isEmpty {
        body = try key.seal(body, at: .event(job, event.time, attempt: event.attempt))
      }
      bodies.append(body)
    }
    return bodies
  }

  /// Most events say everything by kind and status; their body is stored as no bytes.
  private func encode(_ body: JobEventBody) -> [UInt8] {
    body == JobEventBody() ? [] : codec.encode(body)
  }
}
