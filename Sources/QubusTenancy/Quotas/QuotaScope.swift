package import QubusCore
package import QubusJobs

/// Whose use is counted together, of all devices or of one family. What a principal uses counts for
/// it, its project and its tenant.
package struct QuotaScope: Sendable, Hashable {
  package enum Place: Sendable, Hashable {
    case tenant(String)
    case project(tenant: String, String)
    case principal(Principal)
  }

  package var place: Place
  /// Nil: of all devices.
  package var deviceFamily: String?

  package init(_ place: Place, deviceFamily: String? = nil) {
    self.place = place
    self.deviceFamily = deviceFamily
  }

  package static func tenant(_ name: String) -> Self { Self(.tenant(name)) }
  package static func project(tenant: String, _ name: String) -> Self {
    Self(.project(tenant: tenant, name))
  }
  package static func principal(_ principal: Principal) -> Self { Self(.principal(principal)) }

  /// The same place on devices of a family.
  package func on(_ deviceFamily: String?) -> Self { Self(place, deviceFamily: deviceFamily) }

  /// `lab`, `lab/qc`, `lab/qc/alice`.
  package var placeText: String {
    switch place {
    case .tenant(let tenant): tenant
    case .project(let tenant, let project): "\(tenant)/\(project)"
    case .principal(let principal): principal.text
    }
  }

  /// The same with ` on sim` behind it, for a family.
  package var text: String { placeText + (deviceFamily.map { " on \($0)" } ?? "") }

  /// - Parameter placeText: as `placeText` writes it; nil when it names none.
  package init?(placeText: String, deviceFamily: String? = nil) {
    let parts = placeText.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    self.deviceFamily = deviceFamily
    switch parts.count {
    case 1: place = .tenant(parts[0])
    case 2: place = .project(tenant: parts[0], parts[1])
    case 3: place = .principal(Principal(tenant: parts[0], project: parts[1], name: parts[2]))
    default: return nil
    }
  }

  package var tenant: String {
    switch place {
    case .tenant(let tenant), .project(let tenant, _): tenant
    case .principal(let principal): principal.tenant
    }
  }

  package var project: String? {
    switch place {
    case .tenant: nil
    case .project(_, let project): project
    case .principal(let principal): principal.project
    }
  }

  /// As a resource: the owner of a principal's is itself.
  package var resource: Resource {
    switch place {
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

/// What a principal has used in one UTC day, on devices of one family.
package struct DayUse: Sendable, Hashable {
  package var principal: Principal
  /// Nil: not known.
  package var deviceFamily: String?
  package var shots: UInt64
  package var deviceNanoseconds: UInt64

  package init(
    principal: Principal, deviceFamily: String? = nil, shots: UInt64, deviceNanoseconds: UInt64
  ) {
    self.principal = principal
    self.deviceFamily = deviceFamily
    self.shots = shots
    self.deviceNanoseconds = deviceNanoseconds
  }
}
