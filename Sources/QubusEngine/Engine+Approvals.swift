internal import Logging
package import QubusCore
internal import QubusDevices
internal import QubusJobs
internal import QubusScheduler
package import QubusTenancy

/// Jobs that wait for somebody's word. The scheduler hears of one when it was approved; whoever
/// takes it out of `waitingApprovals` decides over it, once.
extension Engine {
  // MARK: Beginning to wait

  /// Why the policy in force wants a job to be approved; empty: it does not.
  func approvalCauses(
    _ spec: JobSpec, _ prepared: PreparedJob, _ context: CallContext
  ) -> [String] {
    approvalCauses(spec, prepared, of: context.principal)
  }

  func approvalCauses(
    _ spec: JobSpec, _ prepared: PreparedJob, of principal: Principal
  ) -> [String] {
    let device = prepared.device.name
    return approvalPolicies.policy(
      for: principal, experimentClass: spec.experiment.experimentClass
    )?.causes(
      spec, shots: prepared.shotsTotal, device: device, isFree: ledger?.price(of: device) == nil)
      ?? []
  }

  /// Keeps a job that is durable until somebody decides over it or its time is over.
  func awaitApproval(_ record: JobRecord, _ spec: JobSpec, _ causes: [String]) {
    let since = record.phases.queuedAt ?? record.phases.acceptedAt ?? clock.now()
    let start = record.phases.acceptedAt ?? since
    let waiting = WaitingApproval(
      principal: record.principal, device: record.device,
      experimentClass: spec.experiment.experimentClass, causes: causes, since: since,
      jobExpiresAt: spec.execution.lifetimeMicroseconds.map { start + $0 })
    waitingApprovals.signal { $0[record.id] = waiting }
    scheduleExpiry(record.id, waiting)
  }

  /// One of an earlier life of the service; the causes are those of today's policy.
  func restoreApproval(_ record: JobRecord, _ spec: JobSpec, _ prepared: PreparedJob) {
    let causes = approvalCauses(spec, prepared, of: record.principal)
    awaitApproval(
      record, spec, causes.isEmpty ? ["the policy at the time of its submit"] : causes)
  }

  /// By the policy of now: a longer or shorter time holds for those that wait already.
  func expiry(_ waiting: WaitingApproval) -> Microseconds {
    let policy = approvalPolicies.policy(
      for: waiting.principal, experimentClass: waiting.experimentClass)
    let seconds = policy?.expirySeconds ?? ApprovalPolicy.usualExpirySeconds
    return min(waiting.since + seconds * 1_000_000, waiting.jobExpiresAt ?? .max)
  }

  // MARK: The end of waiting

  private func scheduleExpiry(_ id: Identifier, _ waiting: WaitingApproval) {
    scheduler.schedule(at: expiry(waiting)) { [weak self] in self?.expireApproval(id) }
  }

  /// On the scheduler's thread.
  private func expireApproval(_ id: Identifier) {
    guard !isStopping, let waiting = waitingApprovals.withLock({ $0[id] }) else { return }
    guard expiry(waiting) <= clock.now() else { return scheduleExpiry(id, waiting) }
    guard takeApproval(id) != nil else { return }
    if let job = table.job(id) { return expireApproval(job, waiting) }
    let isTaken = compilePool.submit { [self] _ in
      if let job = try? activate(id) { return expireApproval(job, waiting) }
      putBack(id, waiting)
    }
    if !isTaken { putBack(id, waiting) }
  }

  private func putBack(_ id: Identifier, _ waiting: WaitingApproval) {
    waitingApprovals.signal { $0[id] = waiting }
    scheduler.schedule(at: clock.now() + 1_000_000) { [weak self] in self?.expireApproval(id) }
  }

  private func expireApproval(_ job: ActiveJob, _ waiting: WaitingApproval) {
    if let own = waiting.jobExpiresAt, own <= clock.now() { return expire(job) }
    guard claimEnd(job) else { return }
    let error = QubusError(
      .approvalExpired,
      "nobody decided over the job in time: \(waiting.causes.joined(separator: "; "))")
    write(
      .end(job.record, .expired, reason: JobReason.approval, error: error, at: clock.now()), job)
  }

  /// Whoever gets it decides.
  private func takeApproval(_ id: Identifier) -> WaitingApproval? {
    waitingApprovals.withLock { $0.removeValue(forKey: id) }
  }

  /// The job ended otherwise.
  func forgetApproval(_ id: Identifier) {
    waitingApprovals.withLock { waiting in
      if !waiting.isEmpty { waiting[id] = nil }
    }
  }

  /// Whether the end of a waiting job is the caller's to write.
  func claimEnd(_ job: ActiveJob) -> Bool {
    job.withLock { state -> Bool in
      guard state.phase == .queued else { return false }
      state.phase = .finishing
      return true
    }
  }

  // MARK: Decisions

  package func decide(
    _ id: Identifier, _ action: ApprovalAction, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    // It may have to be read from the disk and compiled for its device.
    let isTaken = compilePool.submit { [self] _ in
      do throws(QubusError) {
        try decide(try activate(id), action, reason, context, completion)
      } catch {
        completion(.failure(error))
      }
    }
    if !isTaken { completion(.failure(isStopping ? .shuttingDown : .compileQueueFull)) }
  }

  private func decide(
    _ job: ActiveJob, _ action: ApprovalAction, _ reason: String, _ context: CallContext,
    _ completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) throws(QubusError) {
    let record = job.record
    try checkApprover(of: record, on: record.device, context)
    guard record.principal != context.principal else {
      throw QubusError(
        .permissionDenied, "nobody decides over a job of their own",
        details: ["action": Action.approveJobs.rawValue, "scope": record.principal.resource.text])
    }
    guard reason.utf8.count <= TenancyLimits.reasonBytes else {
      throw .field(
        .invalidRequest, "reason", "has \(reason.utf8.count) bytes",
        limit: "\(TenancyLimits.reasonBytes)")
    }
    if action == .refuse, reason.isEmpty {
      throw .field(.missingField, "reason", "is required: the submitter reads it")
    }
    let prepared = try prepared(record, for: action)
    if let prepared { try checkApprover(of: record, on: prepared.device.name, context) }
    guard let waiting = takeApproval(record.id) else { throw Self.notPending(record) }
    let decision = Decision(action: action, reason: reason, context: context, waiting: waiting)
    guard let prepared else { return try refuse(job, decision, completion) }
    try approve(job, prepared, decision, completion)
  }

  private struct Decision: Sendable {
    let action: ApprovalAction
    let reason: String
    let context: CallContext
    let waiting: WaitingApproval
  }

  private func checkApprover(
    of record: JobRecord, on device: String, _ context: CallContext
  ) throws(QubusError) {
    var resource = record.principal.resource
    resource.deviceFamily = device.isEmpty ? nil : Resource.family(ofDevice: device)
    try context.identity.check(
      .approveJobs, on: resource, now: clock.now(), hidden: .jobNotFound(record.id))
  }

  /// The job on the device that it is to run on; nil for one that is not to run.
  private func prepared(
    _ record: JobRecord, for action: ApprovalAction
  ) throws(QubusError) -> PreparedJob? {
    var spec = try spec(of: record)
    switch action {
    case .refuse: return nil
    case .approve: return try preparation.prepare(spec)
    case .changeDevice(let name):
      spec.execution.device = name
      return try preparation.prepare(spec, for: record.principal)
    }
  }

  private func approve(
    _ job: ActiveJob, _ prepared: PreparedJob, _ decision: Decision,
    _ completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) throws(QubusError) {
    let record = job.withLock { state -> JobRecord? in
      guard state.phase == .queued else { return nil }
      state.prepared = prepared
      return state.record
    }
    guard let record else { throw Self.notPending(job.record) }
    var update = JobUpdate(
      jobID: job.id, attempt: record.attempt,
      events: [event(decision, record, prepared.device.name)]
    )
    update.reason = reasonToWait(job)
    update.device = prepared.device.name
    update.audit = [entry(decision, record, prepared.device.name)]
    write(update, job) { [self] result in
      switch result {
      case .failure(let error):
        if job.record.status == .queued { putBack(job.id, decision.waiting) }
        completion(.failure(error))
      case .success:
        scheduler.post(.restored(waitingJob(job.record, prepared)))
        completion(.success(view(job.record)))
      }
    }
  }

  private func refuse(
    _ job: ActiveJob, _ decision: Decision,
    _ completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) throws(QubusError) {
    guard claimEnd(job) else { throw Self.notPending(job.record) }
    let record = job.record
    let error = QubusError(
      .approvalRefused, "\(decision.context.principal.text) refused the job: \(decision.reason)")
    var update = JobUpdate.end(
      record, .canceled, reason: JobReason.approvalRefused, error: error, at: clock.now())
    update.events[0].body.details["message"] = decision.reason
    update.events.insert(event(decision, record, record.device), at: 0)
    update.audit = [entry(decision, record, record.device)]
    write(update, job) { [self] result in
      completion(result.map { _ in view(job.record) })
    }
  }

  private func event(_ decision: Decision, _ record: JobRecord, _ device: String) -> NewEvent {
    var body = JobEventBody()
    body.device = device
    body.details = [
      "decision": decision.action.word, "by": decision.context.principal.text,
      "message": decision.reason,
    ]
    return NewEvent(
      time: clock.now(), kind: .approvalDecided, status: .queued, attempt: record.attempt,
      body: body)
  }

  private func entry(
    _ decision: Decision, _ record: JobRecord, _ device: String
  ) -> AuditEntry {
    decision.context.entry(
      "ApproveJob", .approveJobs,
      "job \(record.id): \(decision.action.word)"
        + (device == record.device ? "" : " from \(record.device) to \(device)"),
      of: record.principal, device: device, reason: decision.reason, at: clock.now())
  }

  private static func notPending(_ record: JobRecord) -> QubusError {
    QubusError(
      .approvalNotPending,
      "job \(record.id) is \(record.status.word) and waits for no approval",
      details: ["status": record.status.word])
  }

  // MARK: Reads

  package func approvals(
    _ filter: ApprovalFilter, context: CallContext
  ) throws(QubusError) -> (waiting: [PendingApproval], policies: [ApprovalPolicy]) {
    let now = clock.now()
    try context.identity.checkAnywhere(.approveJobs, now: now)
    let all = waitingApprovals.withLock { $0 }
    let seen = all.filter { id, waiting in
      if let after = filter.after, id <= after { return false }
      return filter.covers(waiting.principal.tenant, waiting.principal.project)
        && mayApprove(waiting.principal.resource, waiting.device, context, now)
    }.sorted { $0.key < $1.key }.prefix(max(0, filter.limit))
    var pending: [PendingApproval] = []
    for (id, waiting) in seen {
      var found = table.job(id)?.record
      if found == nil { found = try store.job(id) }
      guard let record = found else { continue }
      pending.append(
        PendingApproval(
          job: view(record), experimentClass: waiting.experimentClass, causes: waiting.causes,
          expiresAt: expiry(waiting)))
    }
    let policies = approvalPolicies.all.filter { policy in
      guard filter.covers(policy.key.tenant, policy.key.project) else { return false }
      let place = Resource(tenant: policy.key.tenant, project: policy.key.project ?? "")
      return policy.key.tenant == context.principal.tenant || mayApprove(place, "", context, now)
    }
    return (pending, filter.after == nil ? policies : [])
  }

  private func mayApprove(
    _ place: Resource, _ device: String, _ context: CallContext, _ now: Microseconds
  ) -> Bool {
    var resource = place
    resource.deviceFamily = device.isEmpty ? nil : Resource.family(ofDevice: device)
    switch Authority.decide(context.identity, .approveJobs, on: resource, now: now) {
    case .allowed: return true
    case .denied, .hidden: return false
    }
  }

  /// The stored request, for the device that was chosen last: an approver may have changed it.
  func spec(of record: JobRecord) throws(QubusError) -> JobSpec {
    var spec = try codec.decodeRequest(record.request)
    if installedDevices.contains(where: { $0.name == record.device }) {
      spec.execution.device = record.device
    }
    return spec
  }
}
