import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("Administration of quotas and policies")
struct TenancyQuotaTests {
  private typealias H = TenancyHarness
  private static let lab = QuotaScope.tenant("lab")
  private static let qc = QuotaScope.project(tenant: "lab", "qc")
  private static let sam = QuotaScope.principal(H.sam)

  @Test("whoever is above bounds: operators tenants, tenant admins projects, project admins people")
  func ranks() throws {
    let harness = try H()
    let allowed: [(QuotaScope, [Principal])] = [
      (Self.lab, [H.root]), (Self.qc, [H.root, H.tia]), (Self.sam, [H.root, H.tia, H.pia]),
    ]
    for (scope, admins) in allowed {
      for principal in H.everyone {
        let refusal = try harness.refusal(.setQuota(scope, .sessions, limit: 3), as: principal)
        #expect((refusal == nil) == admins.contains(principal), "\(scope.text) \(principal.name)")
      }
    }
    // Another tenant's scope answers as one that does not exist.
    let foreign = try harness.refusal(.setQuota(Self.qc, .sessions, limit: 1), as: H.olga)
    #expect(foreign?.code == .projectNotFound)
    #expect(
      try harness.refusal(.setQuota(.tenant("x"), .sessions, limit: 1), as: H.root)?.code
        == .tenantNotFound)
  }

  @Test("whoever is above weighs, and the weight is in force when it is answered, with evidence")
  func weights() throws {
    let harness = try H()
    let told = Monitor<[QuotaScope: Double]>([:])
    harness.engine.weights.watch { weights in told.signal { $0 = weights } }
    let allowed: [(QuotaScope, [Principal])] = [
      (Self.lab, [H.root]), (Self.qc, [H.root, H.tia]), (Self.sam, [H.root, H.tia, H.pia]),
    ]
    for (scope, admins) in allowed {
      for principal in H.everyone {
        let refusal = try harness.refusal(.setWeight(scope, 3), as: principal)
        #expect((refusal == nil) == admins.contains(principal), "\(scope.text) \(principal.name)")
      }
    }
    #expect(told.withLock { $0 } == [Self.lab: 3, Self.qc: 3, Self.sam: 3])
    let answer = try harness.perform(.setWeight(Self.sam, 0.5), as: H.pia, reason: "thesis")
    #expect(answer == .weight(Self.sam, 0.5))
    #expect(harness.lastEntry?.subject == "weight of lab/qc/sam: 0.5")
    #expect(harness.lastEntry?.method == "SetWeight" && harness.lastEntry?.reason == "thesis")
    try harness.perform(.setWeight(Self.lab, nil), as: H.root)
    #expect(harness.lastEntry?.subject == "weight of lab: as configured")
    #expect(told.withLock { $0 } == [Self.qc: 3, Self.sam: 0.5])
    #expect(harness.store.snapshot().weights.count == 2)
    #expect(try harness.refusal(.setWeight(Self.sam, -1), as: H.pia)?.code == .invalidRequest)
  }

  @Test("a limit for a family of devices is set where its place is, and told with it")
  func families() throws {
    let harness = try H()
    let scope = Self.qc.on("sim")
    try harness.perform(.setQuota(scope, .shotsPerDay, limit: 7), as: H.tia)
    #expect(harness.lastEntry?.subject == "quota shots_per_day of lab/qc on sim: 7")
    #expect(try harness.refusal(.setQuota(scope, .shotsPerDay, limit: 9), as: H.pia) != nil)
    #expect(
      try harness.refusal(.setQuota(scope, .sessions, limit: 1), as: H.tia)?.violations.first?.field
        == "device_family")
    let statuses = harness.engine.quotas.statuses(of: [Self.qc])
    #expect(statuses.filter { $0.limit != nil }.map(\.scope) == [scope])
  }

  @Test("a limit is in force when it is answered, with evidence; one that is lifted binds no more")
  func inForce() throws {
    let harness = try H()
    let answer = try harness.perform(
      .setQuota(Self.sam, .jobsQueued, limit: 1), as: H.pia, reason: "exam week")
    guard case .quotas(let statuses, _) = answer else {
      Issue.record("another answer")
      return
    }
    #expect(statuses.map(\.limit) == [1])
    let entry = try #require(harness.lastEntry)
    #expect(entry.method == "SetQuota" && entry.reason == "exam week")
    #expect(entry.subject == "quota jobs_queued of lab/qc/sam: 1" && entry.tenant == "lab")
    let keeper = harness.engine.quotas
    let ids = IdentifierSource(clock: harness.clock)
    let demand = JobDemand(shots: 1, memoryBytes: 0)
    _ = try keeper.admit(ids.next(), demand, of: H.sam)
    #expect(throws: QubusError.self) { try keeper.admit(ids.next(), demand, of: H.sam) }
    try harness.perform(.setQuota(Self.sam, .jobsQueued, limit: nil), as: H.pia)
    _ = try keeper.admit(ids.next(), demand, of: H.sam)
    #expect(harness.store.snapshot().quotas.isEmpty)
  }

  @Test("one sees one's own place; administrators and auditors see that of others")
  func reading() throws {
    let harness = try H()
    guard case .quotas(let own, _) = try harness.answer(.quota(nil), as: H.sam) else {
      Issue.record("another answer")
      return
    }
    #expect(own.count == 3 * Quota.allCases.count && own.first?.scope == Self.sam)
    for scope in [Self.lab, Self.qc, Self.sam] {
      #expect(try harness.refusal(.quota(scope), as: H.sam) == nil)
      #expect(try harness.refusal(.quota(scope), as: H.tia) == nil)
      #expect(try harness.refusal(.quota(scope), as: H.olga) != nil)
    }
    #expect(try harness.refusal(.quota(.principal(H.pia)), as: H.sam)?.code == .principalNotFound)
    #expect(
      try harness.refusal(.quota(.project(tenant: "lab", "nmr")), as: H.sam)?.code
        == .projectNotFound)
  }

  @Test("lists hold what is set and seen, page by page")
  func listing() throws {
    let harness = try H()
    for (scope, quota) in [
      (Self.lab, Quota.sessions), (Self.qc, .shotsPerDay), (.tenant("other"), .sessions),
    ] {
      try harness.perform(.setQuota(scope, quota, limit: 9), as: H.root)
    }
    func names(_ page: TenancyPage, _ tenant: String? = nil, as principal: Principal) throws
      -> ([String], String)
    {
      guard
        case .quotas(let found, let next) = try harness.answer(
          .quotas(tenant: tenant, page), as: principal)
      else { return ([], "wrong") }
      return (found.map(\.name), next)
    }
    #expect(
      try names(TenancyPage(limit: 9), as: H.tia) == (["lab sessions", "lab/qc shots_per_day"], ""))
    let (first, next) = try names(TenancyPage(limit: 1), as: H.root)
    #expect(first == ["lab sessions"] && next == "lab sessions")
    #expect(
      try names(TenancyPage(limit: 9, after: next), as: H.root).0
        == ["lab/qc shots_per_day", "other sessions"])
    #expect(try names(TenancyPage(limit: 9), "other", as: H.tia).0.isEmpty)
  }

  @Test("who may archive the tenant's administrators say; the audit names the destinations")
  func exportPolicies() throws {
    let harness = try H()
    let policy = ExportPolicy(
      key: .init(tenant: "lab", project: "qc"), destinations: ["vault", "desk"])
    #expect(
      try harness.refusal(.setExportPolicy(policy), as: H.olga)?.code == .projectNotFound)
    for principal in [H.pia, H.sam, H.vic] {
      #expect(
        try harness.refusal(.setExportPolicy(policy), as: principal)?.code == .permissionDenied)
    }
    try harness.perform(.setExportPolicy(policy), as: H.tia, reason: "contract 17")
    #expect(harness.engine.exportPolicies.all == [policy])
    #expect(harness.engine.exportPolicies.policy(for: H.sam) == policy)
    #expect(harness.engine.exportPolicies.policy(for: H.nina) == nil)
    #expect(harness.lastEntry?.subject == "export policy of lab/qc: vault, desk")
    #expect(harness.lastEntry?.method == "SetExportPolicy")
    #expect(harness.lastEntry?.reason == "contract 17")
    for principal in [H.tia, H.root, H.pia, H.ada] {
      let answer = try harness.answer(
        .exportPolicies(tenant: "lab", TenancyPage(limit: 9)), as: principal)
      #expect(answer == .exportPolicies([policy], next: ""))
    }
    #expect(
      try harness.answer(.exportPolicies(tenant: "other", TenancyPage(limit: 9)), as: H.tia)
        == .exportPolicies([], next: ""))
    #expect(
      try harness.refusal(.exportPolicies(tenant: nil, TenancyPage(limit: 9)), as: H.sam)?.code
        == .permissionDenied)
    // An administrator of the project is under the policy, and makes nobody a reviewer.
    let grant = Grant(.reviewer, Scope(tenant: "lab", project: "qc"))
    let record = GrantRecord(principal: H.sam, grant: grant)
    #expect(try harness.refusal(.grantRole(record), as: H.pia)?.code == .permissionDenied)
    try harness.perform(.grantRole(record), as: H.tia)
    try harness.perform(.removeExportPolicy(policy.key), as: H.tia)
    #expect(harness.engine.exportPolicies.all.isEmpty)
    #expect(try harness.refusal(.removeExportPolicy(policy.key), as: H.tia) != nil)
  }

  @Test("policies are the tenant administrators', and are in force when they are answered")
  func policies() throws {
    let harness = try H()
    var policy = ApprovalPolicy(
      key: .init(tenant: "lab", project: "qc", experimentClass: "demo"))
    policy.maxShots = 10
    for principal in [H.pia, H.sam, H.olga] {
      #expect(try harness.refusal(.setApprovalPolicy(policy), as: principal) != nil)
    }
    try harness.perform(.setApprovalPolicy(policy), as: H.tia, reason: "budget")
    #expect(harness.engine.approvalPolicies.all == [policy])
    #expect(harness.lastEntry?.subject == "approval policy of lab/qc demo")
    #expect(harness.lastEntry?.method == "SetApprovalPolicy")
    try harness.perform(.removeApprovalPolicy(policy.key), as: H.tia)
    #expect(harness.engine.approvalPolicies.all.isEmpty)
    #expect(try harness.refusal(.removeApprovalPolicy(policy.key), as: H.tia) != nil)
  }
}
