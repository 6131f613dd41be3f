internal import QubusCore

/// Caps of accounts and what runs of each. Costs nothing while there are none.
struct RunningCaps: Sendable {
  private struct Use: Sendable {
    var jobs = 0
    var memoryBytes: UInt64 = 0
  }
  private(set) var caps: [AccountPath: SchedulerCap] = [:]
  private var use: [AccountPath: Use] = [:]

  var isEmpty: Bool { caps.isEmpty }

  /// - Parameter running: all jobs that run now.
  mutating func set(_ caps: [AccountPath: SchedulerCap], running: [SchedulerJob]) {
    self.caps = caps
    use = [:]
    for job in running { start(job) }
  }

  func allows(_ job: SchedulerJob) -> Bool {
    if caps.isEmpty { return true }
    return job.accounts.allSatisfy { account in
      guard let cap = caps[account] else { return true }
      let use = use[account, default: Use()]
      if let jobs = cap.jobs, use.jobs >= jobs { return false }
      guard let memory = cap.memoryBytes, use.jobs > 0 else { return true }
      let (sum, overflows) = use.memoryBytes.addingReportingOverflow(job.memoryBytes)
      return !overflows && sum <= memory
    }
  }

  mutating func start(_ job: SchedulerJob) {
    if caps.isEmpty { return }
    for account in job.accounts where caps[account] != nil {
      use[account, default: Use()].jobs += 1
      use[account, default: Use()].memoryBytes &+= job.memoryBytes
    }
  }

  mutating func end(_ job: SchedulerJob) {
    if caps.isEmpty { return }
    for account in job.accounts where caps[account] != nil {
      use[account, default: Use()].jobs -= 1
      use[account, default: Use()].memoryBytes &-= job.memoryBytes
    }
  }
}
