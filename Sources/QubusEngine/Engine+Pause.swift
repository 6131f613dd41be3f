package import QubusCore
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

/// Waiting jobs that are not to start until somebody says so. The scheduler withholds them, and the
/// reason in the record keeps them paused over a restart.
extension Engine {
  package func pause(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    if let job = table.job(id) { return pause(job, reason, context, completion) }
    withJobFromStore(id, completion) { [self] job in pause(job, reason, context, completion) }
  }

  package func resume(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    if let job = table.job(id) { return resume(job, reason, context, completion) }
    withJobFromStore(id, completion) { [self] job in resume(job, reason, context, completion) }
  }

  private func pause(
    _ job: ActiveJob, _ reason: String, _ context: CallContext,
    _ completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    let (now, number): (Microseconds, UInt64)
    do throws(QubusError) {
      try check(job, reason, context)
      let record = job.record
      guard !record.isPaused else { return completion(.success(view(record))) }
      guard waitingApprovals.withLock({ $0[job.id] == nil }) else {
        throw QubusError(
          .illegalTransition, "job \(job.id) waits for an approval and does not start before it",
          details: ["status": record.status.word])
      }
      now = clock.now()
      guard let taken = withhold(job, since: now) else { throw Self.notWaiting(job.record) }
      number = taken
    } catch {
      return completion(.failure(error))
    }
    scheduler.takeTurns()
    write(change(job, JobReason.paused, reason, "PauseJob", context, now), job) {
      [self] result in
      if case .failure = result { release(job, number) }
      completion(result.map { _ in view(job.record) })
    }
  }

  private func resume(
    _ job: ActiveJob, _ reason: String, _ context: CallContext,
    _ completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    let number: UInt64
    do throws(QubusError) {
      try check(job, reason, context)
      let (record, phase, count) = job.withLock { ($0.record, $0.phase, $0.pauseCount) }
      guard record.isPaused, phase == .queued else {
        throw QubusError(
          .illegalTransition, "job \(job.id) is \(record.status.word) and not paused",
          details: ["status": record.status.word])
      }
      number = count
    } catch {
      return completion(.failure(error))
    }
    let left = dependencyBook.withLock { $0.isWaiting(job.id) } ? JobReason.dependency : ""
    write(change(job, left, reason, "ResumeJob", context, clock.now()), job) { [self] result in
      if case .success = result { release(job, number) }
      completion(result.map { _ in view(job.record) })
    }
  }

  /// From here on no thread begins it, whatever was decided; nil when it does not wait.
  private func withhold(_ job: ActiveJob, since: Microseconds) -> UInt64? {
    job.withLock { state -> UInt64? in
      guard state.phase == .queued, state.record.status == .queued else { return nil }
      state.isPaused = true
      state.pauseCount += 1
      scheduler.tell(.withheld(job.id, .paused, since: since))
      return state.pauseCount
    }
  }

  /// Lets a job wait its turn again, unless it was paused once more meanwhile.
  private func release(_ job: ActiveJob, _ number: UInt64) {
    job.withLock { state in
      guard state.pauseCount == number else { return }
      state.isPaused = false
      scheduler.tell(.released(job.id, .paused))
    }
    scheduler.takeTurns()
  }

  /// When a job of an earlier life of the service was paused.
  func pausedSince(_ record: JobRecord) -> Microseconds {
    let last = record.lastSequence
    let events = try? store.events(record.id, after: last - min(last, 16), limit: 16)
    let paused = events?.last { $0.kind == .queueMoved && $0.reason == JobReason.paused }
    return paused?.time ?? record.phases.queuedAt ?? clock.now()
  }

  /// Whoever may cancel a job may pause it.
  private func check(
    _ job: ActiveJob, _ reason: String, _ context: CallContext
  ) throws(QubusError) {
    try context.check(.cancelJobs, job.record, now: clock.now())
    guard reason.utf8.count <= TenancyLimits.reasonBytes else {
      throw .field(
        .invalidRequest, "reason", "has \(reason.utf8.count) bytes",
        limit: "\(TenancyLimits.reasonBytes)")
    }
  }

  private static func notWaiting(_ record: JobRecord) -> QubusError {
    record.status.isTerminal
      ? QubusError(.jobAlreadyFinished, "job \(record.id) is \(record.status.word)")
      : QubusError(
        .illegalTransition, "job \(record.id) runs, or is about to: it cannot be paused",
        details: ["status": record.status.word])
  }

  private func change(
    _ job: ActiveJob, _ jobReason: String, _ reason: String, _ method: String,
    _ context: CallContext, _ now: Microseconds
  ) -> JobUpdate {
    let record = job.record
    var body = JobEventBody()
    if !reason.isEmpty { body.details = ["message": reason] }
    var update = JobUpdate(
      jobID: job.id, attempt: record.attempt,
      events: [
        NewEvent(
          time: now, kind: .queueMoved, status: .queued, reason: jobReason,
          attempt: record.attempt, body: body)
      ])
    update.reason = jobReason
    update.audit = [
      context.entry(
        method, .cancelJobs, "job \(job.id)", of: record.principal, reason: reason, at: now)
    ]
    return update
  }
}
