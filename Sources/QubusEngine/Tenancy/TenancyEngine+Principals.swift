internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Principals and their roles.
extension TenancyEngine {
  func planPrincipal(
    _ principal: Principal, uid: UInt32?, grants: [Grant], _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let now = directory.now()
    let grant = try context.identity.check(
      .managePrincipals, on: place(principal), now: now,
      hidden: .projectNotFound(principal.tenant, principal.project))
    if uid != nil { try checkUserChange(context) }
    for wanted in grants { try checkGranting(wanted, context) }
    let record = PrincipalRecord(principal: principal, uid: uid, createdAt: now)
    let changes =
      [TenancyChange.createPrincipal(record)]
      + grants.map { .grant(GrantRecord(principal: principal, grant: $0)) }
    return plan(principal, grant, changes, context)
  }

  func planUpdate(
    _ principal: Principal, isDisabled: Bool?, user: TenancyOrder.UserChange?,
    _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let now = directory.now()
    let grant = try context.identity.check(
      .managePrincipals, on: place(principal), now: now, hidden: .principalNotFound(principal))
    guard directory.principal(principal) != nil else { throw .principalNotFound(principal) }
    if user != nil { try checkUserChange(context) }
    try checkRank(over: principal, context)
    var changes: [TenancyChange] = []
    if let isDisabled { changes.append(.setPrincipalDisabled(principal, isDisabled)) }
    switch user {
    case .set(let uid): changes.append(.setPrincipalUser(principal, uid: uid))
    case .nobody: changes.append(.setPrincipalUser(principal, uid: nil))
    case nil: break
    }
    try OperatorCensus(directory, now: now).check(changes)
    return plan(principal, grant, changes, context)
  }

  func planGrant(
    _ record: GrantRecord, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let grant = try checkGranting(record.grant, context)
    try checkSight(of: record.principal, context)
    return plan(record.principal, grant, [.grant(record)], context, what: record.grant)
  }

  func planRevocation(
    _ record: GrantRecord, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let grant = try checkGranting(record.grant, context)
    try checkSight(of: record.principal, context)
    let changes: [TenancyChange] = [.revokeGrant(record)]
    try OperatorCensus(directory, now: directory.now()).check(changes)
    return plan(record.principal, grant, changes, context, what: record.grant)
  }

  // MARK: Rules

  /// A role is granted, and taken back, by a holder of one of its granters, and no wider than the
  /// granter's own scope.
  @discardableResult
  func checkGranting(
    _ wanted: Grant, _ context: CallContext
  ) throws(QubusError) -> Grant? {
    let identity = context.identity
    let scope = wanted.scope
    try identity.check(
      .managePrincipals,
      on: Resource(
        tenant: scope.tenant ?? "", project: scope.project ?? "",
        deviceFamily: scope.deviceFamily),
      now: directory.now(), hidden: Self.placeNotFound(scope))
    if let own = identity.grants.first(where: { $0.allowsGranting(wanted) }) { return own }
    throw QubusError(
      .permissionDenied,
      "\(context.principal.name) may not grant or revoke \(wanted.text): that takes "
        + Role.allCases.filter(wanted.role.granters.contains).map(\.rawValue)
        .joined(separator: " or ") + " of \(scope.text) or more",
      details: ["action": Action.managePrincipals.rawValue, "scope": scope.text])
  }

  /// Nobody acts as somebody of more rights, nor keeps such a one out: keys, invitations and
  /// disablement of another take the right to grant all that the other holds.
  func checkRank(over principal: Principal, _ context: CallContext) throws(QubusError) {
    for held in directory.grants(of: principal)
    where !context.identity.grants.contains(where: { $0.allowsGranting(held) }) {
      throw QubusError(
        .permissionDenied,
        "\(principal.text) is \(held.text), which \(context.principal.name) could not grant",
        details: ["action": Action.managePrincipals.rawValue, "scope": held.scope.text])
    }
  }

  /// A user of the machine needs no key: who is let in that way is the operator's to say.
  private func checkUserChange(_ context: CallContext) throws(QubusError) {
    try context.identity.check(
      .manageTenants, on: Resource(tenant: "", project: ""), now: directory.now())
  }

  private func checkSight(of principal: Principal, _ context: CallContext) throws(QubusError) {
    try context.identity.check(
      .readMembers, on: place(principal), now: directory.now(),
      hidden: .principalNotFound(principal))
    guard directory.principal(principal) != nil else { throw .principalNotFound(principal) }
  }

  /// The project that a principal is in, as managing it goes: it belongs to nobody.
  func place(_ principal: Principal) -> Resource {
    Resource(tenant: principal.tenant, project: principal.project)
  }

  private static func placeNotFound(_ scope: Scope) -> QubusError {
    guard let project = scope.project else { return .tenantNotFound(scope.tenant ?? "") }
    return .projectNotFound(scope.tenant ?? "", project)
  }

  // MARK: Answers

  private func plan(
    _ principal: Principal, _ grant: Grant?, _ changes: [TenancyChange], _ context: CallContext,
    what: Grant? = nil
  ) -> TenancyPlan {
    TenancyPlan(
      action: .managePrincipals, grant: grant,
      subject: "principal \(principal.text)" + (what.map { ": \($0.text)" } ?? ""),
      tenant: principal.tenant, changes: changes
    ) { [self] () throws(QubusError) in
      guard let record = directory.principal(principal) else {
        throw .principalNotFound(principal)
      }
      return .principal(report(record, context))
    }
  }

  /// With the grants that the caller may see.
  func report(_ record: PrincipalRecord, _ context: CallContext) -> PrincipalReport {
    let now = directory.now()
    let isOwn = record.principal == context.principal
    let grants = directory.grants(of: record.principal).filter { grant in
      isOwn
        || Authority.allows(
          context.identity, .readMembers,
          on: Resource(tenant: grant.scope.tenant ?? "", project: grant.scope.project ?? ""),
          now: now)
    }
    return PrincipalReport(record: record, grants: grants.sorted { $0.text < $1.text })
  }
}

extension Grant {
  /// Whether its holder may grant and revoke `other`.
  func allowsGranting(_ other: Grant) -> Bool {
    other.role.granters.contains(role) && scope.contains(other.scope)
  }
}

extension Authority {
  static func allows(
    _ identity: Identity, _ action: Action, on resource: Resource, now: Microseconds
  ) -> Bool {
    if case .allowed = decide(identity, action, on: resource, now: now) { return true }
    return false
  }
}
