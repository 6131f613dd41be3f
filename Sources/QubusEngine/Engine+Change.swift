package import QubusCore
internal import QubusDevices
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

/// Changes of lane, priority and device of a waiting job, by whoever may cancel it. The scheduler
/// does not have the job while its change is written, so that no thread begins it half changed.
extension Engine {
  package func change(
    _ id: Identifier, _ change: JobChange, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    // It may have to be read from the disk and compiled for another device.
    withJobFromStore(id, completion) { [self] job in
      do throws(QubusError) {
        try self.change(job, change, reason, context, completion)
      } catch {
        completion(.failure(error))
      }
    }
  }

  private func change(
    _ job: ActiveJob, _ change: JobChange, _ reason: String, _ context: CallContext,
    _ completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) throws(QubusError) {
    let record = job.record
    try context.check(.cancelJobs, record, now: clock.now())
    try change.check(reason)
    try checkWaits(record)
    var update = JobUpdate(jobID: record.id, attempt: record.attempt)
    let prepared = try prepared(job, record, change, context)
    if prepared.device.name != record.device { update.device = prepared.device.name }
    if prepared.lane.rawValue != record.lane { update.lane = prepared.lane.rawValue }
    if let priority = change.priority, priority != record.priority { update.priority = priority }
    let words = update.words(from: record)
    guard !words.isEmpty else { return completion(.success(view(record))) }
    update.tell(words, record, context, reason, at: clock.now())
    let move = try quotas.move(
      record.id, demand(prepared), of: record.principal,
      acceptedAt: record.phases.acceptedAt ?? clock.now())
    let old: SchedulerJob
    do throws(QubusError) {
      old = try takeOut(job, for: prepared.lane)
    } catch {
      move?.takeBack()
      throw error
    }
    write(update, job) { [self] result in
      putBack(job, old, prepared, result, move)
      completion(result.map { _ in view(job.record) })
    }
  }

  private func checkWaits(_ record: JobRecord) throws(QubusError) {
    guard !record.status.isTerminal else {
      throw QubusError(.jobAlreadyFinished, "job \(record.id) is \(record.status.word)")
    }
    guard record.status == .queued else { throw Self.isStarting(record) }
    guard waitingApprovals.withLock({ $0[record.id] == nil }) else {
      throw QubusError(
        .illegalTransition,
        "job \(record.id) waits for an approval; an approver may change its device",
        details: ["status": record.status.word])
    }
  }

  private static func isStarting(_ record: JobRecord) -> QubusError {
    QubusError(
      .illegalTransition,
      "job \(record.id) runs, or is about to, or is being changed: it cannot be changed now",
      details: ["status": record.status.word])
  }

  // MARK: The job as it is to be

  private func prepared(
    _ job: ActiveJob, _ record: JobRecord, _ change: JobChange, _ context: CallContext
  ) throws(QubusError) -> PreparedJob {
    let prepared: PreparedJob
    if let device = change.device, device != record.device {
      prepared = try self.prepared(record, on: device, context)
    } else if let kept = job.withLock({ $0.prepared }) {
      prepared = kept
    } else {
      prepared = try self.prepared(of: record)
    }
    guard let word = change.lane else { return prepared }
    return try preparation.placed(prepared, in: try Lane(owners: word))
  }

  private func prepared(
    _ record: JobRecord, on device: String, _ context: CallContext
  ) throws(QubusError) -> PreparedJob {
    var spec = try spec(of: record)
    spec.execution.device = device
    var prepared: PreparedJob
    do throws(QubusError) {
      prepared = try preparation.prepare(spec, for: record.principal)
    } catch {
      throw error.code == .unknownDevice ? error.renamed("execution.device", "device") : error
    }
    var place = record.principal.resource
    place.deviceFamily = Resource.family(ofDevice: prepared.device.name)
    try context.identity.check(
      .submitJobs, on: place, now: clock.now(), hidden: .jobNotFound(record.id))
    let causes = approvalCauses(spec, prepared, of: record.principal)
    guard causes.isEmpty else {
      throw QubusError(
        .illegalTransition,
        "on \(device) the job would have to be approved (\(causes.joined(separator: "; "))): "
          + "submit it there", details: ["status": record.status.word])
    }
    // What is held is held at the price of one device.
    guard record.costHeld == nil, ledger?.price(of: device) == nil else {
      throw QubusError(
        .illegalTransition,
        "one of the devices has a price, at which money is held at the submit: submit the job to "
          + "\(device) instead", details: ["status": record.status.word])
    }
    // Where it was put stays, as long as it may be there.
    if let lane = Lane(rawValue: record.lane),
      let kept = try? preparation.placed(prepared, in: lane)
    {
      prepared = kept
    }
    return prepared
  }

  private func demand(_ prepared: PreparedJob) -> JobDemand {
    JobDemand(
      shots: prepared.shotsTotal, memoryBytes: prepared.memoryBytes,
      deviceFamily: Resource.family(ofDevice: prepared.device.name))
  }

  // MARK: While it is written

  /// From here on until `putBack` no thread begins it.
  private func takeOut(
    _ job: ActiveJob, for lane: Lane
  ) throws(QubusError) -> SchedulerJob {
    // What was posted of it comes first.
    scheduler.takeTurns()
    let now = clock.now()
    let taken = try scheduler.withScheduler { (scheduler) throws(QubusError) in
      try scheduler.takeOut(job.id, for: lane, now: now)
    }
    guard let taken else { throw Self.isStarting(job.record) }
    return taken
  }

  /// After the commit, on the store's thread. One that ended meanwhile has no place any more.
  private func putBack(
    _ job: ActiveJob, _ old: SchedulerJob, _ prepared: PreparedJob,
    _ result: Result<[JobEvent], QubusError>, _ move: QuotaMove?
  ) {
    let (record, isWaiting) = job.withLock { state -> (JobRecord, Bool) in
      if case .success = result, state.prepared != nil { state.prepared = prepared }
      return (state.record, state.phase == .queued && state.record.status == .queued)
    }
    switch result {
    case .success where isWaiting: scheduler.post(.queued(schedulerJob(record, prepared)))
    case .success: scheduler.post(.withdrawn(prepared.lane))
    case .failure:
      move?.takeBack()
      scheduler.post(.withdrawn(prepared.lane))
      if isWaiting { scheduler.post(.restored(old)) }
    }
  }
}

extension JobUpdate {
  /// What becomes of what, in words.
  fileprivate func words(from record: JobRecord) -> [(name: String, from: String, to: String)] {
    var words: [(name: String, from: String, to: String)] = []
    if let lane { words.append(("lane", record.lane, lane)) }
    if let priority { words.append(("priority", "\(record.priority)", "\(priority)")) }
    if let device { words.append(("device", record.device, device)) }
    return words
  }

  /// The event and the evidence of a change.
  fileprivate mutating func tell(
    _ words: [(name: String, from: String, to: String)], _ record: JobRecord,
    _ context: CallContext, _ reason: String, at now: Microseconds
  ) {
    var body = JobEventBody()
    body.details = ["by": context.principal.text]
    if !reason.isEmpty { body.details["message"] = reason }
    for word in words { body.details[word.name] = word.to }
    body.device = device ?? ""
    events = [
      NewEvent(
        time: now, kind: device == nil ? .queueMoved : .deviceAssigned, status: .queued,
        attempt: record.attempt, body: body)
    ]
    let text = words.map { "\($0.name) from \($0.from) to \($0.to)" }.joined(separator: ", ")
    audit = [
      context.entry(
        "ChangeJob", .cancelJobs, "job \(record.id): \(text)", of: record.principal,
        device: device ?? record.device, reason: reason, at: now)
    ]
  }
}

extension QubusError {
  /// The same error about another name of the field.
  fileprivate func renamed(_ field: String, _ name: String) -> QubusError {
    var error = self
    for index in error.violations.indices where error.violations[index].field == field {
      error.violations[index].field = name
    }
    return error
  }
}
