internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Quotas, weights and policies.
extension TenancyEngine {
  /// Whoever is above may bound: a tenant is the operators', a project its tenant's
  /// administrators', a principal its project's.
  private func manager(of scope: QuotaScope) -> (action: Action, place: Resource) {
    switch scope.place {
    case .tenant: (.manageTenants, scope.resource)
    case .project: (.manageProjects, scope.resource)
    case .principal: (.managePrincipals, scope.resource)
    }
  }

  func hidden(_ scope: QuotaScope) -> QubusError {
    switch scope.place {
    case .tenant(let tenant): .tenantNotFound(tenant)
    case .project(let tenant, let project): .projectNotFound(tenant, project)
    case .principal(let principal): .principalNotFound(principal)
    }
  }

  func planQuota(
    _ scope: QuotaScope, _ quota: Quota, _ limit: Int64?, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let (action, place) = manager(of: scope)
    let grant = try context.identity.check(
      action, on: place, now: directory.now(), hidden: hidden(scope))
    if let refusal = quota.refusal(for: scope) { throw refusal }
    if let limit { try quota.check(limit) }
    return TenancyPlan(
      action: action, grant: grant,
      subject: "quota \(quota.rawValue) of \(scope.text): \(limit.map(String.init) ?? "none")",
      tenant: scope.tenant, changes: [.setQuota(scope, quota, limit: limit)]
    ) { [self] in .quotas(withReservations([quotas.status(of: scope, quota)]), next: "") }
  }

  func planWeight(
    _ scope: QuotaScope, _ weight: Double?, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let (action, place) = manager(of: scope)
    let grant = try context.identity.check(
      action, on: place, now: directory.now(), hidden: hidden(scope))
    if let refusal = weight.flatMap({ ShareWeight.refusal(of: $0) }) { throw refusal }
    return TenancyPlan(
      action: action, grant: grant,
      subject: "weight of \(scope.text): \(weight.map { String($0) } ?? "as configured")",
      tenant: scope.tenant, changes: [.setWeight(scope, weight)]
    ) { .weight(scope, weight) }
  }

  func planPolicy(
    _ policy: ApprovalPolicy, _ change: TenancyChange, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let key = policy.key
    let grant = try context.identity.check(
      .manageProjects, on: Resource(tenant: key.tenant, project: key.project ?? ""),
      now: directory.now(),
      hidden: key.project.map { .projectNotFound(key.tenant, $0) } ?? .tenantNotFound(key.tenant))
    return TenancyPlan(
      action: .manageProjects, grant: grant, subject: "approval policy of \(key.text)",
      tenant: key.tenant, changes: [change]
    ) { .approvalPolicy(policy) }
  }

  func planExports(
    _ policy: ExportPolicy, _ change: TenancyChange, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let key = policy.key
    let grant = try context.identity.check(
      .manageProjects, on: Resource(tenant: key.tenant, project: key.project),
      now: directory.now(), hidden: .projectNotFound(key.tenant, key.project))
    let places = policy.destinations.isEmpty ? "none" : policy.destinations.joined(separator: ", ")
    return TenancyPlan(
      action: .manageProjects, grant: grant, subject: "export policy of \(key.text): \(places)",
      tenant: key.tenant, changes: [change]
    ) { .exportPolicies([policy], next: "") }
  }

  // MARK: Reads

  /// One's own, the project's and the tenant's that one works in; others' as their members.
  func quotaAnswer(
    of scope: QuotaScope?, _ context: CallContext
  ) throws(QubusError) -> TenancyAnswer {
    let own = QuotaScope.all(of: context.principal)
    guard let scope else {
      return .quotas(withReservations(quotas.statuses(of: own.reversed())), next: "")
    }
    if !own.contains(scope.on(nil)) {
      try context.identity.check(
        .readMembers, on: manager(of: scope).place, now: directory.now(), hidden: hidden(scope))
      guard exists(scope) else { throw hidden(scope) }
    }
    return .quotas(withReservations(quotas.statuses(of: [scope])), next: "")
  }

  private func exists(_ scope: QuotaScope) -> Bool {
    switch scope.place {
    case .tenant(let tenant): directory.tenant(tenant) != nil
    case .project(let tenant, let project): directory.project(tenant, project) != nil
    case .principal(let principal): directory.principal(principal) != nil
    }
  }

  func exportsAnswer(
    of tenant: String?, _ page: TenancyPage, _ context: CallContext
  ) throws(QubusError) -> TenancyAnswer {
    let now = directory.now()
    try context.identity.checkAnywhere(.readMembers, now: now)
    let seen = exportPolicies.all.filter { policy in
      let place = Resource(tenant: policy.key.tenant, project: policy.key.project)
      return (tenant.map { $0 == policy.key.tenant } ?? true)
        && Authority.allows(context.identity, .readMembers, on: place, now: now)
    }
    let (found, next) = page.cut(seen, by: \.key.text)
    return .exportPolicies(found, next: next)
  }

  func limitsAnswer(
    of tenant: String?, _ page: TenancyPage, _ context: CallContext
  ) throws(QubusError) -> TenancyAnswer {
    let now = directory.now()
    try context.identity.checkAnywhere(.readMembers, now: now)
    let seen = quotas.limits.filter { record in
      (tenant.map { record.scope.tenant == $0 } ?? true)
        && Authority.allows(
          context.identity, .readMembers, on: manager(of: record.scope).place, now: now)
    }
    let statuses = withReservations(seen.map { quotas.status(of: $0.scope, $0.quota) })
    let (found, next) = page.cut(statuses, by: \.name)
    return .quotas(found, next: next)
  }
}
