package import QubusCore
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

/// Waiting jobs that are not to start until somebody says so. The scheduler does not know of them;
/// the reason in the record keeps them paused over a restart, and their time to live goes on.
extension Engine {
  package func pause(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    if let job = table.job(id) { return pause(job, reason, context, completion) }
    withJobFromStore(id, completion) { [self] job in pause(job, reason, context, completion) }
  }

  private func pause(
    _ job: ActiveJob, _ reason: String, _ context: CallContext,
    _ completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    let now = clock.now()
    do throws(QubusError) {
      try check(job, reason, context)
      guard !job.record.isPaused else { return completion(.success(view(job.record))) }
      guard waitingApprovals.withLock({ $0[job.id] == nil }) else {
        throw QubusError(
          .illegalTransition, "job \(job.id) waits for an approval and does not start before it")
      }
      // From here on no thread begins it, whatever was decided.
      let isOurs = job.withLock { state -> Bool in
        guard state.phase == .queued, state.pausedAt == nil else { return false }
        state.pausedAt = now
        return true
      }
      guard isOurs else { throw Self.notWaiting(job.record) }
    } catch {
      return completion(.failure(error))
    }
    scheduler.post(.canceled(job.id))
    let update = change(job, JobReason.paused, reason, "PauseJob", context, now)
    write(update, job) { [self] result in
      switch result {
      case .success:
        expireLater(job.record)
        completion(.success(view(job.record)))
      case .failure(let error):
        letWaitSoon(job)
        completion(.failure(error))
      }
    }
  }

  package func resume(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    // What it is to the scheduler may have to be compiled again.
    withJobFromStore(id, completion) { [self] job in
      let entry: SchedulerJob
      do throws(QubusError) {
        try check(job, reason, context)
        let record = job.record
        guard record.isPaused, job.withLock({ $0.phase == .queued }) else {
          throw QubusError(
            .illegalTransition, "job \(id) is \(record.status.word) and not paused",
            details: ["status": record.status.word])
        }
        entry = try self.entry(job)
      } catch {
        return completion(.failure(error))
      }
      let update = change(job, "", reason, "ResumeJob", context, clock.now())
      write(update, job) { [self] result in
        if case .success = result { letWait(job, entry) }
        completion(result.map { _ in view(job.record) })
      }
    }
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

  /// A job that is not paused any more waits its turn.
  private func letWait(_ job: ActiveJob, _ entry: SchedulerJob) {
    let isWaiting = job.withLock { state -> Bool in
      state.pausedAt = nil
      return state.phase == .queued
    }
    if isWaiting { scheduler.post(.restored(entry)) }
  }

  /// The same for one whose pause was not stored; off the store's thread, as it may compile.
  private func letWaitSoon(_ job: ActiveJob) {
    let isTaken = compilePool.submit { [self] _ in
      // One that cannot be made ready ends when its turn comes, with the reason in it.
      let unknown = SchedulerJob(
        id: job.id, lane: .batch, cores: .all, memoryBytes: configuration.memoryBytes)
      letWait(job, (try? entry(job)) ?? unknown)
    }
    guard !isTaken, !isStopping else { return }
    scheduler.schedule(at: clock.now() + 100_000) { [self] in letWaitSoon(job) }
  }

  /// What the scheduler is to know of it. May compile.
  private func entry(_ job: ActiveJob) throws(QubusError) -> SchedulerJob {
    let (record, kept) = job.withLock { ($0.record, $0.prepared) }
    if let kept { return schedulerJob(record, kept) }
    return schedulerJob(record, try preparation.prepare(try spec(of: record)))
  }

  /// Its time to live and its deadline hold while a job is paused, too.
  func expireLater(_ record: JobRecord) {
    guard let lifetime = (try? spec(of: record))?.execution.lifetimeMicroseconds else { return }
    let id = record.id
    scheduler.schedule(at: (record.phases.acceptedAt ?? clock.now()) + lifetime) {
      [weak self] in
      if let self, !isStopping { expire(id) }
    }
  }
}
