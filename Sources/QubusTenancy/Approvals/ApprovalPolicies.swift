internal import QubusCore
package import QubusJobs

/// The policies of a running service.
package final class ApprovalPolicies: Sendable {
  private let policies: Lock<[ApprovalPolicy.Key: ApprovalPolicy]>

  package init(_ policies: [ApprovalPolicy] = []) {
    self.policies = Lock(Dictionary(policies.map { ($0.key, $0) }) { $1 })
  }

  /// Takes over policies that are durable.
  package func apply(_ changes: [TenancyChange]) {
    policies.withLock { policies in
      for change in changes {
        switch change {
        case .setApprovalPolicy(let policy): policies[policy.key] = policy
        case .removeApprovalPolicy(let key): policies[key] = nil
        default: break
        }
      }
    }
  }

  /// The one in force: of the project before the tenant's, of the class before that of all.
  package func policy(
    for principal: Principal, experimentClass: String
  ) -> ApprovalPolicy? {
    policies.withLock { policies in
      if policies.isEmpty { return nil }
      for project in [principal.project, nil] {
        for name in [experimentClass, ""] {
          let key = ApprovalPolicy.Key(
            tenant: principal.tenant, project: project, experimentClass: name)
          if let policy = policies[key] { return policy }
        }
      }
      return nil
    }
  }

  /// In order of their keys.
  package var all: [ApprovalPolicy] {
    policies.withLock { Array($0.values) }.sorted { $0.key.text < $1.key.text }
  }
}
