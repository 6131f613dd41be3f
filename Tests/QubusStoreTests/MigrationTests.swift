import Foundation
import GRDB
import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusStoreSQLite

/// A database of every released schema opens, migrates and reads. `Fixtures/generate` writes the
/// fixture of the present schema, once, before its release.
@Suite("Schema migrations")
struct MigrationTests {
  private static let fixtures = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appendingPathComponent("Fixtures")
  private static let clock = ManualClock(1_750_000_000_000_000)

  @Test(
    "every released schema has its fixture, which opens at the present version",
    arguments: 1...Schema.version)
  func released(_ version: Int) async throws {
    let directory = TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: directory.path, withIntermediateDirectories: true)
    let text = try String(
      contentsOf: Self.fixtures.appendingPathComponent("schema-\(version).sql"), encoding: .utf8)
    let database = try DatabaseQueue(path: directory.file("qubus.sqlite"))
    try await database.writeWithoutTransaction { try $0.execute(sql: text) }
    try database.close()
    let store = try SQLiteJobStore(
      directory: directory.path, codec: TestCodec(), clock: Self.clock)
    defer { try? store.close() }
    try store.control { db in
      let found = try Int.fetchOne(db, sql: "PRAGMA user_version")
      let check = try String.fetchOne(db, sql: "PRAGMA integrity_check")
      #expect(found == Schema.version)
      #expect(check == "ok")
    }
    let jobs = try store.jobs(JobFilter())
    #expect(jobs.map(\.status) == [.succeeded, .failed, .queued, .succeeded])
    let done = try #require(jobs.last)
    #expect(done.tags == ["fixture", "été"])
    #expect(done.annotations == ["note": "kept"])
    #expect(done.seed == .max)
    #expect(done.request == [0, 1, 2, 255])
    #expect(jobs[1].error == QubusError(.executionFailed, "broken"))
    #expect(try store.unfinishedJobs().map(\.id) == [jobs[2].id])
    #expect(try store.events(done.id, after: 0, limit: 10).map(\.sequence) == Array(1...6))
    let (manifest, provenance) = try #require(try store.result(done.id))
    #expect(manifest.items.count == 2)
    #expect(provenance.device == "sim.statevector")
    #expect(try store.resultChunk(done.id, item: 0, chunk: 0) == [1, 2, 3])
    #expect(try store.resultChunk(done.id, item: 1, chunk: 0) == Array(repeating: 7, count: 2000))
    // The longer forms: a request of its own, chunks as rows.
    #expect(jobs[0].request == Array(repeating: 5, count: 3000))
    let long = try store.resultChunk(jobs[0].id, item: 0, chunk: 0)
    #expect(long == Array(repeating: 8, count: 9000))
    let again = JobUpdate(
      jobID: jobs[2].id, attempt: 1, moves: [.canceled],
      events: [NewEvent(time: 1, kind: .statusChanged, status: .canceled, attempt: 1)])
    #expect(try await store.update(again).map(\.sequence) == [3])
    if version >= 2 { try checkSession(store) }
    try await checkTenancy(store, version)
    let ledger = try store.ledgerSnapshot()
    #expect(ledger.prices.count == (version >= 4 ? 1 : 0))
    #expect(ledger.entitlements.map { $0.balance } == (version >= 4 ? [50] : []))
    #expect(ledger.budgets.map(\.hardCap) == (version >= 4 ? [9] : []))
    #expect(try store.verifyLedger().isEmpty)
    let snapshot = try store.snapshot()
    #expect(snapshot.quotas.map(\.limit) == (version >= 6 ? [7] : []))
    #expect(snapshot.approvalPolicies.map(\.maxShots) == (version >= 6 ? [8] : []))
    #expect(snapshot.weights.map(\.weight) == (version >= 9 ? [1.5] : []))
    #expect(try store.usedService() == (version >= 9 ? [Self.use] : []))
    #expect(try store.startQuotes(limit: 9) == (version >= 11 ? [Self.quote] : []))
    #expect(snapshot.exportPolicies.map(\.destinations) == (version >= 8 ? [["vault"]] : []))
    #expect(snapshot.drains.map(\.reason) == (version >= 11 ? ["leak"] : []))
    #expect(snapshot.reservations == (version >= 11 ? [Self.window] : []))
    let fresh = try StoreFixture(.sqlite)
    #expect(try Self.schema(of: store) == Self.schema(of: fresh.sqlite))
    fresh.close()
  }

  @Test("a job that a former release paused is still paused")
  func paused() async throws {
    let directory = TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: directory.path, withIntermediateDirectories: true)
    let text = try String(
      contentsOf: Self.fixtures.appendingPathComponent("schema-9.sql"), encoding: .utf8)
    let database = try DatabaseQueue(path: directory.file("qubus.sqlite"))
    try await database.writeWithoutTransaction {
      try $0.execute(sql: text)
      // Also of the ended ones, whose reason is another matter.
      try $0.execute(sql: "UPDATE jobs SET reason = 'PAUSED'")
    }
    try database.close()
    let store = try SQLiteJobStore(
      directory: directory.path, codec: TestCodec(), clock: Self.clock)
    defer { try? store.close() }
    #expect(try store.jobs(JobFilter()).map(\.withheld) == [[], [], .paused, []])
  }

  /// What the database says of its own tables, indexes and triggers.
  private static func schema(of store: SQLiteJobStore) throws -> [String] {
    let found = Lock<[String]>([])
    try store.control { db in
      let rows = try String.fetchAll(
        db,
        sql: """
          SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_master ORDER BY 1
          """)
      found.withLock { $0 = rows }
    }
    return found.withLock { $0 }
  }

  private static let use = UsedService(
    principal: .init(tenant: "t", project: "p", name: "alice"), deviceSeconds: 2.5, at: 17)

  private static let quote = StartQuoteTests.quote(3, at: 1000, startedAt: 2_000_000)

  private static let bounds: [TenancyChange] = {
    var policy = ApprovalPolicy(
      key: .init(tenant: "default", project: nil, experimentClass: "demo"))
    policy.maxShots = 8
    return [
      .setQuota(.tenant("default"), .sessions, limit: 7), .setApprovalPolicy(policy),
      .setWeight(.tenant("default"), 1.5),
      .setExportPolicy(
        ExportPolicy(
          key: .init(tenant: "default", project: "default"), destinations: ["vault"])),
      .drain(
        DeviceDrain(
          device: "sim.statevector", by: .init(tenant: "t", project: "p", name: "root"),
          reason: "leak", since: 19)),
      .calendar(.create(window)),
    ]
  }()

  private static let window = Reservation(
    id: Identifier(high: 7, low: 9), device: "sim.statevector", isShared: true,
    holder: .project(tenant: "default", "default"), startsAt: 4_000_000_000_000_000,
    endsAt: 4_000_000_060_000_000,
    createdBy: Principal(tenant: "lab", project: "qc", name: "ada"), createdAt: 17)

  private static let money: [LedgerChange] = [
    .setPrice(
      device: "sim.statevector", Price(perJob: 1, perShot: 2, perDeviceSecond: 3)),
    .grant(
      Entitlement(
        number: 1, project: LedgerProject(tenant: "default", project: "default"), amount: 50,
        createdAt: 1)),
    .setBudget(
      Budget(
        project: LedgerProject(tenant: "default", project: "default"), experimentClass: .demo,
        period: .month, hardCap: 9)),
  ]

  @Test(
    "writes the fixture of the present schema",
    .enabled(if: ProcessInfo.processInfo.environment["QUBUS_WRITE_FIXTURE"] != nil))
  func write() async throws {
    let path = try #require(ProcessInfo.processInfo.environment["QUBUS_WRITE_FIXTURE"])
    let fixture = try StoreFixture(.sqlite)
    var record = fixture.record(key: "key")
    record.tags = ["fixture", "été"]
    record.annotations = ["note": "kept"]
    record.seed = .max
    let done = try await fixture.accept(record)
    _ = try await fixture.store.update(fixture.move(done.id, .reserved, .running))
    _ = try await fixture.finish(done.id, with: [[1, 2, 3], Array(repeating: 7, count: 2000)])
    _ = try await fixture.accept(fixture.record())
    let failed = try await fixture.accept(fixture.record())
    var update = fixture.move(failed.id, .failed)
    update.error = QubusError(.executionFailed, "broken")
    _ = try await fixture.store.update(update)
    var long = fixture.record()
    long.request = Array(repeating: 5, count: 3000)
    let large = try await fixture.accept(long)
    _ = try await fixture.store.update(fixture.move(large.id, .reserved, .running))
    _ = try await fixture.finish(large.id, with: [Array(repeating: 8, count: 9000)])
    try await writeSession(fixture)
    try await fixture.sqlite.change(
      all: TenancyFixture.lab + Self.money.map { .ledger($0) } + Self.bounds,
      audit: .sample("tenant lab"))
    fixture.sqlite.keep([Self.use]) { _ in }
    fixture.sqlite.keep([Self.quote]) { _ in }
    try await fixture.sqlite.record(.sample("job \u{1F642}", time: -1))
    try fixture.store.close()
    try FileManager.default.copyItem(
      atPath: fixture.directory.file("qubus.sqlite"), toPath: path)
  }

  private func writeSession(_ fixture: StoreFixture) async throws {
    let store = fixture.sqlite
    var record = SessionRecord(
      id: fixture.ids.next(), principal: .init(tenant: "t", project: "p", name: "alice"),
      request: [4, 5, 6], seed: .max, openedAt: 17)
    record.tags = ["fixture"]
    record.wallSeconds = 60.5
    let session = record
    store.perform(.open(session) { _ in })
    let run = OptimizationRecord(
      id: fixture.ids.next(), session: session.id, principal: session.principal, request: [7],
      startedAt: 18)
    store.perform(.startOptimization(run) { _ in })
    store.perform(
      .checkpoint(.init(optimization: run.id, iteration: 12, time: 19, state: [8, 9])) { _ in })
    try await store.flush()
  }

  private func checkSession(_ store: SQLiteJobStore) throws {
    let session = try #require(try store.openSessions().first)
    #expect(session.request == [4, 5, 6])
    #expect(session.seed == .max)
    #expect(session.tags == ["fixture"])
    #expect(session.wallSeconds == 60.5)
    let runs = Lock<[Identifier]>([])
    try store.control { db in
      let ids = try Data.fetchAll(db, sql: "SELECT id FROM optimizations")
      runs.withLock { $0 = ids.compactMap { Identifier(bytes: $0) } }
    }
    let run = try #require(runs.withLock { $0.first })
    #expect(try store.optimization(run)?.session == session.id)
    #expect(try store.checkpoint(run, atOrBefore: 100)?.state == [8, 9])
    #expect(try store.checkpoint(run, atOrBefore: 11) == nil)
  }

  /// What version 3 kept is there and its chain holds; before, there was the default project.
  private func checkTenancy(_ store: SQLiteJobStore, _ version: Int) async throws {
    let snapshot = try store.snapshot()
    #expect(snapshot.projects.first?.name == "default")
    #expect(try store.verifyAudit().brokenAt == nil)
    if version >= 3 {
      #expect(snapshot.projects.last?.owner == "ada")
      #expect(snapshot.principals.map(\.principal.name) == ["ada", "bob"])
      #expect(snapshot.keys.map(\.key) == [TenancyFixture.key])
      #expect(snapshot.grants.map(\.grant.role) == [.submitter])
      #expect(try store.entries() == [.sample("tenant lab"), .sample("job \u{1F642}", time: -1)])
    } else {
      #expect(snapshot.tenants.map(\.name) == ["default"])
      #expect(try store.entries().isEmpty)
    }
    try await store.record(.sample())
    let report = try store.verifyAudit()
    #expect(report.brokenAt == nil)
    #expect(report.records == (version >= 3 ? 3 : 1))
  }
}
