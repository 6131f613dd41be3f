package import QubusCore
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

/// Waiting jobs that are not to start until somebody says so: paused by whoever may cancel them, or
/// held by an operator. The scheduler withholds them, and the record keeps it over a restart.
extension Engine {
  /// One way to keep a job from its start.
  private struct Way {
    let bit: Withholding
    let cause: WithholdCause
    let action: Action
    /// What a job then is.
    let word: String
    let begin: String
    let end: String
    /// Whether a job that waits for an approval can be kept this way.
    let isForUnapproved: Bool
  }
  private static let pausing = Way(
    bit: .paused, cause: .paused, action: .cancelJobs, word: "paused", begin: "PauseJob",
    end: "ResumeJob", isForUnapproved: false)
  private static let holding = Way(
    bit: .held, cause: .held, action: .holdJobs, word: "held", begin: "HoldJob",
    end: "ReleaseJob", isForUnapproved: true)

  package func pause(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    withJob(id, completion) { [self] in keep($0, Self.pausing, reason, context, completion) }
  }

  package func resume(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    withJob(id, completion) { [self] in letGo($0, Self.pausing, reason, context, completion) }
  }

  package func hold(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    withJob(id, completion) { [self] in keep($0, Self.holding, reason, context, completion) }
  }

  package func release(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    withJob(id, completion) { [self] in letGo($0, Self.holding, reason, context, completion) }
  }

  private func withJob(
    _ id: Identifier, _ completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void,
    _ body: @escaping @Sendable (ActiveJob) -> Void
  ) {
    if let job = table.job(id) { return body(job) }
    withJobFromStore(id, completion, body)
  }

  private func keep(
    _ job: ActiveJob, _ way: Way, _ reason: String, _ context: CallContext,
    _ completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    let (now, number): (Microseconds, UInt64)
    do throws(QubusError) {
      try check(job, way, reason, context)
      let record = job.record
      guard !record.isWithheld(by: way.bit) else { return completion(.success(view(record))) }
      guard way.isForUnapproved || waitingApprovals.withLock({ $0[job.id] == nil }) else {
        throw QubusError(
          .illegalTransition, "job \(job.id) waits for an approval and does not start before it",
          details: ["status": record.status.word])
      }
      now = clock.now()
      guard let taken = withhold(job, way, since: now) else {
        throw Self.notWaiting(job.record, way)
      }
      number = taken
    } catch {
      return completion(.failure(error))
    }
    scheduler.takeTurns()
    var update = change(job, way.begin, way, reason, context, now)
    update.events[0].reason = way.bit.reason
    update.withholding = WithholdingChange(adds: way.bit)
    write(update, job) { [self] result in
      if case .failure = result { letGo(job, way, number) }
      completion(result.map { _ in view(job.record) })
    }
  }

  private func letGo(
    _ job: ActiveJob, _ way: Way, _ reason: String, _ context: CallContext,
    _ completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    let number: UInt64
    do throws(QubusError) {
      try check(job, way, reason, context)
      let (record, phase, count) = job.withLock {
        ($0.record, $0.phase, $0.withholdCounts[way.bit, default: 0])
      }
      guard record.isWithheld(by: way.bit), phase == .queued else {
        let other = record.isWithheld(by: .held) ? "; an operator holds it" : ""
        throw QubusError(
          .illegalTransition, "job \(job.id) is \(record.status.word) and not \(way.word)\(other)",
          details: ["status": record.status.word])
      }
      number = count
    } catch {
      return completion(.failure(error))
    }
    var update = change(job, way.end, way, reason, context, clock.now(), without: way.bit)
    update.withholding = WithholdingChange(removes: way.bit)
    write(update, job) { [self] result in
      if case .success = result { letGo(job, way, number) }
      completion(result.map { _ in view(job.record) })
    }
  }

  /// From here on no thread begins it, whatever was decided; nil when it does not wait.
  private func withhold(_ job: ActiveJob, _ way: Way, since: Microseconds) -> UInt64? {
    job.withLock { state -> UInt64? in
      guard state.phase == .queued, state.record.status == .queued else { return nil }
      state.withheld.insert(way.bit)
      state.withholdCounts[way.bit, default: 0] += 1
      scheduler.tell(.withheld(job.id, way.cause, since: since))
      return state.withholdCounts[way.bit]
    }
  }

  /// Lets a job wait its turn again as far as this kept it, unless it was kept once more meanwhile.
  private func letGo(_ job: ActiveJob, _ way: Way, _ number: UInt64) {
    job.withLock { state in
      guard state.withholdCounts[way.bit, default: 0] == number else { return }
      state.withheld.remove(way.bit)
      scheduler.tell(.released(job.id, way.cause))
    }
    scheduler.takeTurns()
  }

  /// What keeps a waiting job from its start until somebody or something ends it, the strongest
  /// first; empty for one that waits its turn.
  /// - Parameter bit: that is about to go.
  func reasonToWait(_ job: ActiveJob, without bit: Withholding = []) -> String {
    let reason = job.withLock { $0.withheld }.subtracting(bit).reason
    guard reason.isEmpty else { return reason }
    return dependencyBook.withLock { $0.isWaiting(job.id) } ? JobReason.dependency : ""
  }

  /// Tells the scheduler what kept a job in an earlier life of the service.
  func restoreWithholding(of record: JobRecord) {
    for way in [Self.pausing, Self.holding] where record.isWithheld(by: way.bit) {
      scheduler.post(.withheld(record.id, way.cause, since: since(way, record)))
    }
  }

  private func since(_ way: Way, _ record: JobRecord) -> Microseconds {
    let last = record.lastSequence
    let events = try? store.events(record.id, after: last - min(last, 64), limit: 64)
    let begin = events?.last { $0.kind == .queueMoved && $0.reason == way.bit.reason }
    return begin?.time ?? record.phases.queuedAt ?? clock.now()
  }

  private func check(
    _ job: ActiveJob, _ way: Way, _ reason: String, _ context: CallContext
  ) throws(QubusError) {
    try context.check(way.action, job.record, now: clock.now())
    guard reason.utf8.count <= TenancyLimits.reasonBytes else {
      throw .field(
        .invalidRequest, "reason", "has \(reason.utf8.count) bytes",
        limit: "\(TenancyLimits.reasonBytes)")
    }
  }

  private static func notWaiting(_ record: JobRecord, _ way: Way) -> QubusError {
    record.status.isTerminal
      ? QubusError(.jobAlreadyFinished, "job \(record.id) is \(record.status.word)")
      : QubusError(
        .illegalTransition, "job \(record.id) runs, or is about to: it cannot be \(way.word)",
        details: ["status": record.status.word])
  }

  private func change(
    _ job: ActiveJob, _ method: String, _ way: Way, _ reason: String, _ context: CallContext,
    _ now: Microseconds, without bit: Withholding = []
  ) -> JobUpdate {
    let record = job.record
    var body = JobEventBody()
    if !reason.isEmpty { body.details = ["message": reason] }
    var update = JobUpdate(
      jobID: job.id, attempt: record.attempt,
      events: [
        NewEvent(
          time: now, kind: .queueMoved, status: .queued, attempt: record.attempt, body: body)
      ])
    // What waits for an approval is known by its reason.
    if record.reason != JobReason.approval { update.reason = reasonToWait(job, without: bit) }
    update.audit = [
      context.entry(
        method, way.action, "job \(job.id)", of: record.principal, reason: reason, at: now)
    ]
    return update
  }
}
