internal import QubusCore
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

extension Engine {
  package func queuePolicy(context: CallContext) -> QueuePolicyReport {
    let (path, now) = (AccountPath(.principal(context.principal)), clock.now())
    return scheduler.withScheduler { scheduler in
      let rules = scheduler.policy.rules ?? configuration.fairness
      let capacity = scheduler.capacity
      let whole = Lane.allCases.reduce(0) { $0 + (rules.laneShares[$1] ?? 0) }
      let lanes = Lane.allCases.map { lane in
        QueuePolicyReport.LaneReport(
          lane: lane, share: (rules.laneShares[lane] ?? 0) / whole, takes: jobs(of: lane),
          overdueAfter: lane == .overdue ? nil : rules.overdueAfter[lane],
          jobsQueued: UInt64(scheduler.queuedCount(in: lane)),
          jobsQueuedLimit: UInt64(capacity.jobsQueuedPerLane[lane] ?? capacity.jobsQueued))
      }
      return QueuePolicyReport(
        lanes: lanes,
        standings: path.levels.compactMap { scheduler.standing(of: $0, now: now) },
        rules: rules, capacity: capacity, allCoresSeconds: configuration.allCoresSeconds,
        maxRunSeconds: configuration.maxRunSeconds)
    }
  }

  /// Which jobs `JobPreparation` puts into a lane, or who else does.
  private func jobs(of lane: Lane) -> String {
    switch lane {
    case .reserved: "jobs in the window of a reservation of their own"
    case .overdue:
      "jobs of any lane that waited as long as theirs lets them, the earliest due first"
    case .interactive:
      "jobs predicted to take at most \(configuration.interactiveSeconds) s and "
        + "\(configuration.expressMemoryBytes) bytes that do not ask for the batch lane"
    case .batch: "all other jobs"
    case .long: "jobs whose owner moved them to the background"
    }
  }
}
