import QubusCore
import QubusEngine
import QubusJobs
import QubusTenancy
import Testing

@Suite("Administration of tenants and projects")
struct TenancyPlaceTests {
  typealias T = TenancyHarness

  @Test("an operator makes a tenant; the change, who, why and by which grant are in the audit")
  func createTenant() throws {
    let harness = try TenancyHarness()
    let answer = try harness.perform(
      .createTenant(name: "uni"), as: T.root, reason: "a new group")
    guard case .tenant(let record) = answer else {
      Issue.record("\(answer)")
      return
    }
    #expect(record.name == "uni" && !record.isDisabled)
    #expect(harness.directory.tenant("uni") != nil)
    let entry = try #require(harness.lastEntry)
    #expect(entry.method == "CreateTenant" && entry.action == "tenants.manage")
    #expect(entry.principal == T.root && entry.credential == "uid:1000")
    #expect(entry.subject == "tenant uni" && entry.tenant == "uni")
    #expect(entry.outcome == .allowed && entry.policy == "operator of everything")
    #expect(entry.reason == "a new group" && entry.traceID.hasPrefix("0af7"))
    #expect(harness.store.verifyAudit().brokenAt == nil)
  }

  @Test("nobody else makes or disables tenants; others' tenants are hidden, word for word")
  func tenantsAreTheOperators() throws {
    let harness = try TenancyHarness()
    for principal in T.everyone where principal != T.root {
      #expect(
        try harness.refusal(.createTenant(name: "uni"), as: principal)?.code == .permissionDenied)
      let own = try harness.refusal(
        .updateTenant(name: principal.tenant, isDisabled: true), as: principal)
      #expect(own?.code == .permissionDenied)
      let foreign = principal.tenant == "lab" ? "other" : "lab"
      let hidden = try harness.refusal(
        .updateTenant(name: foreign, isDisabled: true), as: principal)
      let absent = try harness.refusal(
        .updateTenant(name: "nowhere", isDisabled: true), as: principal)
      #expect(hidden?.code == .tenantNotFound)
      #expect(
        hidden?.message.replacing(foreign, with: "nowhere") == absent?.message
          && hidden?.details == absent?.details)
    }
    #expect(harness.store.audit.records.count == 1)
  }

  @Test("a name that is there is refused, a tenant that is not there is not found")
  func contradictions() throws {
    let harness = try TenancyHarness()
    #expect(try harness.refusal(.createTenant(name: "lab"), as: T.root)?.code == .nameTaken)
    #expect(
      try harness.refusal(.createProject(tenant: "lab", name: "qc", owner: ""), as: T.tia)?.code
        == .nameTaken)
    #expect(
      try harness.refusal(.createProject(tenant: "nowhere", name: "p", owner: ""), as: T.root)?
        .code == .tenantNotFound)
    #expect(
      try harness.refusal(.createProject(tenant: "lab", name: "p", owner: "nobody"), as: T.tia)?
        .code == .principalNotFound)
    #expect(harness.store.audit.records.count == 1)
  }

  @Test("a disabled tenant's principals are nobody; its sessions end; enabled it is as before")
  func disableTenant() throws {
    let harness = try TenancyHarness()
    let before = harness.directory.version
    try harness.perform(.updateTenant(name: "lab", isDisabled: true), as: T.root)
    #expect(harness.directory.version > before)
    #expect(Set(harness.ended.withLock { $0 }) == Set(T.everyone.filter { $0.tenant == "lab" }))
    #expect(harness.directory.identity(of: .key(T.key(2))) == nil)
    try harness.perform(.updateTenant(name: "lab", isDisabled: false), as: T.root)
    #expect(harness.directory.identity(of: .key(T.key(2)))?.principal == T.sam)
  }

  @Test("a tenant is erased by the operator, once it is disabled, and the audit has the reason")
  func eraseTenant() throws {
    let harness = try TenancyHarness()
    #expect(
      try harness.refusal(.eraseTenant(name: "lab"), as: T.tia)?.code == .permissionDenied)
    #expect(
      try harness.refusal(.eraseTenant(name: "other"), as: T.tia)?.code == .tenantNotFound)
    #expect(try harness.refusal(.eraseTenant(name: "lab"), as: T.root)?.code == .invalidRequest)
    try harness.perform(.updateTenant(name: "lab", isDisabled: true), as: T.root)
    try harness.perform(.eraseTenant(name: "lab"), as: T.root, reason: "they left")
    let entry = try #require(harness.store.audit.records.last?.entry)
    #expect(entry.method == "EraseTenant" && entry.subject == "tenant lab")
    #expect(entry.action == "tenants.manage" && entry.reason == "they left")
  }

  @Test("a disabled project ends its sessions and suspends its principals, of its tenant alone")
  func disableProject() throws {
    let harness = try TenancyHarness()
    #expect(
      try harness.refusal(
        .updateProject(tenant: "lab", name: "qc", isDisabled: true, owner: nil), as: T.pia)?.code
        == .permissionDenied)
    try harness.perform(
      .updateProject(tenant: "lab", name: "qc", isDisabled: true, owner: nil), as: T.tia)
    #expect(
      Set(harness.ended.withLock { $0 })
        == Set(T.everyone.filter { $0.tenant == "lab" && $0.project == "qc" }))
    let sam = try harness.identity(T.sam)
    #expect(sam.isSuspended)
    let refusal = #expect(throws: QubusError.self) {
      try sam.check(.submitJobs, on: T.sam.resource, now: harness.clock.now())
    }
    #expect(refusal?.code == .projectDisabled)
    try sam.check(.readResults, on: T.sam.resource, now: harness.clock.now())
    #expect(try !harness.identity(T.nina).isSuspended)
  }

  @Test("a project's owner is a principal of the tenant, and can change")
  func owner() throws {
    let harness = try TenancyHarness()
    let answer = try harness.perform(
      .createProject(tenant: "lab", name: "new", owner: "sam"), as: T.tia)
    guard case .project(let made) = answer else {
      Issue.record("\(answer)")
      return
    }
    #expect(made.owner == "sam" && made.tenant == "lab" && made.name == "new")
    let changed = try harness.perform(
      .updateProject(tenant: "lab", name: "new", isDisabled: nil, owner: "pia"), as: T.tia)
    guard case .project(let record) = changed else {
      Issue.record("\(changed)")
      return
    }
    #expect(record.owner == "pia" && !record.isDisabled)
  }

  @Test("lists show what the caller's roles reach, in pages that miss and repeat nothing")
  func lists() throws {
    let harness = try TenancyHarness()
    func tenants(_ principal: Principal) throws -> [String] {
      guard
        case .tenants(let records, _) = try harness.answer(
          .tenants(TenancyPage(limit: 100)), as: principal)
      else { return [] }
      return records.map(\.name)
    }
    #expect(try tenants(T.root) == ["default", "lab", "other"])
    #expect(try tenants(T.tia) == ["lab"])
    #expect(try tenants(T.pia) == ["lab"])
    #expect(try tenants(T.ada) == ["lab"])
    for principal in [T.sam, T.vic, T.olga] {
      #expect(
        try harness.refusal(.tenants(TenancyPage(limit: 100)), as: principal)?.code
          == .permissionDenied)
    }
    var seen: [String] = []
    var after = ""
    repeat {
      guard
        case .principals(let page, let next) = try harness.answer(
          .principals(tenant: nil, project: nil, TenancyPage(limit: 3, after: after)), as: T.root)
      else {
        Issue.record("no list")
        return
      }
      #expect(page.count <= 3)
      seen += page.map(\.record.principal.text)
      after = next
    } while !after.isEmpty
    #expect(seen == T.everyone.map(\.text).sorted())
    guard
      case .principals(let ofProject, _) = try harness.answer(
        .principals(tenant: nil, project: nil, TenancyPage(limit: 100)), as: T.pia)
    else {
      Issue.record("no list")
      return
    }
    #expect(Set(ofProject.map(\.record.principal)) == [T.tia, T.pia, T.sam, T.vic, T.ada])
    // The grant of the tenant's administrator reaches beyond the project.
    #expect(ofProject.first { $0.record.principal == T.tia }?.grants == [])
    for query in [
      TenancyQuery.projects(tenant: "other", TenancyPage(limit: 1)),
      .principals(tenant: "other", project: nil, TenancyPage(limit: 1)),
    ] { #expect(try harness.refusal(query, as: T.tia)?.code == .tenantNotFound) }
    #expect(
      try harness.refusal(
        .principals(tenant: "lab", project: "nmr", TenancyPage(limit: 1)), as: T.pia)?.code
        == .projectNotFound)
  }
}
