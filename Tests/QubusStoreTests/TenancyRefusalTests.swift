import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusStoreSQLite

/// Changes that contradict what is there leave neither themselves nor an audit entry.
@Suite("TenancyStore refusals")
struct TenancyRefusalTests {
  private typealias Fixture = TenancyFixture

  /// A change to a store with `TenancyFixture.lab`, and the code that refuses it.
  struct Wrong: Sendable, CustomTestStringConvertible {
    var what: String
    var change: TenancyChange
    var code: ErrorCode
    var testDescription: String { what }

    init(_ what: String, _ change: TenancyChange, _ code: ErrorCode) {
      self.what = what
      self.change = change
      self.code = code
    }
  }

  private static func project(_ tenant: String, _ name: String, owner: String = "") -> TenancyChange
  {
    .createProject(ProjectRecord(tenant: tenant, name: name, owner: owner, createdAt: 0))
  }

  private static func key(
    _ text: String, of name: String = "bob", expiresAt: Microseconds? = nil
  ) -> TenancyChange {
    var record = ClientKeyRecord(key: text, principal: Fixture.principal(name), createdAt: 50)
    record.expiresAt = expiresAt
    return .addKey(record)
  }

  private static func grant(
    _ role: Role, _ tenant: String?, _ project: String? = nil, _ family: String? = nil,
    to name: String = "bob"
  ) -> TenancyChange {
    let scope = Scope(tenant: tenant, project: project, deviceFamily: family)
    return .grant(Fixture.grant(role, scope, to: name))
  }

  private static let nobody = Fixture.principal("nobody")

  private static let wrongNames: [Wrong] =
    ["", "Lab", "l b", "-lab", "l/b", "é", String(repeating: "a", count: 65)].map {
      Wrong(
        "tenant named '\($0)'", .createTenant(TenantRecord(name: $0, createdAt: 0)), .invalidName)
    }

  private static let wrongPlaces: [Wrong] = [
    Wrong("tenant twice", .createTenant(TenantRecord(name: "lab", createdAt: 9)), .nameTaken),
    Wrong("disable no tenant", .setTenantDisabled("none", true), .tenantNotFound),
    Wrong("project of no tenant", project("none", "qc"), .tenantNotFound),
    Wrong("project without a name", project("lab", ""), .invalidName),
    Wrong("project twice", project("lab", "qc"), .nameTaken),
    Wrong("project of nobody", project("lab", "new", owner: "nobody"), .principalNotFound),
    Wrong("owner of another tenant", project("default", "new", owner: "ada"), .principalNotFound),
    Wrong(
      "disable no project", .setProjectDisabled(tenant: "lab", name: "x", true),
      .projectNotFound),
    Wrong(
      "give no project", .setProjectOwner(tenant: "none", name: "qc", owner: "ada"),
      .tenantNotFound),
    Wrong(
      "give to nobody", .setProjectOwner(tenant: "lab", name: "qc", owner: "nobody"),
      .principalNotFound),
    Wrong("principal twice", .createPrincipal(Fixture.record("ada")), .nameTaken),
    Wrong(
      "principal of no project", .createPrincipal(Fixture.record("eve", project: "x")),
      .projectNotFound),
    Wrong("principal named as a user", .createPrincipal(Fixture.record("Eve X")), .invalidName),
    Wrong("user with a slash", .createPrincipal(Fixture.record("a/b", uid: 7)), .invalidName),
    Wrong("user twice", .createPrincipal(Fixture.record("eve", uid: 1000)), .nameTaken),
    Wrong("disable nobody", .setPrincipalDisabled(nobody, true), .principalNotFound),
    Wrong("user of nobody", .setPrincipalUser(nobody, uid: 1), .principalNotFound),
    Wrong(
      "user of another", .setPrincipalUser(Fixture.principal("bob"), uid: 1000), .nameTaken),
  ]

  private static let wrongRights: [Wrong] = [
    Wrong("key of nobody", key(Fixture.otherKey, of: "nobody"), .principalNotFound),
    Wrong("key of another", key(Fixture.key), .nameTaken),
    Wrong("key of its own again", key(Fixture.key, of: "ada"), .nameTaken),
    Wrong("short key", key(String(Fixture.otherKey.dropLast())), .invalidKey),
    Wrong("no Z85", key(String(Fixture.otherKey.dropLast()) + "~"), .invalidKey),
    Wrong("no bytes in Z85", key(String(repeating: "#", count: 40)), .invalidKey),
    Wrong("key never valid", key(Fixture.otherKey, expiresAt: 50), .invalidRequest),
    Wrong("revoke no key", .revokeKey(Fixture.otherKey, at: 1), .keyNotFound),
    Wrong("grant to nobody", grant(.viewer, "lab", to: "nobody"), .principalNotFound),
    Wrong("grant of no tenant", grant(.viewer, "none"), .tenantNotFound),
    Wrong("grant of no project", grant(.viewer, "lab", "x"), .projectNotFound),
    Wrong("grant of a project of no tenant", grant(.operator, nil, "qc"), .invalidRequest),
    Wrong("viewer everywhere", grant(.viewer, nil), .invalidRequest),
    Wrong("project admin of a tenant", grant(.projectAdmin, "lab"), .invalidRequest),
    Wrong("family without a name", grant(.viewer, "lab", nil, ""), .invalidName),
    Wrong("grant twice", grant(.submitter, "lab", "qc", to: "ada"), .nameTaken),
    Wrong(
      "revoke no grant", .revokeGrant(Fixture.grant(.submitter, Scope(tenant: "lab"))),
      .invalidRequest),
    Wrong("token twice", .issueToken(Fixture.token("t1")), .nameTaken),
    Wrong("token without id", .issueToken(Fixture.token("")), .invalidRequest),
    Wrong("revoke no token", .revokeToken("t9", at: 1), .keyNotFound),
    Wrong("spend no token", .spendToken("t9", shots: 1), .keyNotFound),
    Wrong("spend too much", .spendToken("t1", shots: 101), .tokenExpired),
  ]

  static let wrong = wrongNames + wrongPlaces + wrongRights

  @Test("a contradiction leaves no trace", arguments: StoreKind.allCases, Self.wrong)
  func contradiction(_ kind: StoreKind, _ wrong: Wrong) async throws {
    let fixture = try Fixture(kind)
    defer { fixture.close() }
    let store = fixture.store
    try await store.change(all: Fixture.lab)
    let before = try store.snapshot()
    #expect(await code { try await store.change(wrong.change) } == wrong.code)
    // Behind and before changes that are in order.
    let good = TenancyChange.createTenant(TenantRecord(name: "good", createdAt: 3))
    for changes in [[good, wrong.change], [wrong.change, good]] {
      #expect(await code { try await store.change(all: changes) } == wrong.code)
    }
    #expect(try store.snapshot() == before)
    #expect(try store.entries().count == 1)
    try await store.change(good)
    #expect(try store.auditRecords(after: 0, tenant: nil, limit: 9).map(\.number) == [1, 2])
    #expect(try store.verifyAudit().brokenAt == nil)
  }

  @Test("a key that was revoked is never taken again", arguments: StoreKind.allCases)
  func revokedKey(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    defer { fixture.close() }
    let store = fixture.store
    try await store.change(all: Fixture.lab)
    try await store.change(.revokeKey(Fixture.key, at: 1))
    for name in ["ada", "bob"] {
      #expect(
        await code { try await store.change(Self.key(Fixture.key, of: name)) } == .nameTaken)
    }
  }

  @Test("a user of the machine is called what the machine calls it", arguments: StoreKind.allCases)
  func userNames(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    defer { fixture.close() }
    let store = fixture.store
    try await store.change(all: Fixture.lab)
    let names = ["Max", "DOMAIN\\max", "größe"]
    for (index, name) in names.enumerated() {
      try await store.change(
        .createPrincipal(Fixture.record(name, uid: UInt32(2000 + index))))
    }
    let stored = try store.snapshot().principals.map(\.principal.name)
    #expect(Set(stored).isSuperset(of: names))
  }

  @Test("both stores judge random changes alike and come to the same")
  func model() async throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = SeededGenerator(state: seed)
    let (memories, databases) = (try Fixture(.memory), try Fixture(.sqlite))
    defer { databases.close() }
    let (memory, sqlite) = (memories.store, databases.store)
    var refused = 0
    for step in 0..<1000 {
      let count = Int.random(in: 0..<4, using: &random) == 0 ? 2 : 1
      let changes = (0..<count).map { _ in RandomChange.draw(using: &random) }
      let expected = await code { try await memory.change(all: changes) }
      let found = await code { try await sqlite.change(all: changes) }
      #expect(found == expected, "step \(step): \(changes)")
      refused += expected == nil ? 0 : 1
    }
    var (a, b) = (try memory.snapshot(), try sqlite.snapshot())
    // The default tenant was made by two clocks.
    for i in a.tenants.indices { a.tenants[i].createdAt = 0 }
    for i in b.tenants.indices { b.tenants[i].createdAt = 0 }
    for i in a.projects.indices { a.projects[i].createdAt = 0 }
    for i in b.projects.indices { b.projects[i].createdAt = 0 }
    #expect(a == b)
    #expect(try memory.entries() == sqlite.entries())
    #expect((50...950).contains(refused))
  }
}

private struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}

/// Changes of a small world, in which most names meet again.
private enum RandomChange {
  static func draw(using random: inout SeededGenerator) -> TenancyChange {
    func pick<T>(_ values: [T]) -> T { values[Int.random(in: 0..<values.count, using: &random)] }
    let tenant = pick(["default", "a", "b"])
    let project = pick(["default", "x"])
    let principal = Principal(tenant: tenant, project: project, name: pick(["u", "v"]))
    let key = pick([TenancyFixture.key, TenancyFixture.otherKey])
    let time = Microseconds.random(in: 1...100, using: &random)
    let scope = Scope(
      tenant: pick([nil, tenant]), project: pick([nil, project]), deviceFamily: pick([nil, "sim"]))
    let grant = GrantRecord(principal: principal, grant: Grant(pick(Role.allCases), scope))
    let token = pick(["t", "s"])
    switch Int.random(in: 0..<15, using: &random) {
    case 0: return .createTenant(TenantRecord(name: tenant, createdAt: time))
    case 1: return .setTenantDisabled(tenant, pick([true, false]))
    case 2:
      return .createProject(
        ProjectRecord(tenant: tenant, name: project, owner: pick(["", "u"]), createdAt: time))
    case 3: return .setProjectDisabled(tenant: tenant, name: project, pick([true, false]))
    case 4: return .setProjectOwner(tenant: tenant, name: project, owner: pick(["u", "v", ""]))
    case 5:
      return .createPrincipal(
        PrincipalRecord(principal: principal, uid: pick([nil, 1, 2]), createdAt: time))
    case 6: return .setPrincipalDisabled(principal, pick([true, false]))
    case 7: return .setPrincipalUser(principal, uid: pick([nil, 1, 2]))
    case 8: return .addKey(ClientKeyRecord(key: key, principal: principal, createdAt: time))
    case 9: return .revokeKey(key, at: time)
    case 10: return .grant(grant)
    case 11: return .revokeGrant(grant)
    case 12:
      return .issueToken(
        TokenRecord(
          id: token, principal: principal, boundTo: "loopback", issuedAt: time, expiresAt: .max,
          maxShots: pick([nil, 50])))
    case 13: return .revokeToken(token, at: time)
    default: return .spendToken(token, shots: UInt64.random(in: 0...30, using: &random))
    }
  }
}
