import GRDB
import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusStoreSQLite

@Suite("An audit that retention cuts")
struct AuditCutTests {
  /// Ten records of the times 1 to 10.
  private func filled() async throws -> StoreFixture {
    let fixture = try StoreFixture(.sqlite)
    for time in 1...10 as ClosedRange<Microseconds> {
      try await fixture.sqlite.record(.sample("job \(time)", time: time))
    }
    return fixture
  }

  private func cut(
    _ fixture: StoreFixture, before time: Microseconds, limit: Int = 100
  ) async throws -> Int {
    try await withCheckedContinuation { continuation in
      fixture.sqlite.cutAudit(before: time, limit: limit, entry: .sample("", time: 99)) {
        continuation.resume(returning: $0)
      }
    }.get()
  }

  @Test("the rest follows from the signed cut, and the cut is told in it")
  func verified() async throws {
    let fixture = try await filled()
    let store = fixture.sqlite
    #expect(try await cut(fixture, before: 5) == 4)
    let report = try store.verifyAudit()
    #expect(report.brokenAt == nil && report.first == 5 && report.records == 11)
    #expect(report.cutAt == fixture.clock.now())
    #expect(report.explanation.contains("records 5 to 11"))
    #expect(try store.entries().map(\.subject).last == "audit records 1 to 4")
    #expect(try store.entries().first?.subject == "job 5")
    // Again: the one before is behind the new one.
    #expect(try await cut(fixture, before: 8, limit: 2) == 2)
    #expect(try await cut(fixture, before: 8, limit: 2) == 1)
    #expect(try await cut(fixture, before: 8, limit: 2) == 0)
    #expect(try store.verifyAudit().first == 8)
    #expect(try store.verifyAudit(last: 2).first == 12)
    #expect(try store.verifyAudit(last: 100).first == 8)
    fixture.close()
  }

  @Test("with every record gone, the one that tells of it is left")
  func all() async throws {
    let fixture = try await filled()
    #expect(try await cut(fixture, before: 50) == 10)
    #expect(try fixture.sqlite.entries().map(\.subject) == ["audit records 1 to 10"])
    try await fixture.sqlite.record(.sample("job 11", time: 100))
    let report = try fixture.sqlite.verifyAudit()
    #expect(report.brokenAt == nil && report.first == 11 && report.records == 12)
    fixture.close()
  }

  @Test("a clock that was set back does not let a younger record go with older ones")
  func clockSetBack() async throws {
    let fixture = try await filled()
    try await fixture.sqlite.record(.sample("job 11", time: 2))
    #expect(try await cut(fixture, before: 6) == 5)
    #expect(try fixture.sqlite.entries().map(\.time) == [6, 7, 8, 9, 10, 2, 99])
    fixture.close()
  }

  @Test("checkpoints from before and behind the cut are compared as far as they can be")
  func checkpoints() async throws {
    let fixture = try await filled()
    let store = fixture.sqlite
    let early = try store.auditCheckpoint()
    try await store.record(.sample("job 11", time: 11))
    let late = try store.auditCheckpoint()
    #expect(try await cut(fixture, before: 5) == 4)
    #expect(try store.verifyAudit(against: early).brokenAt == nil)
    #expect(try await cut(fixture, before: 11) == 6)
    let equal = try store.verifyAudit(against: early)
    #expect(equal.brokenAt == nil && !equal.explanation.contains("not compared"))
    #expect(try store.verifyAudit(against: late).brokenAt == nil)
    #expect(try await cut(fixture, before: 12) == 1)
    let gone = try store.verifyAudit(against: early)
    #expect(gone.brokenAt == nil && gone.explanation.contains("not compared"))
    fixture.close()
  }

  /// SQL against the file after a cut behind record 4, and where it shows.
  private static let tamperings: [(what: String, sql: String, at: UInt64)] = [
    ("the cut removed", "DELETE FROM audit_cut", 1),
    ("the cut moved", "UPDATE audit_cut SET number = 3", 3),
    ("another hash at the cut", "UPDATE audit_cut SET hash = zeroblob(32)", 4),
    ("another time of the cut", "UPDATE audit_cut SET time = 0", 4),
    ("another key", "UPDATE audit_cut SET public_key = zeroblob(32), hash = zeroblob(32)", 4),
    (
      "a record removed with the cut moved behind it",
      """
      UPDATE audit_cut SET number = 5, hash = (SELECT hash FROM audit WHERE number = 5);
      DELETE FROM audit WHERE number = 5;
      """, 5
    ),
    (
      "a record put before the first",
      "INSERT INTO audit SELECT 2,encoding,time,actor_tenant,actor_project,actor,credential,token,"
        + "method,action,subject,tenant,outcome,policy,reason,trace_id,hash FROM audit "
        + "WHERE number = 6", 5
    ),
  ]

  @Test("a hand that cuts is found", arguments: tamperings.indices)
  func tampering(_ index: Int) async throws {
    let fixture = try await filled()
    #expect(try await cut(fixture, before: 5) == 4)
    let (what, sql, number) = Self.tamperings[index]
    try fixture.sqlite.control { try $0.execute(sql: sql) }
    #expect(try fixture.sqlite.verifyAudit().brokenAt == number, "\(what)")
    fixture.close()
  }

  @Test("records behind the cut cannot be removed by SQL, those before it can")
  func trigger() async throws {
    let fixture = try await filled()
    #expect(try await cut(fixture, before: 5) == 4)
    let found = await code {
      try fixture.sqlite.control { try $0.execute(sql: "DELETE FROM audit WHERE number = 5") }
    }
    #expect(found == .storageUnavailable)
    #expect(try fixture.sqlite.verifyAudit().brokenAt == nil)
    fixture.close()
  }
}
