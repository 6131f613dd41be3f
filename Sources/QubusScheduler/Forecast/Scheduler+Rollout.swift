package import QubusCore

extension Scheduler: RolloutScheduler {
  package var rolloutRunning: [RolloutJob] {
    running.values.map { RolloutJob($0.job, startedAt: $0.startedAt) }
  }

  /// Only what waits for its turn, or for others of its account: nobody knows when a pause ends.
  package func rolloutWaiting(_ id: Identifier) -> RolloutJob? {
    guard !isDrained else { return nil }
    return (policy.waiting(id) ?? parked.job(id)).map { RolloutJob($0, startedAt: 0) }
  }

  package func rolloutRoughWait(_ id: Identifier) -> Microseconds? {
    if parked.job(id) != nil { return 0 }
    return policy.position(of: id).map {
      $0.microsecondsAhead / Microseconds(capacity.computeSlots)
    }
  }

  package var rolloutSize: Int { max(queuedCount, policy.size) }

  package var rolloutNextTime: Microseconds? { nextDeadline }

  package mutating func rolloutDecide(now: Microseconds) -> [RolloutJob] {
    var started: [RolloutJob] = []
    var mustGoOn = true
    while mustGoOn {
      mustGoOn = false
      for decision in decide(now: now) {
        switch decision {
        case .start(let id, _):
          if let entry = running[id] { started.append(RolloutJob(entry.job, startedAt: now)) }
        case .stop(let id, _):
          apply(.finished(id), now: now)
          mustGoOn = true
        case .expire, .hold: break
        }
      }
    }
    return started
  }

  package mutating func rolloutEnd(_ id: Identifier, now: Microseconds) {
    apply(.finished(id), now: now)
  }
}

extension RolloutJob {
  fileprivate init(_ job: SchedulerJob, startedAt: Microseconds) {
    self.init(
      id: job.id, startedAt: startedAt, median: job.predictedMicroseconds,
      long: job.longMicroseconds)
  }
}
