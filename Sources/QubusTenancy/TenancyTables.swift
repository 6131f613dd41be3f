package import QubusCore
package import QubusJobs

/// Tenants, projects, principals, keys, grants and tokens in memory.
package struct TenancyTables: Sendable {
  private struct ProjectName: Hashable {
    var tenant: String
    var name: String
  }
  private var tenants: [String: TenantRecord] = [:]
  private var projects: [ProjectName: ProjectRecord] = [:]
  private var principals: [Principal: PrincipalRecord] = [:]
  private var keys: [String: ClientKeyRecord] = [:]
  private var grants: Set<GrantRecord> = []
  private var tokens: [String: TokenRecord] = [:]
  private var quotas: [QuotaScope: [Quota: Int64]] = [:]
  private var weights: [QuotaScope: Double] = [:]
  private var policies: [ApprovalPolicy.Key: ApprovalPolicy] = [:]
  private var exportPolicies: [ExportPolicy.Key: ExportPolicy] = [:]
  private var drains: [String: DeviceDrain] = [:]
  private var reservations: [Identifier: Reservation] = [:]

  /// A service nobody has used: the tenant `default` with the project `default`.
  package init(createdAt: Microseconds) {
    tenants["default"] = TenantRecord(name: "default", createdAt: createdAt)
    projects[ProjectName(tenant: "default", name: "default")] = ProjectRecord(
      tenant: "default", name: "default", owner: "", createdAt: createdAt)
  }

  /// All changes or none.
  /// - Throws: what `TenancyRules` refuses.
  package mutating func apply(_ changes: [TenancyChange]) throws(QubusError) {
    var next = self
    for change in changes {
      if let refusal = TenancyRules.refusal(of: change, in: next) { throw refusal }
      next.apply(change)
    }
    for change in changes {
      if let refusal = TenancyRules.ownerRefusal(of: change, in: next) { throw refusal }
    }
    self = next
  }

  /// A change that the rules let pass.
  private mutating func apply(_ change: TenancyChange) {
    switch change {
    case .createTenant(let record): tenants[record.name] = record
    case .setTenantDisabled(let name, let isDisabled): tenants[name]?.isDisabled = isDisabled
    case .eraseTenant: break
    case .createProject(let record):
      projects[ProjectName(tenant: record.tenant, name: record.name)] = record
    case .setProjectDisabled(let tenant, let name, let isDisabled):
      projects[ProjectName(tenant: tenant, name: name)]?.isDisabled = isDisabled
    case .setProjectOwner(let tenant, let name, let owner):
      projects[ProjectName(tenant: tenant, name: name)]?.owner = owner
    case .createPrincipal(let record): principals[record.principal] = record
    case .setPrincipalDisabled(let principal, let isDisabled):
      principals[principal]?.isDisabled = isDisabled
    case .setPrincipalUser(let principal, let uid): principals[principal]?.uid = uid
    case .addKey(let record): keys[record.key] = record
    case .revokeKey(let key, let time):
      let earliest = min(keys[key]?.revokedAt ?? time, time)
      keys[key]?.revokedAt = earliest
    case .grant(let record): grants.insert(record)
    case .revokeGrant(let record): grants.remove(record)
    case .issueToken(let record): tokens[record.id] = record
    case .revokeToken(let id, let time):
      let earliest = min(tokens[id]?.revokedAt ?? time, time)
      tokens[id]?.revokedAt = earliest
    case .spendToken(let id, let shots): tokens[id]?.shotsUsed += shots
    // Money is kept where jobs are.
    case .ledger: break
    case .setQuota(let scope, let quota, let limit): quotas[scope, default: [:]][quota] = limit
    case .setWeight(let scope, let weight): weights[scope] = weight
    case .setApprovalPolicy(let policy): policies[policy.key] = policy
    case .removeApprovalPolicy(let key): policies[key] = nil
    case .setExportPolicy(let policy): exportPolicies[policy.key] = policy
    case .removeExportPolicy(let key): exportPolicies[key] = nil
    case .drain(let drain): drains[drain.device] = drain
    case .endDrain(let device): drains[device] = nil
    case .calendar(.create(let reservation)): reservations[reservation.id] = reservation
    case .calendar(.extend(let id, let endsAt)): reservations[id]?.endsAt = endsAt
    case .calendar(.cancel(let id)): reservations[id] = nil
    }
  }

  /// In order of names, without tokens that have expired.
  package func snapshot(at now: Microseconds) -> TenancySnapshot {
    var snapshot = TenancySnapshot()
    snapshot.tenants = tenants.values.sorted { $0.name < $1.name }
    snapshot.projects = projects.values.sorted { ($0.tenant, $0.name) < ($1.tenant, $1.name) }
    snapshot.principals = principals.values.sorted { Self.precedes($0.principal, $1.principal) }
    snapshot.keys = keys.values.sorted { $0.key < $1.key }
    snapshot.grants = grants.sorted { Self.order($0).lexicographicallyPrecedes(Self.order($1)) }
    snapshot.tokens = tokens.values.filter { $0.expiresAt > now }.sorted { $0.id < $1.id }
    snapshot.quotas = quotas.flatMap { scope, limits in
      limits.map { QuotaRecord(scope: scope, quota: $0, limit: $1) }
    }.sorted { ($0.scope.text, $0.quota.rawValue) < ($1.scope.text, $1.quota.rawValue) }
    snapshot.weights = weights.map { ShareWeight(scope: $0, weight: $1) }
      .sorted { $0.scope.text < $1.scope.text }
    snapshot.approvalPolicies = policies.values.sorted { $0.key.text < $1.key.text }
    snapshot.exportPolicies = exportPolicies.values.sorted { $0.key.text < $1.key.text }
    snapshot.drains = drains.values.sorted { $0.device < $1.device }
    snapshot.reservations = reservations.values.filter { $0.endsAt > now }
      .sorted { ($0.startsAt, $0.id) < ($1.startsAt, $1.id) }
    return snapshot
  }

  private static func precedes(_ a: Principal, _ b: Principal) -> Bool {
    (a.tenant, a.project, a.name) < (b.tenant, b.project, b.name)
  }

  private static func order(_ record: GrantRecord) -> [String] {
    let (principal, scope) = (record.principal, record.grant.scope)
    return [
      principal.tenant, principal.project, principal.name, record.grant.role.rawValue,
      scope.tenant ?? "", scope.project ?? "", scope.deviceFamily ?? "",
    ]
  }
}

extension TenancyTables: TenancyLookup {
  package func hasTenant(_ name: String) -> Bool { tenants[name] != nil }
  package func hasProject(_ name: String, of tenant: String) -> Bool {
    projects[ProjectName(tenant: tenant, name: name)] != nil
  }
  package func hasPrincipal(_ principal: Principal) -> Bool { principals[principal] != nil }
  package func hasPrincipal(named name: String, in tenant: String) -> Bool {
    principals.keys.contains { $0.tenant == tenant && $0.name == name }
  }
  package func principal(ofUser uid: UInt32) -> Principal? {
    principals.values.first { $0.uid == uid }?.principal
  }
  package func hasKey(_ key: String) -> Bool { keys[key] != nil }
  package func hasGrant(_ record: GrantRecord) -> Bool { grants.contains(record) }
  package func token(_ id: String) -> TokenRecord? { tokens[id] }
  package func hasApprovalPolicy(_ key: ApprovalPolicy.Key) -> Bool { policies[key] != nil }
  package func hasExportPolicy(_ key: ExportPolicy.Key) -> Bool { exportPolicies[key] != nil }
  package func reservation(_ id: Identifier) -> Reservation? { reservations[id] }
  package func reservation(
    overlapping time: Range<Microseconds>, of device: String, besides id: Identifier
  ) -> Reservation? {
    reservations.values.filter {
      $0.device == device && $0.id != id && $0.overlaps(time.lowerBound, time.upperBound)
    }.min { $0.startsAt < $1.startsAt }
  }
}
