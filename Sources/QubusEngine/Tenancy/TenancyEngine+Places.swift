internal import QubusCore
internal import QubusTenancy

/// Tenants and projects.
extension TenancyEngine {
  func planPlace(
    _ order: TenancyOrder, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let now = directory.now()
    let identity = context.identity
    switch order {
    case .createTenant(let name):
      // Of the whole service: the operator of one tenant makes no other.
      let grant = try identity.check(
        .manageTenants, on: Resource(tenant: "", project: ""), now: now)
      return TenancyPlan(
        action: .manageTenants, grant: grant, subject: "tenant \(name)", tenant: name,
        changes: [.createTenant(TenantRecord(name: name, createdAt: now))]
      ) { [self] () throws(QubusError) in try tenantAnswer(name) }
    case .updateTenant(let name, let isDisabled):
      let grant = try identity.check(
        .manageTenants, on: Resource(tenant: name, project: ""), now: now,
        hidden: .tenantNotFound(name))
      let changes: [TenancyChange] = [.setTenantDisabled(name, isDisabled)]
      try OperatorCensus(directory, now: now).check(changes)
      return TenancyPlan(
        action: .manageTenants, grant: grant, subject: "tenant \(name)", tenant: name,
        changes: changes
      ) { [self] () throws(QubusError) in try tenantAnswer(name) }
    case .eraseTenant(let name):
      let grant = try identity.check(
        .manageTenants, on: Resource(tenant: name, project: ""), now: now,
        hidden: .tenantNotFound(name))
      // In two steps, so that nobody destroys what somebody works on.
      guard directory.tenant(name)?.isDisabled != false else {
        throw .field(.invalidRequest, "name", "tenant \(name) is in use: disable it first")
      }
      return TenancyPlan(
        action: .manageTenants, grant: grant, subject: "tenant \(name)", tenant: name,
        changes: [.eraseTenant(name, at: now)]
      ) { [self] () throws(QubusError) in try tenantAnswer(name) }
    case .createProject(let tenant, let name, let owner):
      let grant = try identity.check(
        .manageProjects, on: Resource(tenant: tenant, project: ""), now: now,
        hidden: .tenantNotFound(tenant))
      let record = ProjectRecord(tenant: tenant, name: name, owner: owner, createdAt: now)
      return TenancyPlan(
        action: .manageProjects, grant: grant, subject: "project \(tenant)/\(name)",
        tenant: tenant, changes: [.createProject(record)]
      ) { [self] () throws(QubusError) in try projectAnswer(tenant, name) }
    case .updateProject(let tenant, let name, let isDisabled, let owner):
      let grant = try identity.check(
        .manageProjects, on: Resource(tenant: tenant, project: name), now: now,
        hidden: .projectNotFound(tenant, name))
      var changes: [TenancyChange] = []
      if let owner { changes.append(.setProjectOwner(tenant: tenant, name: name, owner: owner)) }
      if let isDisabled {
        changes.append(.setProjectDisabled(tenant: tenant, name: name, isDisabled))
      }
      return TenancyPlan(
        action: .manageProjects, grant: grant, subject: "project \(tenant)/\(name)",
        tenant: tenant, changes: changes
      ) { [self] () throws(QubusError) in try projectAnswer(tenant, name) }
    default: throw QubusError(.internalError, "\(order.method) is about no tenant or project")
    }
  }

  private func tenantAnswer(_ name: String) throws(QubusError) -> TenancyAnswer {
    guard let record = directory.tenant(name) else { throw .tenantNotFound(name) }
    return .tenant(record)
  }

  private func projectAnswer(
    _ tenant: String, _ name: String
  ) throws(QubusError) -> TenancyAnswer {
    guard let record = directory.project(tenant, name) else {
      throw .projectNotFound(tenant, name)
    }
    return .project(record)
  }
}
