import Foundation
import GRDB
import Glibc
import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusStoreSQLite

/// What the audit is on a disk: kept, continued, never changed.
@Suite("Audit on the disk")
struct AuditStoreTests {
  private func open(_ directory: TemporaryDirectory) throws -> SQLiteJobStore {
    try SQLiteJobStore(
      directory: directory.path, codec: TestCodec(), clock: ManualClock(), options: .forTests)
  }

  @Test("tenancy and audit are there after close and after a crash, and go on")
  func reopening() async throws {
    let fixture = try StoreFixture(.sqlite)
    defer { fixture.close() }
    let store = fixture.sqlite
    try await store.change(all: TenancyFixture.lab)
    let record = fixture.record()
    _ = try await store.accept(record, [fixture.event(.accepted)], audit: .sample())
    let (snapshot, service) = (try store.snapshot(), store.serviceID)
    let records = try store.auditRecords(after: 0, tenant: nil, limit: 10)
    let checkpoint = try store.auditCheckpoint()
    let crashed = TemporaryDirectory()
    try FileManager.default.copyItem(atPath: fixture.directory.path, toPath: crashed.path)
    try FileManager.default.removeItem(atPath: crashed.file("qubus.sqlite-shm"))
    try store.close()
    for directory in [fixture.directory, crashed] {
      let store = try open(directory)
      #expect(try store.snapshot() == snapshot)
      #expect(store.serviceID == service)
      #expect(try store.auditRecords(after: 0, tenant: nil, limit: 10) == records)
      try await store.record(.sample("job 2"))
      let report = try store.verifyAudit(against: checkpoint)
      #expect(report.brokenAt == nil)
      #expect(report.records == 3)
      try store.close()
    }
    let other = try StoreFixture(.sqlite)
    defer { other.close() }
    #expect(other.sqlite.serviceID != service)
  }

  @Test(
    "SQL neither changes nor removes a record",
    arguments: [
      "UPDATE audit SET reason = 'another' WHERE number = 1",
      "UPDATE audit SET number = 7 WHERE number = 2",
      "DELETE FROM audit WHERE number = 2",
      "DELETE FROM audit",
      "REPLACE INTO audit SELECT * FROM audit WHERE number = 2",
      "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE number = 1",
    ])
  func appendOnly(_ sql: String) async throws {
    let fixture = try StoreFixture(.sqlite)
    defer { fixture.close() }
    let store = fixture.sqlite
    for i in 0..<2 { try await store.record(.sample("job \(i)")) }
    let before = try store.auditRecords(after: 0, tenant: nil, limit: 10)
    #expect(await code { try store.control { try $0.execute(sql: sql) } } != nil)
    #expect(try store.auditRecords(after: 0, tenant: nil, limit: 10) == before)
    try await store.record(.sample())
    #expect(try store.verifyAudit().records == 3)
  }

  @Test("a command that fails in its group leaves no gap, and its group is whole")
  func failureInGroup() async throws {
    let fixture = try StoreFixture(.sqlite)
    defer { fixture.close() }
    let store = fixture.sqlite
    // All sixteen rows of one number, so that the next has none.
    let id = fixture.ids.next()
    func record(_ low: UInt64) -> JobRecord {
      var record = fixture.record()
      record.id = Identifier(high: id.high, low: id.low &+ low)
      return record
    }
    for i in 1...16 as ClosedRange<UInt64> { _ = try await fixture.accept(record(i)) }
    let gate = Gate.hold(store)
    let failed = Tally()
    for i in 0..<20 {
      let accepted = i == 7 ? record(17) : fixture.record()
      store.perform(
        .accept(accepted, [fixture.event(.accepted)], audit: .sample("job \(i)")) { result in
          if case .failure = result { failed.add() }
        })
      if i % 5 == 0 { store.change([], audit: .sample("entry \(i)")) { _ in } }
      if i == 12 {
        let change = TenancyChange.setTenantDisabled("none", true)
        store.change([change], audit: .sample("refused")) { _ in failed.add() }
      }
    }
    gate.open()
    try await store.flush()
    #expect(failed.count == 2)
    let records = try store.auditRecords(after: 0, tenant: nil, limit: 100)
    #expect(records.map(\.number) == Array(1...23))
    #expect(!records.contains { ["job 7", "refused"].contains($0.entry.subject) })
    #expect(try store.verifyAudit().records == 23)
  }

  @Test("a full database leaves neither changes nor evidence, and the chain goes on after it")
  func diskFull() async throws {
    let fixture = try StoreFixture(.sqlite)
    defer { fixture.close() }
    let store = fixture.sqlite
    try await store.record(.sample())
    let before = try store.snapshot()
    try store.control { db in
      let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
      try db.execute(sql: "PRAGMA max_page_count = \(pages)")
    }
    var large = AuditEntry.sample()
    large.reason = String(repeating: "r", count: 20_000)
    let entry = large
    let tenant = TenancyChange.createTenant(TenantRecord(name: "lab", createdAt: 1))
    #expect(await code { try await store.change(tenant, audit: entry) } == .diskFull)
    var record = fixture.record()
    record.request = Array(repeating: 7, count: 20_000)
    let job = record
    #expect(
      await code {
        _ = try await store.accept(job, [fixture.event(.accepted)], audit: .sample())
      } == .diskFull)
    #expect(try store.snapshot() == before)
    #expect(try store.jobs(JobFilter()).isEmpty)
    #expect(try store.entries() == [.sample()])
    try store.control { try $0.execute(sql: "PRAGMA max_page_count = 1000000") }
    try await store.change(tenant, audit: entry)
    #expect(try store.entries() == [.sample(), entry])
    #expect(try store.verifyAudit().records == 2)
  }

  @Test("a key that others may read, that is too short or a link is refused")
  func keyFile() async throws {
    let directory = TemporaryDirectory()
    try open(directory).close()
    let path = directory.file(AuditKey.fileName)
    let key = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(key.count == 32)
    for mode in [0o640, 0o604, 0o660] as [mode_t] {
      chmod(path, mode)
      #expect(await code { try open(directory).close() } == .invalidKey)
    }
    chmod(path, 0o600)
    for wrong in [Data(), key.dropLast(), key + [0]] {
      try wrong.write(to: URL(fileURLWithPath: path))
      chmod(path, 0o600)
      #expect(await code { try open(directory).close() } == .invalidKey)
    }
    unlink(path)
    try key.write(to: URL(fileURLWithPath: directory.file("elsewhere")))
    chmod(directory.file("elsewhere"), 0o600)
    symlink(directory.file("elsewhere"), path)
    #expect(await code { try open(directory).close() } == .invalidKey)
    unlink(path)
    try open(directory).close()
  }

  @Test("the last records are followed alone, for a look at every start")
  func lastRecords() async throws {
    let fixture = try StoreFixture(.sqlite)
    defer { fixture.close() }
    let store = fixture.sqlite
    #expect(try store.verifyAudit(last: 5).records == 0)
    for i in 0..<20 { try await store.record(.sample("job \(i)")) }
    for count in [1, 5, 19, 20, 1000] as [UInt64] {
      let report = try store.verifyAudit(last: count)
      #expect(report.brokenAt == nil)
      #expect(report.records == 20)
    }
    try store.control { db in
      try db.execute(
        sql: "DROP TRIGGER audit_unchanged; UPDATE audit SET reason = '' WHERE number = 15")
    }
    #expect(try store.verifyAudit(last: 5).brokenAt == nil)
    #expect(try store.verifyAudit(last: 6).brokenAt == 15)
  }

  @Test("100,000 records are verified within seconds")
  func long() async throws {
    let fixture = try StoreFixture(.sqlite)
    defer { fixture.close() }
    let store = fixture.sqlite
    let clock = SystemClock()
    let window = DispatchSemaphore(value: 4000)
    let writing = clock.monotonic()
    for i in 0..<100_000 {
      window.wait()
      store.record(.sample("job \(i)", tenant: i == 70_000 ? "rare" : "default")) { _ in
        window.signal()
      }
    }
    try await store.flush()
    let reading = clock.monotonic()
    let report = try store.verifyAudit()
    let listing = clock.monotonic()
    let rare = try store.auditRecords(after: 0, tenant: "rare", limit: 10)
    let end = clock.monotonic()
    #expect(report.brokenAt == nil)
    #expect(report.records == 100_000)
    #expect(rare.map(\.number) == [70_001])
    print(
      "100,000 records: written in \((reading - writing) / 1000) ms, verified in"
        + " \((listing - reading) / 1000) ms, one of a tenant found in \((end - listing) / 1000) ms"
    )
    #expect(listing - reading < 20_000_000)
  }

  @Test("evidence without a change joins the next commit, or is written by itself soon")
  func notes() async throws {
    let fixture = try StoreFixture(.sqlite)
    defer { fixture.close() }
    let store = fixture.sqlite
    store.note(.sample("read 1"))
    let record = fixture.record()
    _ = try await store.accept(record, [fixture.event(.accepted)], audit: .sample("job"))
    #expect(try store.entries().map(\.subject) == ["read 1", "job"])
    let alone: Result<Void, QubusError> = await withCheckedContinuation { continuation in
      let task = WriteTask(.tenancy([], .sample("read 2")) { continuation.resume(returning: $0) })
      #expect(store.queue.note(task) == nil)
    }
    try alone.get()
    // More than wait for company.
    for i in 0..<1500 { store.note(.sample("read \(i + 3)")) }
    try await store.flush()
    #expect(try store.entries().count == 1503)
    store.note(.sample("the last"))
    try store.close()
    let again = try open(fixture.directory)
    #expect(try again.entries().last?.subject == "the last")
    #expect(try again.verifyAudit().records == 1504)
    try again.close()
  }

  @Test("evidence that cannot be written is told")
  func lostNotes() async throws {
    let lost = Lock<[(subject: String, code: ErrorCode)]>([])
    var options = StoreOptions.forTests
    options.onLostNote = { entry, error in
      lost.withLock { $0.append((entry.subject, error.code)) }
    }
    let fixture = try StoreFixture(.sqlite, options: options)
    defer { fixture.close() }
    let store = fixture.sqlite
    try store.control { db in
      let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
      try db.execute(sql: "PRAGMA max_page_count = \(pages)")
    }
    var large = AuditEntry.sample("large")
    large.reason = String(repeating: "r", count: 20_000)
    store.note(large)
    try await store.flush()
    #expect(lost.withLock { $0.map(\.subject) } == ["large"])
    #expect(lost.withLock { $0.map(\.code) } == [.diskFull])
    try store.close()
    store.note(.sample("late"))
    #expect(lost.withLock { $0.map(\.subject) } == ["large", "late"])
    #expect(lost.withLock { $0.last?.code } == .storageUnavailable)
  }
}
