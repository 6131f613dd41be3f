internal import QubusCore
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

/// Jobs that start after others have ended. The scheduler withholds them meanwhile; whoever takes
/// one out of the book lets it go on or ends it, once. There are no cycles: a job can name only
/// those that were accepted before it had an id.
extension Engine {
  // MARK: Beginning to wait

  /// The jobs that are named, as they are now.
  /// - Throws: `job_not_found`, naming the field, for one that is not there, or not the caller's to
  ///   see, or of another tenant.
  func dependencies(
    of spec: JobSpec, _ context: CallContext
  ) throws(QubusError) -> [JobRecord] {
    var records: [JobRecord] = []
    for (field, id) in spec.dependencies {
      do throws(QubusError) {
        let record = try record(id, .readJobs, context)
        guard record.principal.tenant == context.principal.tenant else { throw .jobNotFound(id) }
        records.append(record)
      } catch {
        guard error.code == .jobNotFound else { throw error.within(field) }
        throw .field(.jobNotFound, field, "no job \(id) is visible to you")
      }
    }
    return records
  }

  /// Notes whom a job that is about to be accepted waits for. May block.
  /// - Returns: whether it has to wait; then `keepDependent` or `forgetDependent` must follow.
  func expectDependencies(
    _ id: Identifier, _ spec: JobSpec, _ context: CallContext
  ) throws(QubusError) -> Bool {
    guard spec.hasDependencies else { return false }
    dependencyBook.withLock { $0.add(id, after: spec.after, afterOK: spec.afterOK) }
    return hasToWait(id, for: try dependencies(of: spec, context))
  }

  /// The same for a job of an earlier life of the service.
  func restoreDependencies(_ id: Identifier, _ spec: JobSpec) throws(QubusError) -> Bool {
    guard spec.hasDependencies else { return false }
    dependencyBook.withLock { $0.add(id, after: spec.after, afterOK: spec.afterOK) }
    var records: [JobRecord] = []
    for (field, id) in spec.dependencies {
      var found = table.job(id)?.record
      if found == nil { found = try store.job(id) }
      guard let found else { throw QubusError.jobNotFound(id).within(field) }
      records.append(found)
    }
    return hasToWait(id, for: records)
  }

  private func hasToWait(_ id: Identifier, for records: [JobRecord]) -> Bool {
    dependencyBook.withLock { book in
      for record in records where record.status.isTerminal {
        book.note(id, record.id, record.status)
      }
      return book.hasToWait(id)
    }
  }

  /// From here on the scheduler does not give it a turn.
  func withholdDependent(_ record: JobRecord) {
    let since = record.phases.queuedAt ?? clock.now()
    scheduler.post(.withheld(record.id, .dependency, since: since))
  }

  /// The job is accepted, and the scheduler or an approver has it.
  func keepDependent(_ id: Identifier) {
    settle(dependencyBook.withLock { $0.keep(id) }.map { [$0] } ?? [])
  }

  /// The job was not accepted.
  func forgetDependent(_ id: Identifier) { dependencyBook.withLock { _ = $0.remove(id) } }

  // MARK: The end of waiting

  /// A job ended: it waits for nothing any more, and those that waited for it alone go on or end.
  /// - Returns: whether it waited for others itself.
  func noteEnd(of record: JobRecord) -> Bool {
    let (wasWaiting, decided) = dependencyBook.withLock {
      ($0.remove(record.id), $0.ended(record.id, record.status))
    }
    settle(decided)
    return wasWaiting
  }

  private func settle(_ decided: [DependencyBook.Decided]) {
    guard !decided.isEmpty else { return }
    for each in decided where each.decision == .met {
      scheduler.tell(.released(each.job, .dependency))
    }
    scheduler.takeTurns()
    tell(decided)
  }

  /// Writes what was decided on a thread that may wait for the disk and for the store: one job may
  /// be waited for by many.
  private func tell(_ decided: [DependencyBook.Decided]) {
    let isTaken = compilePool.submit { [self] _ in
      for each in decided {
        writesUnderWay.wait { $0 < configuration.writesUnderWay ? () : nil }
        guard let job = try? activate(each.job) else { continue }
        switch each.decision {
        case .met: tellMet(job)
        case .failed(let id, let status): cancelDependent(job, id, status)
        }
      }
    }
    guard !isTaken, !isStopping else { return }
    scheduler.schedule(at: clock.now() + 100_000) { [weak self] in self?.tell(decided) }
  }

  private func tellMet(_ job: ActiveJob) {
    let (record, phase, withheld) = job.withLock { ($0.record, $0.phase, $0.withheld) }
    // One that runs by now has news of its own.
    guard phase == .queued, record.status == .queued else { return }
    var body = JobEventBody()
    body.details = ["message": "the jobs it waited for have ended"]
    var update = JobUpdate(
      jobID: job.id, attempt: record.attempt,
      events: [
        NewEvent(
          time: clock.now(), kind: .queueMoved, status: .queued, attempt: record.attempt,
          body: body)
      ])
    // Somebody else may keep it yet.
    if withheld.isEmpty, record.reason == JobReason.dependency { update.reason = "" }
    write(update, job)
  }

  private func cancelDependent(_ job: ActiveJob, _ id: Identifier, _ status: JobStatus) {
    guard claimEnd(job) else { return }
    scheduler.post(.canceled(job.id))
    let error = QubusError(
      .dependencyFailed, "job \(id), which had to succeed first, is \(status.word)",
      details: ["job_id": id.description, "status": status.word])
    write(
      .end(
        job.record, .canceled, reason: JobReason.dependencyFailed, error: error, at: clock.now()),
      job)
  }

  // MARK: Reads

  /// Why a job waits for others; of those that the caller may not see only the number is told.
  func dependencyConstraint(on record: JobRecord, _ context: CallContext) -> WaitConstraint? {
    let open = dependencyBook.withLock { $0.open(of: record.id) }
    guard !open.isEmpty else { return nil }
    var told: [String] = []
    for (id, mustSucceed) in open where told.count < 8 {
      guard let other = try? self.record(id, .readJobs, context) else { continue }
      told.append(
        "job \(id), which is \(other.status.word)" + (mustSucceed ? " and has to succeed" : ""))
    }
    let rest = open.count - told.count
    if rest > 0 { told.append("\(rest) \(told.isEmpty ? "" : "more ")job\(rest == 1 ? "" : "s")") }
    return WaitConstraint(
      kind: .dependency, since: record.phases.queuedAt ?? clock.now(),
      detail: "it starts after the end of \(told.joined(separator: "; "))",
      remedy: "the end of \(open.count == 1 ? "that job" : "those jobs")")
  }
}
