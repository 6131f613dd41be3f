internal import QubusCore
internal import QubusJobs
internal import QubusScheduler

/// What the scheduler decided, carried out on the thread that has the turn: moments only.
extension Engine {
  func carryOut(_ decision: SchedulerDecision) {
    switch decision {
    case .start(let id, let slot): start(id, in: slot)
    case .expire(let id): expire(id)
    case .stop(let id, let cause): stop(id, cause)
    case .hold(let id): hold(id)
    case .postpone(let id, let delay): postpone(id, delay)
    case .announce(let id, let window): announce(window, to: id)
    }
  }

  private func start(_ id: Identifier, in slot: SlotClass) {
    #if QUBUS_FAULT_INJECTION
      FaultPoint.reserved.reached()
    #endif
    let pool = slot == .express ? expressPool : computePool
    let isTaken = pool.submit { [self] worker in
      let own = slot == .express ? teams[teams.count - 1] : teams[worker]
      run(id, ownTeam: own)
      scheduler.post(.finished(id))
    }
    if !isTaken { scheduler.post(.finished(id)) }
  }

  private func stop(_ id: Identifier, _ cause: StopCause) {
    guard let job = table.job(id) else { return }
    let mustStop = job.withLock { state -> Bool in
      guard state.phase == .running, state.stop == nil else { return false }
      state.stop = cause == .expired ? .expired : .runLimit
      return true
    }
    if mustStop { job.flag.cancel() }
  }

  /// A job that waited too long; it has left the scheduler.
  private func expire(_ id: Identifier) {
    if let job = table.job(id) { return expire(job) }
    // Not in memory: reading it may take its time.
    let isTaken = compilePool.submit { [self] _ in
      if let job = try? activate(id) { expire(job) }
    }
    if !isTaken {
      scheduler.schedule(at: clock.now() + 100_000) { [self] in
        if !isStopping { expire(id) }
      }
    }
  }

  func expire(_ job: ActiveJob) {
    guard claimEnd(job) else { return }
    let record = job.record
    let reason =
      (try? codec.decodeRequest(record.request))?.execution.expiryReason ?? JobReason.timeToLive
    let error = QubusError(.jobExpired, "the job waited longer than its \(reason) allows")
    write(.end(record, .expired, reason: reason, error: error, at: clock.now()), job)
  }

  /// The job in memory, brought there from the store when it is not.
  /// - Throws: `job_not_found`, or what the store throws. May block.
  func activate(_ id: Identifier) throws(QubusError) -> ActiveJob {
    while true {
      if let job = table.job(id) { return job }
      let departures = table.departures
      guard let record = try store.job(id) else { throw .jobNotFound(id) }
      let job = ActiveJob(record, prepared: nil)
      if record.status.isTerminal { return job }
      if let present = table.insert(job, departures: departures) { return present }
    }
  }
}

extension JobUpdate {
  /// The end of a job that waits.
  static func end(
    _ record: JobRecord, _ status: JobStatus, reason: String, error: QubusError?,
    at time: Microseconds
  ) -> JobUpdate {
    var body = JobEventBody()
    body.error = error
    var update = JobUpdate(
      jobID: record.id, attempt: record.attempt, moves: [status],
      events: [
        NewEvent(
          time: time, kind: .statusChanged, status: status, reason: reason,
          attempt: record.attempt, body: body)
      ])
    update.reason = reason
    update.error = error
    update.phases = record.phases
    update.phases?.finishedAt = time
    update.phases?.storedAt = time
    return update
  }
}
