import CQubusProto
import QubusCore
import QubusEngine
import QubusJobs
import QubusTenancy
import QubusWire
import Testing

@testable import QubusServer

@Suite("Server: administration")
struct TenancyTests {
  private func read<Message, Value>(
    _ bytes: [UInt8], _ method: Method, _ body: (Message) throws -> Value
  ) throws -> Value {
    let descriptor = try #require(method.responseDescriptor)
    return try bytes.withUnsafeBytes { raw in
      try WireMessage<Message>(raw, descriptor: descriptor, limits: WireLimits(Limits()))
        .read(body)
    }
  }

  private func createTenant(_ name: String) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__create_tenant_request__init)
    message.pointee.name = builder.text(name)
    message.pointee.reason = builder.text("why")
    return MessageBuilder.pack(message)
  }

  @Test("WhoAmI tells principal, credential, roles and what may be done")
  func whoAmI() throws {
    let fixture = try Fixture(endpoints: ["curve://127.0.0.1:0"])
    let keys = fixture.admission.add("vic", .viewer)
    let answer = try #require(fixture.client(keys).ask("WhoAmI"))
    #expect(answer.isOK)
    try read(answer.body, .whoAmI) { (m: Qubus__V1__WhoAmIResponse) in
      #expect(String(cString: m.principal) == "lab/qc/vic")
      #expect(String(cString: m.credential) == "key:\(keys.publicKey)")
      #expect(m.n_grants == 1 && m.is_invitation == 0)
      #expect(m.grants[0].map { String(cString: $0.pointee.role) } == "viewer")
      let actions = (0..<m.n_actions).compactMap { m.actions[$0].map { String(cString: $0) } }
      #expect(actions.contains("jobs.read") && !actions.contains("jobs.submit"))
    }
  }

  @Test("a change goes to the engine with order, reason and caller, and its answer comes back")
  func change() throws {
    let fixture = try Fixture(endpoints: ["curve://127.0.0.1:0"])
    let record = TenantRecord(name: "uni", createdAt: 7)
    fixture.tenancy.result.withLock { $0 = .success(.tenant(record)) }
    let client = fixture.client(fixture.admission.add("root", .operator))
    let answer = try #require(client.ask("CreateTenant", createTenant("uni")))
    #expect(answer.isOK)
    try read(answer.body, .createTenant) { (m: Qubus__V1__CreateTenantResponse) in
      #expect(m.tenant.map { String(cString: $0.pointee.name) } == "uni")
      #expect(m.tenant?.pointee.created_at == 7)
    }
    let asked = fixture.tenancy.asked.withLock { $0 }
    #expect(asked.orders == [.createTenant(name: "uni")] && asked.reasons == ["why"])
    #expect(asked.principals.map(\.name) == ["root"])
    let malformed = try #require(client.ask("CreateTenant", createTenant("Not A Name")))
    #expect(malformed.code == .invalidName)
    #expect(malformed.envelope.status?.error?.violations.first?.field == "name")
    #expect(fixture.tenancy.asked.withLock { $0.orders.count } == 1)
  }

  @Test("without the right nothing reaches the engine; a refusal of the engine is noted too")
  func refused() throws {
    let fixture = try Fixture(endpoints: ["curve://127.0.0.1:0"])
    let submitter = fixture.client(fixture.admission.add("sam", .submitter))
    for method: Method in [
      .listTenants, .createTenant, .updateTenant, .createProject, .grantRole, .createInvitation,
      .listAudit, .verifyAudit, .exportAuditCheckpoint,
    ] {
      #expect(submitter.ask(method.rawValue)?.code == .permissionDenied, "\(method)")
    }
    #expect(fixture.tenancy.asked.withLock { $0 } == FakeTenancyService.Asked())
    fixture.tenancy.result.withLock {
      $0 = .failure(
        QubusError(.permissionDenied, "not yours", details: ["action": "principals.manage"]))
    }
    #expect(submitter.ask("ListKeys")?.code == .permissionDenied)
    #expect(
      fixture.admission.count { $0.method == "ListKeys" && $0.action == "principals.manage" } == 1)
  }

  private static let bounds: [(TenancyAnswer, [Method])] = [
    (
      .quotas(
        [QuotaStatus(scope: .tenant("lab"), quota: .sessions, limit: 3, used: 1, resetsAt: 2)],
        next: ""), [.getQuota, .setQuota, .listQuotas]
    ),
    (.weight(.tenant("lab"), 2), [.setWeight]),
    (
      .approvalPolicy(
        ApprovalPolicy(key: .init(tenant: "lab", project: nil, experimentClass: "demo"))),
      [.setApprovalPolicy]
    ),
    (
      .exportPolicies(
        [ExportPolicy(key: .init(tenant: "lab", project: "qc"), destinations: ["vault"])],
        next: ""), [.setExportPolicy, .listExportPolicies]
    ),
    (.reservation(window), [.createReservation, .extendReservation, .cancelReservation]),
    (
      .reservations([ReservationReport(reservation: window, isNamed: true)], next: "x"),
      [.listReservations]
    ),
  ]

  private static let window = Reservation(
    id: Identifier(high: 1, low: 2), device: "sim", isShared: true,
    holder: .project(tenant: "lab", "qc"), startsAt: 3, endsAt: 4,
    createdBy: Principal(tenant: "lab", project: "qc", name: "sam"), createdAt: 1)

  private static let money: [(TenancyAnswer, [Method])] = {
    let project = LedgerProject(tenant: "lab", project: "qc")
    let entry = CreditReport.Entry(
      entitlement: Entitlement(
        number: 1, project: project, amount: 5, periodSeconds: 60, createdAt: 1, expiresAt: 2,
        endsAt: 3), balance: 4)
    let budget = BudgetReport(
      budget: Budget(project: project, period: .day, softCap: 1, hardCap: 2), used: 1, resetsAt: 9)
    let credit = CreditReport(
      project: project, isPrepaid: true, credit: 4, owed: 0, held: 1, entitlements: [entry])
    let row = UsageRow(
      key: "lab/qc", jobs: 1, succeeded: 1, sessions: 1, shots: 1, deviceMicroseconds: 1, held: 1,
      cost: 1)
    return [
      (.price(device: "sim", Price(perJob: 1, perShot: 2, perDeviceSecond: 3)), [.setPrice]),
      (.entitlement(entry), [.grantCredit]), (.budget(budget), [.setBudget]),
      (.dedication(device: "sim", tenant: "lab"), [.dedicateDevice]),
      (.budgets([budget], [credit], prices: ["sim": Price(perJob: 1)]), [.listBudgets]),
      (
        .usage(UsageReport(rows: [row], total: row, denominators: UsageDenominators())),
        [.getUsage]
      ),
    ]
  }()

  @Test("every answer is the response message of each method that gives it")
  func answers() throws {
    let principal = Principal(tenant: "lab", project: "qc", name: "sam")
    var key = ClientKeyRecord(key: "k", principal: principal, createdAt: 1)
    key.expiresAt = 2
    let report = KeyReport(record: key, isValid: true)
    let token = TokenRecord(
      id: "t", principal: principal, boundTo: "uid:1", issuedAt: 1, expiresAt: 3, maxShots: nil)
    let entry = AuditEntry(
      time: 1, principal: principal, credential: "uid:1", method: "Submit", action: "jobs.submit",
      subject: "job x", tenant: "lab", outcome: .refused, policy: "p", traceID: "")
    let person = PrincipalReport(
      record: PrincipalRecord(principal: principal, uid: 5, createdAt: 1),
      grants: [Grant(.viewer, Scope(tenant: "lab"))])
    let project = ProjectRecord(tenant: "lab", name: "qc", owner: "sam", createdAt: 1)
    let cases: [(TenancyAnswer, [Method])] = [
      (.tenants([TenantRecord(name: "lab", createdAt: 1)], next: "lab"), [.listTenants]),
      (.projects([project], next: ""), [.listProjects]),
      (.principals([person], next: ""), [.listPrincipals]), (.keys([report]), [.listKeys]),
      (
        .tenant(TenantRecord(name: "lab", createdAt: 1)),
        [.createTenant, .updateTenant, .eraseTenant]
      ),
      (.project(project), [.createProject, .updateProject]),
      (.principal(person), [.createPrincipal, .updatePrincipal, .grantRole, .revokeRole]),
      (.key(report), [.addKey, .revokeKey]),
      (.invitation(report, secretKey: "s", serverKey: "k"), [.createInvitation]),
      (.token("text", token), [.issueToken]), (.tokenRevoked, [.revokeToken]),
      (.tokenKeyRotated(id: "k", previousUntil: 5), [.rotateTokenKey]),
      (.audit([AuditRecord(number: 1, entry: entry, hash: [1])], isComplete: true), [.listAudit]),
      (
        .auditReport(AuditReport(records: 1, head: [1], brokenAt: 2, explanation: "e")),
        [.verifyAudit]
      ),
      (
        .auditCheckpoint(
          AuditCheckpoint(
            service: Identifier(high: 1, low: 2), number: 1, hash: [1], time: 1, publicKey: [2],
            signature: [3])), [.exportAuditCheckpoint]
      ),
    ]
    for (answer, methods) in cases + Self.bounds + Self.money {
      let body = Responses.tenancy(answer)
      for method in methods {
        // Fields that the message does not know would be kept apart.
        try read(body, method) { (m: ProtobufCMessage) in
          #expect(m.n_unknown_fields == 0, "\(method)")
        }
      }
    }
    try read(Responses.tenancy(cases[12].0), .listAudit) { (m: Qubus__V1__ListAuditResponse) in
      let record = try #require(m.records?[0]?.pointee)
      #expect(String(cString: record.outcome) == "refused" && record.number == 1)
      #expect(String(cString: record.principal) == "lab/qc/sam")
    }
    try read(Responses.tenancy(cases[13].0), .verifyAudit) {
      (m: Qubus__V1__VerifyAuditResponse) in
      #expect(m.broken_at == 2 && m.records == 1)
    }
  }
}
