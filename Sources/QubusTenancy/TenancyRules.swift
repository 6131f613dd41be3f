package import QubusCore
package import QubusJobs

/// What a store holds, as far as changes are judged by it.
package protocol TenancyLookup {
  associatedtype Failure: Error

  func hasTenant(_ name: String) throws(Failure) -> Bool
  func hasProject(_ name: String, of tenant: String) throws(Failure) -> Bool
  func hasPrincipal(_ principal: Principal) throws(Failure) -> Bool
  /// In any project of the tenant.
  func hasPrincipal(named name: String, in tenant: String) throws(Failure) -> Bool
  func principal(ofUser uid: UInt32) throws(Failure) -> Principal?
  /// Revoked ones too.
  func hasKey(_ key: String) throws(Failure) -> Bool
  func hasGrant(_ record: GrantRecord) throws(Failure) -> Bool
  func token(_ id: String) throws(Failure) -> TokenRecord?
  func hasApprovalPolicy(_ key: ApprovalPolicy.Key) throws(Failure) -> Bool
  func hasExportPolicy(_ key: ExportPolicy.Key) throws(Failure) -> Bool
  func reservation(_ id: Identifier) throws(Failure) -> Reservation?
  /// The first other window of a device in a stretch of time.
  func reservation(
    overlapping time: Range<Microseconds>, of device: String, besides id: Identifier
  ) throws(Failure) -> Reservation?
}

/// Which changes contradict what is there; the same for every store. Who may make them is decided
/// before (`Authority`).
package enum TenancyRules {
  /// Bytes of a principal's name.
  private static let userNameLimit = 256

  /// Why the change cannot be made; nil when it can. An owner is looked at by `ownerRefusal`.
  package static func refusal<Lookup: TenancyLookup>(
    of change: TenancyChange, in lookup: Lookup
  ) throws(Lookup.Failure) -> QubusError? {
    switch change {
    case .createTenant(let record):
      if let error = nameRefusal(record.name, "name") { return error }
      return try lookup.hasTenant(record.name) ? taken("tenant", record.name) : nil
    case .setTenantDisabled(let name, _), .eraseTenant(let name, _):
      return try lookup.hasTenant(name) ? nil : .tenantNotFound(name)
    case .createProject(let record):
      if let error = nameRefusal(record.name, "name") { return error }
      guard try lookup.hasTenant(record.tenant) else { return .tenantNotFound(record.tenant) }
      return try lookup.hasProject(record.name, of: record.tenant)
        ? taken("project", "\(record.tenant)/\(record.name)") : nil
    case .setProjectDisabled(let tenant, let name, _), .setProjectOwner(let tenant, let name, _):
      return try projectRefusal(tenant, name, lookup)
    case .createPrincipal(let record):
      return try refusal(of: record, in: lookup)
    case .setPrincipalDisabled(let principal, _):
      return try principalRefusal(principal, lookup)
    case .setPrincipalUser(let principal, let uid):
      if let error = try principalRefusal(principal, lookup) { return error }
      return try userRefusal(uid, of: principal, lookup)
    case .addKey, .revokeKey:
      return try keyRefusal(of: change, in: lookup)
    case .grant, .revokeGrant:
      return try grantRefusal(of: change, in: lookup)
    case .issueToken, .revokeToken, .spendToken:
      return try tokenRefusal(of: change, in: lookup)
    case .ledger(let change):
      return try ledgerRefusal(of: change, in: lookup)
    case .setQuota, .setWeight, .setApprovalPolicy, .removeApprovalPolicy, .setExportPolicy,
      .removeExportPolicy:
      return try boundRefusal(of: change, in: lookup)
    // Which devices there are is known where they run.
    case .drain, .endDrain: return nil
    case .calendar(let change): return try calendarRefusal(of: change, in: lookup)
    }
  }

  /// Only for projects that there are; amounts are judged where they come in.
  private static func ledgerRefusal<Lookup: TenancyLookup>(
    of change: LedgerChange, in lookup: Lookup
  ) throws(Lookup.Failure) -> QubusError? {
    switch change {
    case .setPrice, .turn: nil
    case .grant(let entitlement):
      try projectRefusal(entitlement.project.tenant, entitlement.project.project, lookup)
    case .setBudget(let budget):
      try projectRefusal(budget.project.tenant, budget.project.project, lookup)
    case .dedicate(_, let tenant):
      if let tenant { try placeRefusal(tenant, nil, lookup) } else { nil }
    }
  }

  private static func boundRefusal<Lookup: TenancyLookup>(
    of change: TenancyChange, in lookup: Lookup
  ) throws(Lookup.Failure) -> QubusError? {
    switch change {
    case .setQuota(let scope, let quota, let limit):
      if let error = limit.flatMap({ quota.refusal(of: $0) }) ?? quota.refusal(for: scope) {
        return error
      }
      return try scopeRefusal(scope, lookup)
    case .setWeight(let scope, let weight):
      if let error = weight.flatMap({ ShareWeight.refusal(of: $0) }) { return error }
      return try scopeRefusal(scope, lookup)
    case .setApprovalPolicy(let policy):
      if let error = policy.refusal { return error }
      return try placeRefusal(policy.key.tenant, policy.key.project, lookup)
    case .removeApprovalPolicy(let key):
      if let error = try placeRefusal(key.tenant, key.project, lookup) { return error }
      return try lookup.hasApprovalPolicy(key)
        ? nil : .field(.invalidRequest, "policy", "there is no policy for \(key.text)")
    case .setExportPolicy(let policy):
      if let error = policy.refusal { return error }
      return try projectRefusal(policy.key.tenant, policy.key.project, lookup)
    case .removeExportPolicy(let key):
      if let error = try projectRefusal(key.tenant, key.project, lookup) { return error }
      return try lookup.hasExportPolicy(key)
        ? nil : .field(.invalidRequest, "policy", "there is no export policy of \(key.text)")
    default: preconditionFailure("not a change of bounds")
    }
  }

  /// The owner of a project may be created with it, so that owners are judged when all changes of a
  /// transaction are in. Empty: nobody.
  package static func ownerRefusal<Lookup: TenancyLookup>(
    of change: TenancyChange, in lookup: Lookup
  ) throws(Lookup.Failure) -> QubusError? {
    let (tenant, project, owner): (String, String, String)
    switch change {
    case .createProject(let record):
      (tenant, project, owner) = (record.tenant, record.name, record.owner)
    case .setProjectOwner(let ofTenant, let name, let newOwner):
      (tenant, project, owner) = (ofTenant, name, newOwner)
    case .createTenant, .setTenantDisabled, .eraseTenant, .setProjectDisabled, .createPrincipal,
      .setPrincipalDisabled, .setPrincipalUser, .addKey, .revokeKey, .grant, .revokeGrant,
      .issueToken, .revokeToken, .spendToken, .ledger, .setQuota, .setWeight, .setApprovalPolicy,
      .removeApprovalPolicy, .setExportPolicy, .removeExportPolicy, .drain, .endDrain, .calendar:
      return nil
    }
    guard !owner.isEmpty, try !lookup.hasPrincipal(named: owner, in: tenant) else { return nil }
    return .principalNotFound(Principal(tenant: tenant, project: project, name: owner))
  }

  // MARK: Principals

  private static func refusal<Lookup: TenancyLookup>(
    of record: PrincipalRecord, in lookup: Lookup
  ) throws(Lookup.Failure) -> QubusError? {
    let principal = record.principal
    // A user of the machine is called what the machine calls it.
    if record.uid == nil || !isUserName(principal.name) {
      if let error = nameRefusal(principal.name, "name") { return error }
    }
    if let error = try projectRefusal(principal.tenant, principal.project, lookup) { return error }
    if try lookup.hasPrincipal(principal) {
      return taken(
        "principal", "\(principal.tenant)/\(principal.project)/\(principal.name)")
    }
    return try userRefusal(record.uid, of: principal, lookup)
  }

  /// No slash, which would part a principal's text in other places, and no control characters.
  private static func isUserName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= userNameLimit
      && name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "/") }
  }

  private static func userRefusal<Lookup: TenancyLookup>(
    _ uid: UInt32?, of principal: Principal, _ lookup: Lookup
  ) throws(Lookup.Failure) -> QubusError? {
    guard let uid, let other = try lookup.principal(ofUser: uid), other != principal else {
      return nil
    }
    return taken("principal of user", "\(uid)")
  }

  private static func principalRefusal<Lookup: TenancyLookup>(
    _ principal: Principal, _ lookup: Lookup
  ) throws(Lookup.Failure) -> QubusError? {
    try lookup.hasPrincipal(principal) ? nil : .principalNotFound(principal)
  }

  private static func projectRefusal<Lookup: TenancyLookup>(
    _ tenant: String, _ name: String, _ lookup: Lookup
  ) throws(Lookup.Failure) -> QubusError? {
    guard try lookup.hasTenant(tenant) else { return .tenantNotFound(tenant) }
    return try lookup.hasProject(name, of: tenant) ? nil : .projectNotFound(tenant, name)
  }

  /// A user of the machine who is no principal has the quotas of the project.
  static func scopeRefusal<Lookup: TenancyLookup>(
    _ scope: QuotaScope, _ lookup: Lookup
  ) throws(Lookup.Failure) -> QubusError? {
    switch scope.place {
    case .tenant(let tenant): try placeRefusal(tenant, nil, lookup)
    case .project(let tenant, let project): try placeRefusal(tenant, project, lookup)
    case .principal(let principal): try principalRefusal(principal, lookup)
    }
  }

  private static func placeRefusal<Lookup: TenancyLookup>(
    _ tenant: String, _ project: String?, _ lookup: Lookup
  ) throws(Lookup.Failure) -> QubusError? {
    if let project { return try projectRefusal(tenant, project, lookup) }
    return try lookup.hasTenant(tenant) ? nil : .tenantNotFound(tenant)
  }

  // MARK: Keys, grants, tokens

  private static func keyRefusal<Lookup: TenancyLookup>(
    of change: TenancyChange, in lookup: Lookup
  ) throws(Lookup.Failure) -> QubusError? {
    if case .revokeKey(let key, _) = change {
      return try lookup.hasKey(key) ? nil : .keyNotFound(key)
    }
    guard case .addKey(let record) = change else { return nil }
    guard PublicKeyText.isValid(record.key) else {
      return .field(
        .invalidKey, "key", "it is not a public key of 32 bytes in Z85",
        limit: "\(PublicKeyText.count) characters")
    }
    if let error = try principalRefusal(record.principal, lookup) { return error }
    if let expiresAt = record.expiresAt, expiresAt <= record.createdAt {
      return .field(.invalidRequest, "expires_at", "the key would never be valid")
    }
    // Whose it is or was is not told.
    guard try !lookup.hasKey(record.key) else {
      return QubusError(
        .nameTaken, "this key is known already; a key belongs to one principal, for ever")
    }
    return nil
  }

  private static func grantRefusal<Lookup: TenancyLookup>(
    of change: TenancyChange, in lookup: Lookup
  ) throws(Lookup.Failure) -> QubusError? {
    if case .revokeGrant(let record) = change {
      if let error = try principalRefusal(record.principal, lookup) { return error }
      return try lookup.hasGrant(record)
        ? nil
        : .field(
          .invalidRequest, "grant", "\(record.principal.name) does not have it as given")
    }
    guard case .grant(let record) = change else { return nil }
    if let error = try principalRefusal(record.principal, lookup) { return error }
    let (role, scope) = (record.grant.role, record.grant.scope)
    if let error = reachRefusal(role, scope) { return error }
    if let tenant = scope.tenant {
      guard try lookup.hasTenant(tenant) else { return .tenantNotFound(tenant) }
      if let project = scope.project, try !lookup.hasProject(project, of: tenant) {
        return .projectNotFound(tenant, project)
      }
    }
    return try lookup.hasGrant(record)
      ? taken("grant of \(role.rawValue) to", record.principal.name) : nil
  }

  private static func reachRefusal(_ role: Role, _ scope: Scope) -> QubusError? {
    if scope.tenant == nil, scope.project != nil {
      return .field(.invalidRequest, "scope.project", "a project is one of a tenant")
    }
    if let family = scope.deviceFamily, !TenancyName.isValid(family) {
      return .field(
        .invalidName, "scope.device_family", "\(family) is no name",
        limit: "\(TenancyName.limit) characters")
    }
    return role.isGrantable(for: scope)
      ? nil
      : .field(
        .invalidRequest, "scope", "\(role.rawValue) cannot be granted that far",
        limit: "one \(role.widestReach)")
  }

  private static func tokenRefusal<Lookup: TenancyLookup>(
    of change: TenancyChange, in lookup: Lookup
  ) throws(Lookup.Failure) -> QubusError? {
    if case .issueToken(let record) = change {
      guard !record.id.isEmpty, record.expiresAt > record.issuedAt else {
        return .field(.invalidRequest, "token", "it has no id, or would never be valid")
      }
      if let error = try principalRefusal(record.principal, lookup) { return error }
      return try lookup.token(record.id) == nil ? nil : taken("token", record.id)
    }
    if case .revokeToken(let id, _) = change {
      return try lookup.token(id) == nil ? .tokenNotFound(id) : nil
    }
    guard case .spendToken(let id, let shots) = change else { return nil }
    guard let token = try lookup.token(id) else { return .tokenNotFound(id) }
    let (used, overflow) = token.shotsUsed.addingReportingOverflow(shots)
    guard !overflow, used <= token.maxShots ?? UInt64(Int64.max) else {
      return QubusError(
        .tokenExpired,
        "\(shots) more shots are above the token's: \(token.shotsUsed) are used"
          + " (limit: \(token.maxShots ?? UInt64(Int64.max)))")
    }
    return nil
  }

  // MARK: Names

  private static func nameRefusal(_ name: String, _ field: String) -> QubusError? {
    guard !TenancyName.isValid(name) else { return nil }
    return .field(
      .invalidName, field, "it is not made of a-z 0-9 . _ - @ behind a letter or digit",
      limit: "\(TenancyName.limit) characters")
  }

  private static func taken(_ kind: String, _ name: String) -> QubusError {
    QubusError(.nameTaken, "the \(kind) \(name) is there already")
  }
}
