package import QubusCore
internal import QubusJobs
package import QubusTenancy

extension TenancyEngine {
  package func answer(
    _ query: TenancyQuery, context: CallContext
  ) throws(QubusError) -> TenancyAnswer {
    guard !context.identity.isInvitation else { throw Self.onlyForAKey }
    switch query {
    case .tenants(let page): return try tenants(page, context)
    case .projects(let tenant, let page): return try projects(of: tenant, page, context)
    case .principals(let tenant, let project, let page):
      return try principals(of: tenant, project, page, context)
    case .keys(let principal): return try keys(of: principal ?? context.principal, context)
    case .audit(let number, let tenant, let limit):
      return try audit(after: number, of: tenant, limit: limit, context)
    case .verifyAudit(let checkpoint):
      try checkAuditor(context)
      guard let checkpoint else { return .auditReport(try store.verifyAudit()) }
      return .auditReport(try store.verifyAudit(against: checkpoint))
    case .auditCheckpoint:
      try checkAuditor(context)
      return .auditCheckpoint(try store.auditCheckpoint())
    case .ledger(let query): return try answer(query, context)
    case .quota(let scope): return try quotaAnswer(of: scope, context)
    case .quotas(let tenant, let page): return try limitsAnswer(of: tenant, page, context)
    case .exportPolicies(let tenant, let page):
      return try exportsAnswer(of: tenant, page, context)
    case .reservations(let device, let page):
      return try calendarAnswer(of: device, page, context)
    }
  }

  // MARK: Lists

  private func tenants(
    _ page: TenancyPage, _ context: CallContext
  ) throws(QubusError) -> TenancyAnswer {
    try context.identity.checkAnywhere(.readMembers, now: directory.now())
    let seen = directory.tenants().filter { sees(tenant: $0.name, context) }
    let (records, next) = page.cut(seen, by: \.name)
    return .tenants(records, next: next)
  }

  private func projects(
    of tenant: String?, _ page: TenancyPage, _ context: CallContext
  ) throws(QubusError) -> TenancyAnswer {
    try context.identity.checkAnywhere(.readMembers, now: directory.now())
    if let tenant, directory.tenant(tenant) == nil || !sees(tenant: tenant, context) {
      throw .tenantNotFound(tenant)
    }
    let seen = directory.projects(of: tenant).filter { sees($0.tenant, $0.name, context) }
    let (records, next) = page.cut(seen) { "\($0.tenant)/\($0.name)" }
    return .projects(records, next: next)
  }

  private func principals(
    of tenant: String?, _ project: String?, _ page: TenancyPage, _ context: CallContext
  ) throws(QubusError) -> TenancyAnswer {
    try context.identity.checkAnywhere(.readMembers, now: directory.now())
    if let tenant {
      guard directory.tenant(tenant) != nil, sees(tenant: tenant, context) else {
        throw .tenantNotFound(tenant)
      }
      if let project {
        guard directory.project(tenant, project) != nil, sees(tenant, project, context) else {
          throw .projectNotFound(tenant, project)
        }
      }
    }
    let seen = directory.principals(of: tenant, project: project).filter {
      sees($0.principal.tenant, $0.principal.project, context)
    }
    let (records, next) = page.cut(seen, by: \.principal.text)
    return .principals(records.map { report($0, context) }, next: next)
  }

  private func keys(
    of principal: Principal, _ context: CallContext
  ) throws(QubusError) -> TenancyAnswer {
    let now = directory.now()
    if principal == context.principal {
      try context.identity.check(.rotateKeys, on: principal.resource, now: now)
    } else {
      try context.identity.check(
        .readMembers, on: place(principal), now: now, hidden: .principalNotFound(principal))
      guard directory.principal(principal) != nil else { throw .principalNotFound(principal) }
    }
    return .keys(
      directory.keys(of: principal).map { KeyReport(record: $0, isValid: $0.isValid(at: now)) })
  }

  private func sees(_ tenant: String, _ project: String, _ context: CallContext) -> Bool {
    Authority.allows(
      context.identity, .readMembers, on: Resource(tenant: tenant, project: project),
      now: directory.now())
  }

  /// Whoever sees one project of a tenant knows of the tenant.
  private func sees(tenant: String, _ context: CallContext) -> Bool {
    let identity = context.identity
    if sees(tenant, "", context) { return true }
    return identity.grants.contains { grant in
      grant.scope.tenant == tenant
        && sees(tenant, grant.scope.project ?? "", context)
    }
  }

  // MARK: Audit

  /// A tenant's auditor sees the tenant's records and no others.
  private func audit(
    after number: UInt64, of tenant: String?, limit: Int, _ context: CallContext
  ) throws(QubusError) -> TenancyAnswer {
    let now = directory.now()
    let identity = context.identity
    var tenant = tenant
    if let tenant {
      try identity.check(
        .readAudit, on: Resource(tenant: tenant, project: ""), now: now,
        hidden: .tenantNotFound(tenant))
      guard directory.tenant(tenant) != nil else { throw .tenantNotFound(tenant) }
    } else if !Authority.allows(
      identity, .readAudit, on: Resource(tenant: "", project: ""), now: now)
    {
      tenant = context.principal.tenant
      try identity.check(
        .readAudit, on: Resource(tenant: context.principal.tenant, project: ""), now: now)
    }
    // One more than asked for tells whether there is a next page.
    let records = try store.auditRecords(after: number, tenant: tenant, limit: limit + 1)
    return .audit(Array(records.prefix(limit)), isComplete: records.count <= limit)
  }

  /// The chain is the service's: it takes an auditor of everything.
  private func checkAuditor(_ context: CallContext) throws(QubusError) {
    try context.identity.check(
      .readAudit, on: Resource(tenant: "", project: ""), now: directory.now())
  }
}

extension TenancyPage {
  /// The page of what was found, in order of the names, and where the next one begins.
  func cut<Record>(
    _ records: [Record], by name: (Record) -> String
  ) -> (records: [Record], next: String) {
    let named = records.map { (name: name($0), record: $0) }
      .filter { after.isEmpty || $0.name > after }
      .sorted { $0.name < $1.name }
    let page = named.prefix(limit)
    return (page.map(\.record), named.count > limit ? page.last?.name ?? "" : "")
  }
}
