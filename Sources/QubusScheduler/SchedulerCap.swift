/// What an account may have running at one time; nil: no bound of its own.
package struct SchedulerCap: Sendable, Hashable {
  package var jobs: Int?
  /// A job that is larger by itself runs alone.
  package var memoryBytes: UInt64?

  package init(jobs: Int? = nil, memoryBytes: UInt64? = nil) {
    self.jobs = jobs
    self.memoryBytes = memoryBytes
  }
}

extension SchedulerJob {
  /// Whose it is.
  var account: AccountPath {
    AccountPath(tenant: tenant, project: project, principal: principal)
  }

  /// The accounts that it counts for: its tenant, its project and its principal.
  var accounts: [AccountPath] { account.levels }
}
