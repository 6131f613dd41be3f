package import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Results that leave for archives, and those that come back.
extension Engine {
  package func archive(
    _ id: Identifier, to destination: String, reason: String, context: CallContext
  ) throws(QubusError) -> ArchiveReport {
    let record = try record(id, .readResults, context)
    let now = clock.now()
    let policy = exportPolicies.policy(for: record.principal)
    try context.checkExport(record, to: destination, under: policy, now: now)
    try checkExpiry(record)
    guard record.status.isTerminal, let (manifest, provenance) = try store.result(id) else {
      throw notReady(record)
    }
    let programs = try codec.decodeRequest(record.request).pubs.map(\.program)
    let place = destination.isEmpty ? "" : " to \(destination)"
    var entry = context.entry(
      "ArchiveJob", policy == nil ? .readResults : .exportResults, "job \(id)\(place)",
      of: record.principal, reason: reason, at: now)
    if let policy { entry.policy += ", export policy of \(policy.key.text)" }
    audit?.note(entry)
    return ArchiveReport(
      job: view(record), programs: programs, manifest: manifest, provenance: provenance,
      archivedBy: context.principal, archivedAt: now)
  }

  package func restore(
    _ chunk: ArchivedChunk, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<RestoreReport, QubusError>) -> Void
  ) {
    let isTaken = compilePool.submit { [self] _ in
      do throws(QubusError) {
        try take(chunk, reason, context, completion)
      } catch {
        completion(.failure(error))
      }
    }
    if !isTaken { completion(.failure(isStopping ? .shuttingDown : .compileQueueFull)) }
  }

  private func take(
    _ chunk: ArchivedChunk, _ reason: String, _ context: CallContext,
    _ completion: @escaping @Sendable (Result<RestoreReport, QubusError>) -> Void
  ) throws(QubusError) {
    let job = try activate(chunk.jobID)
    let (record, now) = (job.record, clock.now())
    try context.check(.restoreResults, record, now: now)
    guard record.status.isTerminal, record.hasResult,
      let (manifest, provenance) = try store.result(record.id)
    else {
      throw QubusError(
        .archiveConflict, "job \(record.id) is \(record.status.word) and has no result",
        details: ["status": record.status.word])
    }
    try chunk.check(against: manifest)
    guard isResultExpired(record) else {
      let report = RestoreReport(job: view(record), chunksMissing: 0, wasThere: true)
      return completion(.success(report))
    }
    let tenant = record.principal.tenant
    switch try restorations.add(chunk, of: manifest, tenant: tenant, now: now) {
    case .missing(let count):
      let report = RestoreReport(job: view(record), chunksMissing: count, wasThere: false)
      completion(.success(report))
    case .whole(let data):
      var update = restoration(record, now)
      update.result = JobResult(manifest: manifest, provenance: provenance, data: data)
      update.audit = [
        context.entry(
          "RestoreJob", .restoreResults, "job \(record.id)", of: record.principal,
          reason: reason, at: now)
      ]
      write(update, job) { [self] result in
        completion(
          result.map { _ in
            RestoreReport(job: view(job.record), chunksMissing: 0, wasThere: false)
          })
      }
    }
  }

  /// A result that is back is kept as long as a new one.
  private func restoration(_ record: JobRecord, _ now: Microseconds) -> JobUpdate {
    var change = RetentionChange()
    change.restoresResult = true
    change.resultsExpireAt = configuration.retention.results.map { now + $0 }
    var body = JobEventBody()
    body.details["restored"] = "results"
    body.details[Self.resultsExpireDetail] = change.resultsExpireAt.map { String($0) }
    var update = JobUpdate(jobID: record.id, attempt: record.attempt)
    update.retention = change
    update.events = [
      NewEvent(
        time: now, kind: .notice, status: record.status, reason: JobReason.retention,
        attempt: record.attempt, body: body)
    ]
    return update
  }
}
