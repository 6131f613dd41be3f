package import QubusCore

/// Of jobs that are not stopped in between.
extension FairScheduler: RolloutScheduler {
  package var rolloutRunning: [RolloutJob] {
    occupancy.running.values.map { RolloutJob($0.job, startedAt: $0.startedAt) }
  }

  package func rolloutWaiting(_ id: Identifier) -> RolloutJob? {
    guard !isDrained, let place = queue.jobs.place(of: id) else { return nil }
    return RolloutJob(queue.jobs[place], startedAt: 0)
  }

  package func rolloutRoughWait(_ id: Identifier) -> Microseconds? {
    queue.jobs.place(of: id).map {
      Microseconds(queue.position(of: $0).microsecondsAhead / Double(queue.cores))
    }
  }

  package var rolloutSize: Int { queue.jobs.slots.count }

  /// Jobs become overdue with the next end at the latest.
  package var rolloutNextTime: Microseconds? { nil }

  package mutating func rolloutDecide(now: Microseconds) -> [RolloutJob] {
    decide(now: now).compactMap { decision in
      guard case .start(let id, _) = decision, let entry = occupancy.running[id] else {
        return nil
      }
      return RolloutJob(entry.job, startedAt: now)
    }
  }

  package mutating func rolloutEnd(_ id: Identifier, now: Microseconds) {
    guard let ended = occupancy.end(id) else { return }
    queue.advance(to: now)
    queue.settle(
      ended.charge, used: queue.demand(ended.job) * Double(now - ended.startedAt) * 1e-6)
  }
}

extension RolloutJob {
  fileprivate init(_ job: QueuedJob, startedAt: Microseconds) {
    self.init(
      id: job.id, startedAt: startedAt, median: job.expected,
      long: job.long < .max / 8 ? job.long : job.expected)
  }
}
