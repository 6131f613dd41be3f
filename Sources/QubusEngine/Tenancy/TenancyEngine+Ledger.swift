internal import QubusCore
internal import QubusJobs
package import QubusTenancy

/// Where the money is kept.
package struct LedgerSurroundings: Sendable {
  package var book: LedgerBook
  package var store: any LedgerStore
  /// Names of the devices that can have a price or a tenant of their own.
  package var devices: [String]

  package init(book: LedgerBook, store: any LedgerStore, devices: [String]) {
    self.book = book
    self.store = store
    self.devices = devices
  }

  fileprivate func check(_ device: String, _ field: String) throws(QubusError) {
    try devices.checkDevice(device, field)
  }
}

/// Prices, credit, budgets, and what was used.
extension TenancyEngine {
  private func money() throws(QubusError) -> LedgerSurroundings {
    guard let ledger else {
      throw QubusError(.unknownMethod, "this service keeps no ledger")
    }
    return ledger
  }

  // MARK: Changes

  func planLedger(
    _ order: LedgerOrder, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let (ledger, now) = (try money(), directory.now())
    switch order {
    case .setPrice(let device, let price):
      let grant = try context.identity.check(
        .manageCredit, on: Resource(tenant: "", project: ""), now: now)
      try ledger.check(device, "price.device")
      return TenancyPlan(
        action: .manageCredit, grant: grant, subject: "price of \(device)", tenant: "",
        changes: [.ledger(.setPrice(device: device, price))]
      ) { () throws(QubusError) in .price(device: device, price ?? Price()) }
    case .grantCredit(let project, let amount, let periodSeconds, let validSeconds):
      let grant = try check(.manageCredit, project, context)
      let end = validSeconds.map { now + Microseconds($0 * 1e6) }
      let period = periodSeconds.map { now + $0 * 1_000_000 }
      let entitlement = Entitlement(
        number: ledger.book.nextEntitlement, project: project, amount: amount,
        periodSeconds: periodSeconds, createdAt: now,
        expiresAt: [period, end].compactMap { $0 }.min(), endsAt: period == nil ? nil : end)
      return TenancyPlan(
        action: .manageCredit, grant: grant, subject: "credit of \(project.text)",
        tenant: project.tenant, changes: [.ledger(.grant(entitlement))]
      ) { () throws(QubusError) in
        .entitlement(CreditReport.Entry(entitlement: entitlement, balance: amount))
      }
    case .dedicateDevice(let device, let tenant):
      return try planDedication(of: device, to: tenant, ledger, context)
    case .setBudget(let budget):
      let grant = try check(.manageBudgets, budget.project, context)
      return TenancyPlan(
        action: .manageBudgets, grant: grant, subject: "budget of \(budget.text)",
        tenant: budget.project.tenant, changes: [.ledger(.setBudget(budget))]
      ) { [directory] () throws(QubusError) in
        let reports = ledger.book.budgets(of: budget.project, now: directory.now())
        return .budget(
          reports.first { $0.budget == budget }
            ?? BudgetReport(budget: budget, used: 0, resetsAt: nil))
      }
    }
  }

  private func planDedication(
    of device: String, to tenant: String?, _ ledger: LedgerSurroundings, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let grant = try context.identity.check(
      .manageDevices, on: Resource(tenant: "", project: ""), now: directory.now())
    try ledger.check(device, "device")
    return TenancyPlan(
      action: .manageDevices, grant: grant,
      subject: "device \(device): \(tenant.map { "of \($0) alone" } ?? "everybody's")",
      tenant: tenant ?? "", changes: [.ledger(.dedicate(device: device, tenant: tenant))]
    ) { () throws(QubusError) in .dedication(device: device, tenant: tenant) }
  }

  private func check(
    _ action: Action, _ project: LedgerProject, _ context: CallContext
  ) throws(QubusError) -> Grant? {
    try context.identity.check(
      action, on: Resource(tenant: project.tenant, project: project.project),
      now: directory.now(), hidden: .projectNotFound(project.tenant, project.project))
  }

  // MARK: Reads

  func answer(
    _ query: LedgerQuery, _ context: CallContext
  ) throws(QubusError) -> TenancyAnswer {
    let ledger = try money()
    switch query {
    case .budgets(let scope):
      let place = try place(scope, context)
      let now = directory.now()
      let projects = ledger.book.projects.filter {
        (place.tenant.isEmpty || $0.tenant == place.tenant)
          && (place.project.isEmpty || $0.project == place.project)
      }
      return .budgets(
        projects.flatMap { ledger.book.budgets(of: $0, now: now) },
        projects.map { ledger.book.credit(of: $0, now: now) }, prices: ledger.book.prices)
    case .usage(var usage, let scope):
      let place = try place(scope, context)
      usage.tenant = place.tenant
      usage.project = place.project
      return .usage(try ledger.store.usage(usage))
    }
  }

  /// Empty names: all. Whoever may see the jobs of a place may see what they cost.
  private func place(
    _ scope: LedgerScope, _ context: CallContext
  ) throws(QubusError) -> Resource {
    let principal = context.principal
    switch scope {
    case .own:
      let project = LedgerProject(
        tenant: principal.tenant, project: context.identity.token?.project ?? principal.project)
      return try place(.project(project), context)
    case .project(let project):
      _ = try check(.readJobs, project, context)
      return Resource(tenant: project.tenant, project: project.project)
    case .tenant(let tenant):
      let resource = Resource(tenant: tenant, project: "")
      try context.identity.check(
        .readJobs, on: resource, now: directory.now(), hidden: .tenantNotFound(tenant))
      return resource
    case .everything:
      let resource = Resource(tenant: "", project: "")
      try context.identity.check(.readJobs, on: resource, now: directory.now())
      return resource
    }
  }
}
