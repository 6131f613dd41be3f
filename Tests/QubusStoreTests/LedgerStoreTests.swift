import GRDB
import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusStoreSQLite

@Suite("The ledger in the store")
struct LedgerStoreTests {
  private static let project = LedgerProject(tenant: "default", project: "default")
  private static let price = Price(perJob: 10, perShot: 2, perDeviceSecond: 1_000_000)

  private static func entry(_ subject: String) -> AuditEntry {
    AuditEntry(
      time: 1, principal: nil, credential: "", method: "Test", action: "", subject: subject,
      tenant: "", outcome: .allowed, policy: "", traceID: "")
  }

  private static func change(_ store: SQLiteJobStore, _ changes: LedgerChange...) async throws {
    try await withCheckedContinuation { continuation in
      store.change(changes.map { .ledger($0) }, audit: entry("money")) {
        continuation.resume(returning: $0)
      }
    }.get()
  }

  private static func entitlement(_ number: Int64, _ amount: Int64) -> Entitlement {
    Entitlement(number: number, project: project, amount: amount, createdAt: 1)
  }

  /// A job with a hold of these parts.
  private static func priced(
    _ fixture: StoreFixture, _ parts: [CostPart], class name: String = "demo", tags: [String] = []
  ) -> JobRecord {
    var record = fixture.record()
    record.device = "sim.statevector"
    record.tags = tags
    record.costAcceptance = .held(
      CostHold(
        price: price, experimentClass: name, experiment: "e1", heldAt: 86_400_000_000,
        parts: parts))
    record.costHeld = record.hold?.amount
    return record
  }

  private static func end(
    _ fixture: StoreFixture, _ id: Identifier, _ settlement: CostSettlement?
  ) async throws {
    var update = fixture.move(id, .reserved, .running, .processingResults, .succeeded)
    update.settlement = settlement
    update.shotsDone = 7
    update.phases = PhaseLedger()
    update.phases?.deviceMicroseconds = 11
    update.phases?.queuedAt = 5
    update.phases?.startedAt = 65
    _ = try await fixture.store.update(update)
  }

  private static let parts = [
    CostPart(entitlement: 1, amount: 60), CostPart(entitlement: 0, amount: 40),
  ]

  @Test("a hold is written with the acceptance, its settlement with the end; the row has both")
  func holdAndSettle() async throws {
    let fixture = try StoreFixture(.sqlite)
    defer { fixture.close() }
    let store = fixture.sqlite
    try await Self.change(store, .grant(Self.entitlement(1, 60)))
    let job = try await fixture.accept(Self.priced(fixture, Self.parts))
    let before = try store.ledgerSnapshot()
    #expect(before.entitlements.map(\.balance) == [0])
    #expect(before.invoices.map(\.balance) == [-40])
    #expect(before.holds.map(\.0) == [job.id])
    #expect(before.holds.first?.2 == job.hold)
    #expect(before.usage.map(\.amount) == [100] && before.usage.map(\.day) == [1])
    #expect(try store.job(job.id)?.costHeld == 100)
    #expect(try store.job(job.id)?.cost == nil)
    #expect(try store.verifyLedger().isEmpty)
    try await Self.end(
      fixture, job.id,
      CostSettlement(charge: 75, extension: [CostPart(entitlement: 0, amount: 5)]))
    let after = try store.ledgerSnapshot()
    #expect(after.entitlements.map(\.balance) == [0])
    #expect(after.invoices.map(\.balance) == [-15])
    #expect(after.holds.isEmpty && after.usage.map(\.amount) == [75])
    #expect(try store.job(job.id)?.cost == 75)
    #expect(try store.verifyLedger().isEmpty)
  }

  @Test("an end without a settlement gives everything back, and a job without a hold has no cost")
  func refund() async throws {
    let fixture = try StoreFixture(.sqlite)
    defer { fixture.close() }
    let job = try await fixture.accept(Self.priced(fixture, Self.parts))
    _ = try await fixture.store.update(fixture.move(job.id, .canceled))
    #expect(try fixture.store.job(job.id)?.cost == 0)
    let free = try await fixture.accept(fixture.record())
    _ = try await fixture.store.update(fixture.move(free.id, .canceled))
    #expect(try fixture.store.job(free.id)?.cost == nil)
    #expect(try fixture.store.job(free.id)?.costHeld == nil)
    #expect(try fixture.sqlite.ledgerSnapshot().usage.map(\.amount) == [0])
    #expect(try fixture.sqlite.verifyLedger().isEmpty)
  }

  @Test("both stores tell the same cost", arguments: StoreKind.allCases)
  func sameCost(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    defer { fixture.close() }
    let job = try await fixture.accept(Self.priced(fixture, Self.parts))
    try await Self.end(fixture, job.id, CostSettlement(charge: 30))
    #expect(try fixture.store.job(job.id)?.cost == 30)
    #expect(try fixture.store.job(job.id)?.costHeld == 100)
  }

  @Test("a job that cannot be paid is refused, unless it is known under its key")
  func refusal() async throws {
    for kind in StoreKind.allCases {
      let fixture = try StoreFixture(kind)
      defer { fixture.close() }
      let known = try await fixture.accept(fixture.record(key: "key"))
      for key in ["key", "other", ""] {
        var record = fixture.record(key: key)
        record.costAcceptance = .refused(QubusError(.budgetExceeded, "no"))
        if key == "key" {
          guard case .duplicate(let job) = try await fixture.store.accept(record, []) else {
            Issue.record("a known key made a second job")
            return
          }
          #expect(job.id == known.id)
        } else {
          let refused = record
          let error = await #expect(throws: QubusError.self) {
            try await fixture.store.accept(refused, [])
          }
          #expect(error?.code == .budgetExceeded)
        }
      }
    }
  }

  @Test("a repeated submit under its key holds nothing twice")
  func duplicate() async throws {
    let fixture = try StoreFixture(.sqlite)
    defer { fixture.close() }
    var record = Self.priced(fixture, Self.parts)
    record.idempotencyKey = "key"
    _ = try await fixture.accept(record)
    var again = Self.priced(fixture, Self.parts)
    again.idempotencyKey = "key"
    guard case .duplicate = try await fixture.store.accept(again, []) else {
      Issue.record("a known key made a second job")
      return
    }
    #expect(try fixture.sqlite.ledgerSnapshot().usage.map(\.amount) == [100])
    #expect(try fixture.sqlite.verifyLedger().isEmpty)
  }

  @Test("prices, budgets and entitlements come back as they were written")
  func changes() async throws {
    let fixture = try StoreFixture(.sqlite)
    defer { fixture.close() }
    let store = fixture.sqlite
    var subscription = Self.entitlement(2, 30)
    subscription.periodSeconds = 60
    subscription.expiresAt = 61_000_000
    subscription.endsAt = 90_000_000
    let budget = Budget(
      project: Self.project, experimentClass: .validation, period: .month, softCap: 1)
    try await Self.change(
      store, .setPrice(device: "sim.statevector", Self.price), .grant(Self.entitlement(1, 60)),
      .grant(subscription), .setBudget(budget),
      .turn(
        LedgerTurn(
          entitlement: 2, project: Self.project, lapsed: 10, granted: 30, expiresAt: 90_000_000)))
    try await Self.change(
      store, .dedicate(device: "sim.statevector", tenant: "default"),
      .dedicate(device: "sim.other", tenant: "default"))
    try await Self.change(store, .dedicate(device: "sim.other", tenant: nil))
    let nobody = await #expect(throws: QubusError.self) {
      try await Self.change(store, .dedicate(device: "sim.other", tenant: "nowhere"))
    }
    #expect(nobody?.code == .tenantNotFound)
    let snapshot = try store.ledgerSnapshot()
    #expect(snapshot.dedicated == ["sim.statevector": "default"])
    #expect(snapshot.prices == ["sim.statevector": Self.price])
    #expect(snapshot.budgets == [budget])
    subscription.expiresAt = 90_000_000
    #expect(snapshot.entitlements.map(\.0) == [Self.entitlement(1, 60), subscription])
    #expect(snapshot.entitlements.map(\.balance) == [60, 50])
    #expect(try store.verifyLedger().isEmpty)
    var none = budget
    none.softCap = nil
    try await Self.change(store, .setBudget(none), .setPrice(device: "sim.statevector", nil))
    let cleared = try store.ledgerSnapshot()
    #expect(cleared.prices.isEmpty && cleared.budgets.isEmpty)
  }

  @Test("money goes to projects that there are; a refused grant leaves nothing")
  func unknownProject() async throws {
    let fixture = try StoreFixture(.sqlite)
    defer { fixture.close() }
    var entitlement = Self.entitlement(1, 60)
    entitlement.project.project = "nowhere"
    let change = LedgerChange.grant(entitlement)
    let error = await #expect(throws: QubusError.self) {
      try await Self.change(fixture.sqlite, change)
    }
    #expect(error?.code == .projectNotFound)
    #expect(try fixture.sqlite.ledgerSnapshot().entitlements.isEmpty)
  }

  @Test(
    "usage sums what was charged, by every group, and agrees with the ledger",
    arguments: [StoreKind.sqlite, .sealed])
  func usage(_ kind: StoreKind) async throws {
    let fixture = try StoreFixture(kind)
    defer { fixture.close() }
    let store = fixture.sqlite
    let first = try await fixture.accept(
      Self.priced(fixture, Self.parts, class: "validation", tags: ["a", "b"]))
    let second = try await fixture.accept(Self.priced(fixture, Self.parts, tags: ["a"]))
    _ = try await fixture.accept(Self.priced(fixture, Self.parts))
    try await Self.end(fixture, first.id, CostSettlement(charge: 30))
    try await Self.end(fixture, second.id, CostSettlement(charge: 12))
    let session = SessionCharge(
      session: fixture.ids.next(), principal: first.principal, device: "sim.statevector",
      hold: CostHold(
        price: Self.price, experimentClass: "", experiment: "", heldAt: 86_400_000_001,
        parts: [CostPart(entitlement: 0, amount: 8)]), shots: 3, deviceMicroseconds: 2)
    for _ in 0..<2 {
      try await withCheckedContinuation { continuation in
        store.perform(.charge([session]) { continuation.resume(returning: $0) })
      }.get()
    }
    func rows(_ group: UsageGroup) throws -> [String: Int64] {
      let report = try store.usage(UsageQuery(group: group))
      #expect(report.total.cost == 58 && report.total.held == 100)
      return Dictionary(uniqueKeysWithValues: report.rows.map { ($0.key, $0.cost) })
    }
    #expect(try rows(.job)[first.id.description] == 30)
    #expect(try rows(.tag) == ["a": 42, "b": 30])
    #expect(try rows(.session) == [session.session.description: 16])
    #expect(try rows(.project) == ["default/default": 58])
    #expect(try rows(.principal) == ["default/default/alice": 58])
    #expect(try rows(.device) == ["sim.statevector": 58])
    #expect(try rows(.experimentClass) == ["validation": 30, "demo": 12, "": 16])
    let report = try store.usage(UsageQuery(group: .project))
    #expect(report.total.jobs == 3 && report.total.succeeded == 2 && report.total.sessions == 1)
    #expect(report.total.shots == 20 && report.total.deviceMicroseconds == 26)
    #expect(report.denominators.queueMicroseconds == 120)
    #expect(report.denominators.successfulJobs == 2)
    #expect(report.denominators.successfulExperiments == 1)
    #expect(report.denominators.validatedBenchmarks == 1)
    var tagged = UsageQuery(group: .project)
    tagged.tag = "b"
    #expect(try store.usage(tagged).total.cost == 30)
    var later = UsageQuery(group: .project)
    later.since = 86_400_000_001
    #expect(try store.usage(later).total.cost == 16)
    later.until = 86_400_000_001
    #expect(try store.usage(later).rows.isEmpty)
    #expect(try store.verifyLedger().isEmpty)
  }

  @Test("an open session is remembered with what it was charged and the price of its first charge")
  func sessionPrice() async throws {
    let fixture = try StoreFixture(.sqlite)
    defer { fixture.close() }
    let store = fixture.sqlite
    let owner = fixture.record().principal
    let session = SessionRecord(
      id: fixture.ids.next(), principal: owner, request: [1], seed: 1, openedAt: 1)
    store.perform(.open(session) { _ in })
    let later = Price(perJob: 99)
    for (day, price) in [(1, Self.price), (2, later), (2, later)] as [(Int64, Price)] {
      let charge = SessionCharge(
        session: session.id, principal: owner, device: "sim.statevector",
        hold: CostHold(
          price: price, experimentClass: "", experiment: "", heldAt: day * 86_400_000_000,
          parts: [CostPart(entitlement: 0, amount: 8)]), shots: 3, deviceMicroseconds: 2)
      try await withCheckedContinuation { continuation in
        store.perform(.charge([charge]) { continuation.resume(returning: $0) })
      }.get()
    }
    let charged = try #require(try store.ledgerSnapshot().sessions[session.id])
    #expect(charged.price == Self.price && charged.cost == 24 && charged.shots == 9)
    #expect(try store.verifyLedger().isEmpty)
  }

  @Test("entries are never changed, and a balance that was tampered with is found")
  func tampering() async throws {
    let fixture = try StoreFixture(.sqlite)
    defer { fixture.close() }
    let store = fixture.sqlite
    _ = try await fixture.accept(Self.priced(fixture, Self.parts))
    for sql in ["UPDATE ledger SET amount = 0", "DELETE FROM ledger"] {
      #expect(throws: QubusError.self) { try store.control { try $0.execute(sql: sql) } }
    }
    try store.control {
      try $0.execute(sql: "UPDATE accounts SET balance = balance + 1 WHERE name LIKE 'held %'")
    }
    #expect(try store.verifyLedger().count == 2)
  }

  @Test("what was held when the service died is held after it")
  func reopening() async throws {
    let directory = TemporaryDirectory()
    let clock = ManualClock()
    let fixture = try StoreFixture(.memory)
    defer { fixture.close() }
    var store = try SQLiteJobStore(
      directory: directory.path, codec: TestCodec(), clock: clock, options: .forTests)
    let record = Self.priced(fixture, Self.parts)
    _ = try await store.accept(record, [fixture.event(.accepted), fixture.event(.queued)])
    try store.close()
    store = try SQLiteJobStore(
      directory: directory.path, codec: TestCodec(), clock: clock, options: .forTests)
    defer { try? store.close() }
    #expect(try store.ledgerSnapshot().holds.map(\.0) == [record.id])
    #expect(try store.unfinishedJobs().map(\.costHeld) == [100])
  }
}
