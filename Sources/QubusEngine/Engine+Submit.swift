internal import Logging
internal import QubusCircuit
internal import QubusCompiler
package import QubusCore
internal import QubusDevices
package import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

extension Engine {
  typealias SubmitCompletion = @Sendable (Result<SubmitReport, QubusError>) -> Void

  /// A request on its way to becoming a job.
  struct Submission: Sendable {
    var spec: JobSpec
    var request: [UInt8]
    var context: CallContext
    var replayOf: Identifier?
    /// The ended job whose request it is.
    var resubmitOf: Identifier?
    var batch: Identifier?
    /// Taken from the allowance of the caller's token.
    var shotsTaken: UInt64 = 0
    /// Gives back what is held for it, if anything is.
    var release: (@Sendable () -> Void)?
    /// Taken from the quotas of the caller, its project and its tenant.
    var quota: QuotaTicket?
    /// Why the job waits for an approval; empty: it does not.
    var approvalCauses: [String] = []
    /// Other jobs have to end first.
    var isDependent = false
    var completion: SubmitCompletion
  }

  package func expectSubmit() { store.expectCommand() }

  package func submit(
    _ spec: JobSpec, request: [UInt8], batch: Identifier?, context: CallContext,
    completion: @escaping @Sendable (Result<SubmitReport, QubusError>) -> Void
  ) {
    submit(
      Submission(
        spec: spec, request: request, context: context, batch: batch, completion: completion))
  }

  func submit(_ submission: Submission) {
    guard !isStopping else { return submission.completion(.failure(.shuttingDown)) }
    // Before anything is compiled for a caller who may not submit at all.
    do throws(QubusError) {
      try submission.context.check(.submitJobs, now: clock.now())
    } catch {
      return submission.completion(.failure(error))
    }
    if isQuick(submission.spec) { return accept(submission, mayRunAtOnce: true) }
    let isTaken = compilePool.submit { [self] _ in accept(submission, mayRunAtOnce: false) }
    if !isTaken { submission.completion(.failure(isStopping ? .shuttingDown : .compileQueueFull)) }
  }

  package func plan(
    _ spec: JobSpec, context: CallContext,
    completion: @escaping @Sendable (Result<PlanReport, QubusError>) -> Void
  ) {
    do throws(QubusError) {
      try context.check(.readJobs, now: clock.now())
    } catch {
      return completion(.failure(error))
    }
    // A forecast behind waiting jobs takes milliseconds.
    let isAlone = scheduler.withScheduler { $0.queuedCount == 0 }
    if isAlone, isQuick(spec) { return completion(plan(spec, context)) }
    let isTaken = compilePool.submit { [self] _ in
      completion(isStopping ? .failure(.shuttingDown) : plan(spec, context))
    }
    if !isTaken { completion(.failure(isStopping ? .shuttingDown : .compileQueueFull)) }
  }

  /// Whether preparing takes microseconds: small, and every program already compiled. The caller's
  /// thread may be the transport's, so that anything else goes to a compile thread.
  private func isQuick(_ spec: JobSpec) -> Bool {
    // The store has to be asked for the jobs that are named.
    guard spec.pubs.count <= 4, !spec.hasDependencies else { return false }
    // Whether a deadline can be kept is a forecast.
    guard spec.execution.deadlineSeconds == nil else { return false }
    for pub in spec.pubs {
      let values = pub.parameters.reduce(0) { $0 + $1.values.count }
      let terms = pub.observables.reduce(0) { $0 + $1.terms.count }
      guard pub.program.count <= 16 << 10, values + terms <= 1024,
        let program = programs.cached(pub.program), program.circuit.operations.count <= 4096
      else { return false }
    }
    return true
  }

  private func accept(_ submission: Submission, mayRunAtOnce: Bool) {
    // What still waits for a compile thread when the service stops is not compiled any more.
    guard !isStopping else { return submission.completion(.failure(.shuttingDown)) }
    do throws(QubusError) {
      let acceptedAt = clock.now()
      let prepared = try preparation.prepare(
        submission.spec, for: submission.context.principal)
      let now = clock.now()
      try submission.context.check(.submitJobs, device: prepared.device.name, now: now)
      var submission = submission
      submission.approvalCauses = approvalCauses(submission.spec, prepared, submission.context)
      try submission.takeShots(prepared.shotsTotal)
      var record = record(submission, prepared, acceptedAt: acceptedAt, compiledAt: now)
      do throws(QubusError) {
        submission.isDependent = try expectDependencies(
          record.id, submission.spec, submission.context)
        try reserve(for: prepared, &record, &submission)
        try admit(submission, prepared, now: now)
      } catch {
        forgetDependent(record.id)
        submission.giveBack()
        throw error
      }
      if submission.isDependent, record.reason.isEmpty { record.reason = JobReason.dependency }
      if let notice = deadlineNotice(record, prepared) { record.notices.append(notice) }
      let events = acceptEvents(record, submission)
      if mayRunAtOnce, submission.approvalCauses.isEmpty,
        runAtOnce(record, prepared, events, submission)
      {
        return
      }
      let (id, taken) = (record.id, submission)
      store.perform(
        .accept(record, events, audit: submission.entry(record)) { [self] result in
          accepted(result, id, prepared, taken)
        })
    } catch {
      submission.completion(.failure(error))
    }
  }

  /// Takes what the job counts for, money and quotas, before it is accepted.
  /// - Throws: `cost_limit_exceeded`, `budget_exceeded`, `insufficient_credit`, `quota_exceeded`.
  ///   With a key the store has to be asked first: the job may be there already, and counted.
  private func reserve(
    for prepared: PreparedJob, _ record: inout JobRecord, _ submission: inout Submission
  ) throws(QubusError) {
    do throws(QubusError) {
      try holdCost(of: prepared, for: &record, &submission)
      submission.quota = try quotas.admit(
        record.id,
        JobDemand(
          shots: prepared.shotsTotal, memoryBytes: prepared.memoryBytes,
          deviceFamily: Resource.family(ofDevice: record.device)),
        of: record.principal)
    } catch {
      guard !record.idempotencyKey.isEmpty else { throw error }
      record.costAcceptance = .refused(error)
    }
  }

  private func record(
    _ submission: Submission, _ prepared: PreparedJob, acceptedAt: Microseconds,
    compiledAt: Microseconds
  ) -> JobRecord {
    let spec = submission.spec
    var record = JobRecord(
      id: identifiers.next(), principal: submission.context.principal,
      request: submission.request)
    record.clientJobID = spec.clientJobID
    record.idempotencyKey = spec.idempotencyKey
    record.fingerprint = prepared.fingerprint
    record.fingerprintVersion = Versions.fingerprint
    record.status = .queued
    record.lane = prepared.lane.rawValue
    record.device = prepared.device.name
    record.name = spec.experiment.name
    record.tags = spec.experiment.tags
    // Drawn after fingerprinting, so that a submit sent again matches the first.
    record.seed = spec.execution.seed ?? identifiers.randomSeed()
    record.phases.acceptedAt = acceptedAt
    record.phases.compiledAt = compiledAt
    record.phases.queuedAt = compiledAt
    record.shotsTotal = prepared.shotsTotal
    record.traceID = submission.context.traceID
    record.clientVersion = submission.context.clientVersion
    record.notices = prepared.notices
    record.replayOf = submission.replayOf
    record.resubmitOf = submission.resubmitOf
    record.batch = submission.batch
    if !submission.approvalCauses.isEmpty { record.reason = JobReason.approval }
    return record
  }

  private func acceptEvents(_ record: JobRecord, _ submission: Submission) -> [NewEvent] {
    let time = record.phases.queuedAt ?? 0
    var events = [JobStatus.accepted, .queued].map {
      NewEvent(time: time, kind: .statusChanged, status: $0, attempt: record.attempt)
    }
    events[1].reason = record.reason
    if !submission.approvalCauses.isEmpty {
      events[1].body.details["message"] = submission.approvalCauses.joined(separator: "; ")
    }
    if let original = submission.resubmitOf {
      events[1].body.details["resubmit_of"] = original.description
    }
    let spec = submission.spec
    if spec.hasDependencies {
      events[1].body.details["after"] = spec.after.text
      events[1].body.details["after_ok"] = spec.afterOK.text
    }
    for notice in record.notices {
      var body = JobEventBody()
      body.details = ["message": notice]
      events.append(
        NewEvent(
          time: time, kind: .notice, status: .queued, attempt: record.attempt, body: body))
    }
    return events
  }

  /// After the commit, on the store's thread.
  private func accepted(
    _ result: Result<AcceptOutcome, QubusError>, _ id: Identifier, _ prepared: PreparedJob,
    _ submission: Submission
  ) {
    let isScheduled = submission.approvalCauses.isEmpty
    settle(
      result, submission,
      withoutJob: {
        if submission.isDependent { forgetDependent(id) }
        if isScheduled { scheduler.post(.withdrawn(prepared.lane)) }
      }
    ) { record, events in
      _ = table.keep(ActiveJob(record, prepared: prepared, events: events))
      if submission.isDependent { withholdDependent(record) }
      defer { if submission.isDependent { keepDependent(id) } }
      guard isScheduled else {
        return awaitApproval(record, submission.spec, submission.approvalCauses)
      }
      scheduler.post(.queued(waitingJob(record, prepared)))
      logger(record).debug(
        "job accepted", metadata: ["lane": "\(record.lane)", "device": "\(record.device)"])
    }
  }

  /// Answers a submit by what the store made of its acceptance.
  /// - Parameters:
  ///   - withoutJob: called first when the submit made no job: refused, or known already.
  ///   - accepted: called first when it did.
  func settle(
    _ result: Result<AcceptOutcome, QubusError>, _ submission: Submission, withoutJob: () -> Void,
    accepted: (JobRecord, [JobEvent]) -> Void
  ) {
    switch result {
    case .failure(let error):
      withoutJob()
      submission.giveBack()
      submission.completion(.failure(error))
    case .success(.duplicate(let record)):
      withoutJob()
      submission.giveBack()
      // The store's copy may lag behind what is being written for an active job, never ahead.
      let record = table.job(record.id)?.record ?? record
      submission.completion(.success(SubmitReport(job: view(record), isDuplicate: true)))
    case .success(.accepted(let record, let events)):
      #if QUBUS_FAULT_INJECTION
        FaultPoint.acceptedCommitted.reached()
      #endif
      submission.keepShots()
      accepted(record, events)
      submission.completion(
        .success(SubmitReport(job: JobView(record: record), isDuplicate: false)))
    }
  }

  func schedulerJob(_ record: JobRecord, _ prepared: PreparedJob) -> SchedulerJob {
    let execution = prepared.spec.execution
    let start = record.phases.acceptedAt ?? clock.now()
    let runLimit = execution.maxRunSeconds ?? configuration.maxRunSeconds
    return SchedulerJob(
      id: record.id, tenant: record.principal.tenant, project: record.principal.project,
      principal: record.principal.name, lane: prepared.lane, cores: prepared.cores,
      memoryBytes: prepared.memoryBytes,
      predictedMicroseconds: Microseconds(min(prepared.estimatedSeconds, 1e9) * 1e6),
      deadline: execution.deadlineSeconds.map { start + Microseconds($0 * 1e6) },
      expiresAt: execution.lifetimeMicroseconds.map { start + $0 },
      runLimitMicroseconds: runLimit.map { Microseconds($0 * 1e6) },
      device: deviceNumbers[prepared.device.name] ?? 0,
      priority: Int8(clamping: record.priority))
  }

  /// How the pub's first row would be evolved.
  private func execution(_ pub: PreparedPub, _ job: PreparedJob) throws(QubusError)
    -> ExecutionPlan?
  {
    guard pub.rows > 0 else { return nil }
    let observables = pub.observablesByRow()[0].map(\.observable)
    return try job.device.describe(
      pub.program, inputs: try RowInputs(pub).values(row: 0), precision: job.precision,
      outputs: pub.exactOutputs(observables))
  }

  private func plan(_ spec: JobSpec, _ context: CallContext) -> Result<PlanReport, QubusError> {
    do throws(QubusError) {
      let job = try preparation.prepare(spec, for: context.principal)
      try context.check(.readJobs, device: job.device.name, now: clock.now())
      _ = try dependencies(of: spec, context)
      var pubs: [PlanPubReport] = []
      for (index, pub) in job.pubs.enumerated() {
        let report = PlanPubReport(
          qubitCount: UInt32(pub.program.circuit.qubitCount),
          bitCount: UInt32(pub.program.circuit.bitCount),
          operationCount: UInt64(pub.program.circuit.operations.count), rows: UInt64(pub.rows),
          memoryBytes: preparation.memoryBytes(pub, job.device),
          estimatedSeconds: pub.estimatedSeconds,
          isPerShot: pub.estimate.isPerShot, shotsPerChunk: pub.estimate.shotsPerChunk,
          notices: job.notices.filter { $0.hasPrefix("pubs[\(index)]") },
          execution: try execution(pub, job))
        pubs.append(report)
      }
      let ahead = scheduler.withScheduler { scheduler in
        Lane.allCases.filter { job.lane == .batch || $0 == .interactive }
          .reduce(0) { $0 + scheduler.queuedCount(in: $1) }
      }
      var report = PlanReport(
        device: job.device.name, lane: job.lane.rawValue, pubs: pubs,
        memoryBytes: job.memoryBytes, memoryLimitBytes: configuration.memoryBytes,
        estimatedSeconds: job.estimatedSeconds, fingerprint: job.fingerprint,
        jobsAhead: UInt64(ahead), cost: cost(of: job))
      report.quotas = limits(of: context.principal, on: job.device.name)
      report.approvalCauses = approvalCauses(spec, job, context)
      if report.approvalCauses.isEmpty, !spec.hasDependencies {
        report.forecast = forecast(ofPlanned: job, of: context.principal)
      }
      return .success(report)
    } catch {
      return .failure(error)
    }
  }
}

extension Engine.Submission {
  /// The evidence of the submit; the store makes it that of a duplicate.
  func entry(_ record: JobRecord) -> AuditEntry {
    context.entry(
      replayOf != nil ? "ReplayJob" : resubmitOf != nil ? "ResubmitJob" : "Submit", .submitJobs,
      "job \(record.id)" + (replayOf.map { " (replay of \($0))" } ?? "")
        + (resubmitOf.map { " (again \($0))" } ?? "") + (isDependent ? " (after others)" : ""),
      of: record.principal,
      device: record.device, at: record.phases.acceptedAt ?? 0)
  }

  /// - Throws: `token_expired` when the caller's token has fewer shots left.
  mutating func takeShots(_ shots: UInt64) throws(QubusError) {
    guard let allowance = context.identity.allowance else { return }
    try allowance.take(shots)
    shotsTaken = shots
  }

  /// The job came to be.
  func keepShots() { context.identity.allowance?.keep(shotsTaken) }

  /// It did not, or was there before.
  func giveBack() {
    context.identity.allowance?.giveBack(shotsTaken)
    release?()
    quota?.giveBack()
  }
}

extension [Identifier] {
  /// As one text; nil for none.
  fileprivate var text: String? { isEmpty ? nil : map(\.description).joined(separator: ",") }
}

extension ExecutionSpec {
  /// Time from acceptance after which the job leaves, whether it waits or runs.
  var lifetimeMicroseconds: Microseconds? {
    [ttlSeconds, deadlineSeconds].compactMap { $0 }.min().map { Microseconds($0 * 1e6) }
  }

  /// Which of the two that is.
  var expiryReason: String {
    (deadlineSeconds ?? .infinity) < (ttlSeconds ?? .infinity)
      ? JobReason.deadline : JobReason.timeToLive
  }
}

extension QubusError {
  static let shuttingDown = QubusError(
    .serverShuttingDown, "the service is stopping and takes no new work",
    retryAfterMilliseconds: 5000)
  static let compileQueueFull = QubusError(
    .serverOverloaded, "too many programs wait to be compiled", retryAfterMilliseconds: 1000)
  static func jobNotFound(_ id: Identifier) -> QubusError {
    QubusError(.jobNotFound, "no job \(id) is visible to you")
  }
}
