import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusStoreSQLite

@Suite("Quotas and approval policies in a store")
struct QuotaStoreTests {
  private typealias Fixture = TenancyFixture
  private static let ada = QuotaScope.principal(Fixture.principal("ada"))
  private static let qc = QuotaScope.project(tenant: "lab", "qc")

  private static func policy(_ project: String?, _ name: String) -> ApprovalPolicy {
    var policy = ApprovalPolicy(key: .init(tenant: "lab", project: project, experimentClass: name))
    policy.maxShots = .max
    policy.maxCost = 0
    policy.deviceFamilies = ["sim", "qpu"]
    policy.expirySeconds = 60
    return policy
  }

  private static func exports(_ project: String, _ destinations: [String]) -> ExportPolicy {
    ExportPolicy(key: .init(tenant: "lab", project: project), destinations: destinations)
  }

  @Test("what was set is there, what was lifted is not", arguments: StoreKind.allCases)
  func keeps(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    defer { fixture.close() }
    let store = fixture.store
    try await store.change(all: Fixture.lab)
    try await store.change(
      .setQuota(.tenant("lab"), .sessions, limit: 5), .setQuota(Self.qc, .shotsPerDay, limit: 0),
      .setQuota(Self.ada, .shotsPerDay, limit: 1 << 53),
      .setQuota(Self.ada, .requestsPerSecond, limit: 7),
      .setQuota(Self.qc.on("sim"), .shotsPerDay, limit: 3),
      .setQuota(Self.qc.on("qpu"), .shotsPerDay, limit: 4),
      .setWeight(.tenant("lab"), 2), .setWeight(Self.ada, 0.5), .setWeight(Self.qc, 3),
      .setApprovalPolicy(Self.policy(nil, "")), .setApprovalPolicy(Self.policy("qc", "demo")),
      .setExportPolicy(Self.exports("qc", ["vault"])))
    #expect(try store.snapshot().exportPolicies == [Self.exports("qc", ["vault"])])
    try await store.change(.setExportPolicy(Self.exports("qc", ["desk", "vault"])))
    try await store.change(
      .setQuota(.tenant("lab"), .sessions, limit: 6),
      .setQuota(Self.ada, .requestsPerSecond, limit: nil),
      .setQuota(Self.qc.on("qpu"), .shotsPerDay, limit: nil),
      .setWeight(Self.qc, nil), .setWeight(Self.ada, 0.25),
      .removeApprovalPolicy(Self.policy(nil, "").key))
    let snapshot = try store.snapshot()
    #expect(
      snapshot.quotas == [
        QuotaRecord(scope: .tenant("lab"), quota: .sessions, limit: 6),
        QuotaRecord(scope: Self.qc, quota: .shotsPerDay, limit: 0),
        QuotaRecord(scope: Self.qc.on("sim"), quota: .shotsPerDay, limit: 3),
        QuotaRecord(scope: Self.ada, quota: .shotsPerDay, limit: 1 << 53),
      ])
    #expect(
      snapshot.weights == [
        ShareWeight(scope: .tenant("lab"), weight: 2), ShareWeight(scope: Self.ada, weight: 0.25),
      ])
    #expect(snapshot.approvalPolicies == [Self.policy("qc", "demo")])
    #expect(snapshot.exportPolicies == [Self.exports("qc", ["desk", "vault"])])
    try await store.change(.removeExportPolicy(Self.exports("qc", []).key))
    #expect(try store.snapshot().exportPolicies.isEmpty)
  }

  @Test("drains of devices are kept, replaced and ended", arguments: StoreKind.allCases)
  func drains(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    defer { fixture.close() }
    let store = fixture.store
    func drain(_ device: String, _ reason: String, _ since: Microseconds) -> DeviceDrain {
      DeviceDrain(
        device: device, by: Fixture.principal("ada"), reason: reason, since: since)
    }
    try await store.change(.drain(drain("sim.b", "leak", 7)), .drain(drain("qpu.a", "", 1 << 60)))
    try await store.change(.drain(drain("sim.b", "two leaks", 8)))
    #expect(
      try store.snapshot().drains == [drain("qpu.a", "", 1 << 60), drain("sim.b", "two leaks", 8)])
    try await store.change(.endDrain(device: "qpu.a"))
    try await store.change(.endDrain(device: "nothing"))
    #expect(try store.snapshot().drains == [drain("sim.b", "two leaks", 8)])
  }

  @Test(
    "scopes and policies that do not exist, and limits that are none, are refused without a trace",
    arguments: StoreKind.allCases)
  func refusals(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    defer { fixture.close() }
    let store = fixture.store
    try await store.change(all: Fixture.lab)
    let before = try store.entries().count
    var wrong = Self.policy(nil, "")
    wrong.expirySeconds = 0
    let cases: [(TenancyChange, ErrorCode)] = [
      (.setQuota(.tenant("nowhere"), .sessions, limit: 1), .tenantNotFound),
      (.setQuota(.project(tenant: "lab", "none"), .sessions, limit: 1), .projectNotFound),
      (
        .setQuota(.principal(Fixture.principal("nobody")), .sessions, limit: 1), .principalNotFound
      ),
      (.setQuota(Self.qc, .sessions, limit: -1), .invalidRequest),
      (.setQuota(Self.qc.on("sim"), .sessions, limit: 1), .invalidRequest),
      (.setQuota(Self.qc, .deviceSecondsPerDay, limit: .max), .invalidRequest),
      (.setWeight(.tenant("nowhere"), 2), .tenantNotFound),
      (.setWeight(.principal(Fixture.principal("nobody")), nil), .principalNotFound),
      (.setWeight(Self.qc, 0), .invalidRequest), (.setWeight(Self.qc, Double.nan), .invalidRequest),
      (.setApprovalPolicy(Self.policy("none", "")), .projectNotFound),
      (.setApprovalPolicy(wrong), .invalidRequest),
      (.removeApprovalPolicy(Self.policy("qc", "demo").key), .invalidRequest),
      (.setExportPolicy(Self.exports("none", ["vault"])), .projectNotFound),
      (.setExportPolicy(Self.exports("qc", [])), .invalidRequest),
      (.setExportPolicy(Self.exports("qc", ["a b"])), .invalidName),
      (.removeExportPolicy(Self.exports("qc", []).key), .invalidRequest),
    ]
    for (change, expected) in cases {
      #expect(await code { try await store.change(change) } == expected, "\(change)")
    }
    let snapshot = try store.snapshot()
    #expect(snapshot.quotas.isEmpty && snapshot.approvalPolicies.isEmpty)
    #expect(snapshot.exportPolicies.isEmpty)
    #expect(try store.entries().count == before)
  }

  private static let day: Microseconds = 86_400_000_000

  @Test("shots of today's jobs and what sessions used today are found, yesterday's are not")
  func dayUse() async throws {
    let fixture = try StoreFixture(.sqlite)
    defer { fixture.close() }
    let store = fixture.sqlite
    // Ids and stamps of the fixture are of its clock.
    let now = fixture.clock.now()
    var yesterdays = fixture.record()
    yesterdays.shotsTotal = 1
    yesterdays.phases.acceptedAt = now - Self.day
    _ = try await fixture.accept(yesterdays)
    for shots in [10, 100] {
      var record = fixture.record()
      record.shotsTotal = UInt64(shots)
      record.phases.acceptedAt = now
      _ = try await fixture.accept(record)
    }
    let owner = yesterdays.principal
    func total() throws -> [UInt64] {
      let use = try store.dayUse(now: now).filter { $0.principal == owner }
      return [
        use.reduce(0) { $0 + $1.shots }, use.reduce(0) { $0 + $1.deviceNanoseconds },
      ]
    }
    #expect(try total() == [110, 0])
    let session = SessionRecord(
      id: fixture.ids.next(), principal: owner, request: [1], seed: 1, openedAt: now - Self.day)
    store.perform(.open(session) { _ in })
    func journal(_ shots: UInt64, _ time: UInt64, at when: Microseconds) {
      var usage = SessionUsage()
      (usage.shotsUsed, usage.deviceNanoseconds) = (shots, time)
      store.perform(.journal([(session.id, usage, when)]) { _ in })
    }
    journal(50, 500, at: now - Self.day)
    try await store.flush()
    #expect(try total() == [110, 0])
    journal(51, 503, at: now)
    journal(57, 513, at: now + 1)
    // A clock that is set back begins no day anew.
    journal(58, 514, at: now - Self.day)
    try await store.flush()
    #expect(try total() == [118, 14])
    var last = SessionUsage()
    (last.shotsUsed, last.deviceNanoseconds) = (60, 520)
    store.perform(.end(session.id, .closed, reason: "", usage: last, at: now + 2) { _ in })
    try await store.flush()
    #expect(try total() == [120, 20])
    #expect(try store.dayUse(now: now + Self.day).isEmpty)
  }
}
