internal import QubusCore

/// Caps of accounts and what runs of each. Costs nothing while there are none.
struct RunningCaps: Sendable {
  struct Use: Sendable {
    var jobs = 0
    var memoryBytes: UInt64 = 0
  }
  /// An account that has as much running as it may.
  struct Full: Sendable {
    var account: AccountPath
    var use: Use
    var cap: SchedulerCap
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

  func allows(_ job: SchedulerJob) -> Bool { caps.isEmpty || full(for: job) == nil }

  /// The first account that keeps a job from running.
  func full(for job: SchedulerJob) -> Full? {
    if caps.isEmpty { return nil }
    for account in job.accounts {
      guard let cap = caps[account] else { continue }
      let use = use[account, default: Use()]
      if !cap.allows(job, beside: use) { return Full(account: account, use: use, cap: cap) }
    }
    return nil
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

extension SchedulerCap {
  fileprivate func allows(_ job: SchedulerJob, beside use: RunningCaps.Use) -> Bool {
    if let jobs, use.jobs >= jobs { return false }
    guard let memoryBytes, use.jobs > 0 else { return true }
    let (sum, overflows) = use.memoryBytes.addingReportingOverflow(job.memoryBytes)
    return !overflows && sum <= memoryBytes
  }
}
