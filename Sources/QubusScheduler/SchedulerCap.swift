/// Whose running jobs are counted together: those of a tenant, of one of its projects, or of one
/// principal.
package struct SchedulerAccount: Sendable, Hashable {
  package var tenant: String
  package var project: String?
  package var principal: String?

  package init(tenant: String, project: String? = nil, principal: String? = nil) {
    self.tenant = tenant
    self.project = project
    self.principal = principal
  }
}

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
  /// The accounts that it counts for.
  var accounts: [SchedulerAccount] {
    [
      SchedulerAccount(tenant: tenant),
      SchedulerAccount(tenant: tenant, project: project),
      SchedulerAccount(tenant: tenant, project: project, principal: principal),
    ]
  }
}
