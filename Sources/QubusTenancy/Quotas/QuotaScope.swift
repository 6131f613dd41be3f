package import QubusCore
package import QubusJobs

/// Whose use is counted together. What a principal uses counts for it, its project and its tenant.
package enum QuotaScope: Sendable, Hashable {
  case tenant(String)
  case project(tenant: String, String)
  case principal(Principal)

  /// `lab`, `lab/qc`, `lab/qc/alice`.
  package var text: String {
    switch self {
    case .tenant(let tenant): tenant
    case .project(let tenant, let project): "\(tenant)/\(project)"
    case .principal(let principal): principal.text
    }
  }

  /// - Parameter text: as `text` writes it; nil when it names none.
  package init?(text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    switch parts.count {
    case 1: self = .tenant(parts[0])
    case 2: self = .project(tenant: parts[0], parts[1])
    case 3: self = .principal(Principal(tenant: parts[0], project: parts[1], name: parts[2]))
    default: return nil
    }
  }

  package var tenant: String {
    switch self {
    case .tenant(let tenant), .project(let tenant, _): tenant
    case .principal(let principal): principal.tenant
    }
  }

  package var project: String? {
    switch self {
    case .tenant: nil
    case .project(_, let project): project
    case .principal(let principal): principal.project
    }
  }

  /// As a resource: the owner of a principal's is itself.
  package var resource: Resource {
    switch self {
    case .tenant(let tenant): Resource(tenant: tenant, project: "")
    case .project(let tenant, let project): Resource(tenant: tenant, project: project)
    case .principal(let principal): principal.resource
    }
  }

  /// Where a principal's use counts: tenant, project, itself.
  package static func all(of principal: Principal) -> [QuotaScope] {
    [
      .tenant(principal.tenant), .project(tenant: principal.tenant, principal.project),
      .principal(principal),
    ]
  }
}

/// A limit that was set.
package struct QuotaRecord: Sendable, Hashable {
  package var scope: QuotaScope
  package var quota: Quota
  /// In the unit that the quota's name says.
  package var limit: Int64

  package init(scope: QuotaScope, quota: Quota, limit: Int64) {
    self.scope = scope
    self.quota = quota
    self.limit = limit
  }
}

/// A limit and what is used of it.
package struct QuotaStatus: Sendable, Hashable {
  package var scope: QuotaScope
  package var quota: Quota
  /// Nil: none.
  package var limit: Int64?
  /// Rates: of the last second.
  package var used: Int64
  /// Microseconds UTC; nil for what has no time of its own.
  package var resetsAt: Microseconds?

  package init(
    scope: QuotaScope, quota: Quota, limit: Int64?, used: Int64, resetsAt: Microseconds?
  ) {
    self.scope = scope
    self.quota = quota
    self.limit = limit
    self.used = used
    self.resetsAt = resetsAt
  }

  /// `lab/qc shots_per_day`.
  package var name: String { "\(scope.text) \(quota.rawValue)" }
}

/// What a principal has used in one UTC day.
package struct DayUse: Sendable, Hashable {
  package var principal: Principal
  package var shots: UInt64
  package var deviceNanoseconds: UInt64

  package init(principal: Principal, shots: UInt64, deviceNanoseconds: UInt64) {
    self.principal = principal
    self.shots = shots
    self.deviceNanoseconds = deviceNanoseconds
  }
}
