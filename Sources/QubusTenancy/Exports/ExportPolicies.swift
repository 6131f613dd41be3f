internal import QubusCore
package import QubusJobs

/// The export policies of a running service.
package final class ExportPolicies: Sendable {
  private let policies: Lock<[ExportPolicy.Key: ExportPolicy]>

  package init(_ policies: [ExportPolicy] = []) {
    self.policies = Lock(Dictionary(policies.map { ($0.key, $0) }) { $1 })
  }

  /// Takes over policies that are durable.
  package func apply(_ changes: [TenancyChange]) {
    policies.withLock { policies in
      for change in changes {
        switch change {
        case .setExportPolicy(let policy): policies[policy.key] = policy
        case .removeExportPolicy(let key): policies[key] = nil
        default: break
        }
      }
    }
  }

  /// Of the project that a job belongs to; nil: it has none.
  package func policy(for owner: Principal) -> ExportPolicy? {
    policies.withLock { $0[ExportPolicy.Key(tenant: owner.tenant, project: owner.project)] }
  }

  /// In order of their keys.
  package var all: [ExportPolicy] {
    policies.withLock { Array($0.values) }.sorted { $0.key.text < $1.key.text }
  }
}
