import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusStoreSQLite

/// A tenancy store under test.
final class TenancyFixture {
  static let key = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
  static let otherKey = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

  let clock = ManualClock()
  let store: any TenancyStore
  private let jobs: StoreFixture?

  init(_ kind: StoreKind) throws {
    switch kind {
    case .memory:
      jobs = nil
      store = MemoryTenancyStore(clock: clock)
    case .sqlite, .sealed:
      let jobs = try StoreFixture(kind)
      self.jobs = jobs
      store = jobs.sqlite
    }
  }

  /// At the end of a test, which keeps the fixture until then.
  func close() { jobs?.close() }

  static func principal(_ name: String, project: String = "qc") -> Principal {
    Principal(tenant: "lab", project: project, name: name)
  }

  static func record(_ name: String, project: String = "qc", uid: UInt32? = nil) -> PrincipalRecord
  {
    PrincipalRecord(principal: principal(name, project: project), uid: uid, createdAt: 5)
  }

  static func token(_ id: String, shots: UInt64? = nil) -> TokenRecord {
    TokenRecord(
      id: id, principal: principal("ada"), boundTo: "key:\(key)", issuedAt: 10,
      expiresAt: 3_000_000_000_000_000, maxShots: shots)
  }

  static func grant(_ role: Role, _ scope: Scope, to name: String = "ada") -> GrantRecord {
    GrantRecord(principal: principal(name), grant: Grant(role, scope))
  }

  /// Tenant `lab` with project `qc`, which ada owns, and bob.
  static let lab: [TenancyChange] = [
    .createTenant(TenantRecord(name: "lab", createdAt: 1)),
    .createProject(ProjectRecord(tenant: "lab", name: "qc", owner: "ada", createdAt: 2)),
    .createPrincipal(record("ada", uid: 1000)),
    .createPrincipal(record("bob")),
    .addKey(ClientKeyRecord(key: key, principal: principal("ada"), createdAt: 6)),
    .grant(grant(.submitter, Scope(tenant: "lab", project: "qc"))),
    .issueToken(token("t1", shots: 100)),
  ]
}

/// What every tenancy store promises.
@Suite("TenancyStore contract")
struct TenancyStoreContractTests {
  private typealias Fixture = TenancyFixture

  @Test(
    "a new store has the default project, nobody, and no evidence", arguments: StoreKind.allCases)
  func fresh(_ kind: StoreKind) throws {
    let fixture = try Fixture(kind)
    defer { fixture.close() }
    let store = fixture.store
    let snapshot = try store.snapshot()
    #expect(snapshot.tenants.map(\.name) == ["default"])
    #expect(
      snapshot.projects.map { [$0.tenant, $0.name, $0.owner] } == [["default", "default", ""]])
    #expect(snapshot.principals.isEmpty && snapshot.keys.isEmpty && snapshot.grants.isEmpty)
    #expect(snapshot.tokens.isEmpty)
    #expect(try store.entries().isEmpty)
    #expect(try store.verifyAudit().brokenAt == nil)
  }

  @Test("every change reads back field for field", arguments: StoreKind.allCases)
  func changes(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    defer { fixture.close() }
    let store = fixture.store
    try await store.change(all: Fixture.lab)
    let (ada, bob) = (Fixture.principal("ada"), Fixture.principal("bob"))
    var invitation = ClientKeyRecord(key: Fixture.otherKey, principal: bob, createdAt: 7)
    invitation.isInvitation = true
    invitation.expiresAt = 1000
    let everywhere = Fixture.grant(.operator, Scope())
    let device = Fixture.grant(.submitter, Scope(tenant: "lab", deviceFamily: "qpu"), to: "bob")
    try await store.change(.addKey(invitation))
    try await store.change(.grant(everywhere), .grant(device))
    try await store.change(
      .revokeGrant(Fixture.grant(.submitter, Scope(tenant: "lab", project: "qc"))))
    try await store.change(.setTenantDisabled("lab", true))
    try await store.change(
      .setProjectDisabled(tenant: "lab", name: "qc", true),
      .setProjectOwner(tenant: "lab", name: "qc", owner: "bob"))
    try await store.change(
      .setPrincipalDisabled(bob, true), .setPrincipalUser(ada, uid: nil),
      .setPrincipalUser(bob, uid: .max))
    try await store.change(.revokeKey(Fixture.key, at: 70))
    try await store.change(.spendToken("t1", shots: 60), .revokeToken("t1", at: 80))

    let snapshot = try store.snapshot()
    var lab = TenantRecord(name: "lab", createdAt: 1)
    lab.isDisabled = true
    #expect(snapshot.tenants.last == lab)
    var project = ProjectRecord(tenant: "lab", name: "qc", owner: "bob", createdAt: 2)
    project.isDisabled = true
    #expect(snapshot.projects.last == project)
    var disabled = Fixture.record("bob", uid: .max)
    disabled.isDisabled = true
    #expect(snapshot.principals == [Fixture.record("ada"), disabled])
    var key = ClientKeyRecord(key: Fixture.key, principal: ada, createdAt: 6)
    key.revokedAt = 70
    #expect(snapshot.keys == [key, invitation])
    #expect(snapshot.grants == [everywhere, device])
    var token = Fixture.token("t1", shots: 100)
    token.shotsUsed = 60
    token.revokedAt = 80
    #expect(snapshot.tokens == [token])
    #expect(try store.entries().count == 9)
  }

  @Test("a revocation is brought forward, never put off", arguments: StoreKind.allCases)
  func revocation(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    defer { fixture.close() }
    let store = fixture.store
    try await store.change(all: Fixture.lab)
    for (time, expected) in [(90, 90), (200, 90), (50, 50)] as [(Microseconds, Microseconds)] {
      try await store.change(.revokeKey(Fixture.key, at: time), .revokeToken("t1", at: time))
      #expect(try store.snapshot().keys[0].revokedAt == expected)
      #expect(try store.snapshot().tokens[0].revokedAt == expected)
    }
  }

  @Test("a token's shots are spent once and no further", arguments: StoreKind.allCases)
  func spending(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    defer { fixture.close() }
    let store = fixture.store
    try await store.change(all: Fixture.lab)
    try await store.change(.spendToken("t1", shots: 100))
    for shots in [1, .max] as [UInt64] {
      #expect(
        await code { try await store.change(.spendToken("t1", shots: shots)) } == .tokenExpired)
    }
    #expect(try store.snapshot().tokens[0].shotsUsed == 100)
    try await store.change(.issueToken(Fixture.token("t2")), .spendToken("t2", shots: 1 << 40))
    #expect(try store.snapshot().tokens[1].shotsUsed == 1 << 40)
  }

  @Test("an expired token is not among those read at start", arguments: StoreKind.allCases)
  func expiry(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    defer { fixture.close() }
    let store = fixture.store
    try await store.change(all: Fixture.lab)
    var expired = Fixture.token("t0")
    expired.expiresAt = 11
    try await store.change(.issueToken(expired))
    #expect(try store.snapshot().tokens.map(\.id) == ["t1"])
  }

  @Test("an entry reads back field for field, in order, by tenant", arguments: StoreKind.allCases)
  func entries(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    defer { fixture.close() }
    let store = fixture.store
    var plain = AuditEntry(
      time: -1, principal: nil, credential: "", method: "handshake", action: "", subject: "",
      tenant: "", outcome: .refused, policy: "unauthenticated", traceID: "")
    let others: [AuditEntry] = [
      .sample("job a", tenant: "lab"), plain, .sample("été \u{0} 🙂", tenant: "lab"),
      .sample("job b", time: .max),
    ]
    for entry in others { try await store.record(entry) }
    let records = try store.auditRecords(after: 0, tenant: nil, limit: 10)
    #expect(records.map(\.entry) == others)
    #expect(records.map(\.number) == [1, 2, 3, 4])
    #expect(Set(records.map(\.hash)).count == 4)
    func numbers(_ after: UInt64, _ tenant: String?, _ limit: Int) throws -> [UInt64] {
      try store.auditRecords(after: after, tenant: tenant, limit: limit).map(\.number)
    }
    #expect(try numbers(2, nil, 1) == [3])
    #expect(try numbers(0, "lab", 10) == [1, 3])
    #expect(try numbers(1, "lab", 10) == [3])
    #expect(try numbers(0, "", 10) == [2])
    #expect(try numbers(0, "nobody", 10) == [])
    #expect(try numbers(.max, nil, 10) == [])
    #expect(try numbers(0, nil, 0) == [])
    plain.outcome = .failed
    try await store.record(plain)
    #expect(try store.entries().last == plain)
  }

  @Test("the chain follows from record to record and is verified", arguments: StoreKind.allCases)
  func chain(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    defer { fixture.close() }
    let store = fixture.store
    for i in 0..<5 { try await store.record(.sample("job \(i)")) }
    let records = try store.auditRecords(after: 0, tenant: nil, limit: 10)
    var previous = AuditRecord.origin
    for record in records {
      #expect(
        AuditRecord(number: record.number, entry: record.entry, after: previous) == record)
      previous = record.hash
    }
    let report = try store.verifyAudit()
    #expect(report.records == 5)
    #expect(report.head == previous)
    #expect(report.brokenAt == nil)
  }

  @Test("a checkpoint holds while the audit grows", arguments: StoreKind.allCases)
  func checkpoint(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    defer { fixture.close() }
    let store = fixture.store
    let empty = try store.auditCheckpoint()
    #expect(empty.number == 0)
    try await store.record(.sample())
    let checkpoint = try store.auditCheckpoint()
    #expect(checkpoint.number == 1)
    #expect(checkpoint.service == store.serviceID)
    #expect(checkpoint.time == fixture.clock.now())
    try await store.record(.sample())
    for kept in [empty, checkpoint, try store.auditCheckpoint()] {
      let read = try AuditCheckpoint(json: kept.json)
      #expect(read == kept)
      #expect(try store.verifyAudit(against: read).brokenAt == nil)
    }
    #expect(try store.verifyAudit(against: checkpoint).records == 2)
  }

  @Test(
    "a checkpoint that is another service's or was changed is refused",
    arguments: StoreKind.allCases)
  func foreignCheckpoint(_ kind: StoreKind) async throws {
    let (fixture, others) = (try Fixture(kind), try Fixture(kind))
    defer {
      fixture.close()
      others.close()
    }
    let (store, other) = (fixture.store, others.store)
    try await store.record(.sample())
    let foreign = try other.auditCheckpoint()
    let own = try store.auditCheckpoint()
    var changed = [foreign, own, own, own, own, own]
    changed[1].number = 0
    changed[2].hash[31] ^= 1
    changed[3].time += 1
    changed[4].signature[0] ^= 1
    // Signed, but with a key of one's own.
    changed[5] = try AuditKey().sign(
      service: own.service, number: own.number, hash: own.hash, time: own.time)
    for checkpoint in changed {
      #expect(
        await code { _ = try store.verifyAudit(against: checkpoint) } == .invalidRequest)
    }
  }
}
