internal import QubusCore
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

/// Where quotas meet jobs: at the submit, and as caps of what runs at one time.
extension Engine {
  /// Tells the scheduler the caps now and whenever they change.
  func watchQuotas() {
    quotas.watch { [weak self] limits in self?.scheduler.post(.capped(Self.caps(limits))) }
  }

  private static func caps(_ limits: [QuotaRecord]) -> [AccountPath: SchedulerCap] {
    var caps: [AccountPath: SchedulerCap] = [:]
    for record in limits where record.scope.deviceFamily == nil {
      let account = AccountPath(record.scope)
      switch record.quota {
      case .jobsRunning: caps[account, default: SchedulerCap()].jobs = Int(clamping: record.limit)
      case .memoryBytes:
        caps[account, default: SchedulerCap()].memoryBytes = UInt64(clamping: record.limit)
      case .jobsQueued, .shotsPerDay, .deviceSecondsPerDay, .sessions, .requestsPerSecond,
        .streamBytesPerSecond, .reservedSeconds:
        break
      }
    }
    return caps
  }

  /// A place in the queue for a job that the scheduler is to have, or among those that wait for an
  /// approval.
  /// - Throws: `queue_capacity_exceeded`.
  func admit(
    _ submission: Submission, _ prepared: PreparedJob, now: Microseconds
  ) throws(QubusError) {
    if submission.approvalCauses.isEmpty {
      try scheduler.withScheduler { (scheduler) throws(QubusError) in
        try scheduler.admit(lane: prepared.lane, now: now)
      }
      return
    }
    let limit = configuration.limits.jobsQueued
    guard waitingApprovals.withLock({ $0.count < limit }) else {
      throw QubusError(
        .queueCapacityExceeded, "\(limit) jobs wait for an approval (limit: \(limit))",
        details: ["limit": String(limit)])
    }
  }

  /// A job whose turn it is waits for others of its own to end.
  func hold(_ id: Identifier) {
    // One that is not in memory is told of when somebody looks: its reason is news, not state.
    guard let job = table.job(id) else { return }
    let record = job.withLock { state in
      state.phase == .queued && state.withheld.isEmpty ? state.record : nil
    }
    guard let record else { return }
    var update = JobUpdate(
      jobID: id, attempt: record.attempt,
      events: [
        NewEvent(
          time: clock.now(), kind: .queueMoved, status: .queued, reason: JobReason.quota,
          attempt: record.attempt)
      ])
    update.reason = JobReason.quota
    write(update, job)
  }

  /// Quotas with a limit that a principal's jobs on a device count for.
  func limits(of principal: Principal, on device: String) -> [QuotaStatus] {
    let family = Resource.family(ofDevice: device)
    return QuotaScope.all(of: principal).flatMap {
      quotas.status(of: $0) + quotas.status(of: $0.on(family))
    }.filter { $0.limit != nil && $0.quota != .reservedSeconds }
  }
}
