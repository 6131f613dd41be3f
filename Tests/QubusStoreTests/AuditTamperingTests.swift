import Foundation
import GRDB
import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusStoreSQLite

/// A hand in the file: found, with the position.
@Suite("Tampering with the audit")
struct AuditTamperingTests {
  /// What is done to ten records, where the chain breaks, and where it does against a checkpoint of
  /// all ten.
  struct Tampering: Sendable, CustomTestStringConvertible {
    var what: String
    var sql: String
    var chain: UInt64?
    var checkpoint: UInt64?
    var testDescription: String { what }

    init(_ what: String, _ sql: String, at chain: UInt64?, checkpoint: UInt64? = nil) {
      self.what = what
      self.sql = sql
      self.chain = chain
      self.checkpoint = checkpoint ?? chain
    }
  }

  private static let edits: [Tampering] = [
    "time = time + 1", "actor = 'eve'", "actor = NULL", "actor_tenant = 'x'",
    "actor_project = 'x'", "credential = 'uid:0'", "token = ''", "method = 'Cancel'",
    "action = 'jobs.read'", "subject = 'job 9'", "tenant = 'other'", "outcome = 2",
    "outcome = 9", "policy = ''", "reason = 'because '", "trace_id = 'x'", "encoding = 2",
    "hash = zeroblob(32)", "credential = credential || token, token = ''",
  ].map { Tampering($0, "UPDATE audit SET \($0) WHERE number = 4", at: 4) }

  private static let moves: [Tampering] = [
    Tampering("the first removed", "DELETE FROM audit WHERE number = 1", at: 1),
    Tampering("one removed", "DELETE FROM audit WHERE number = 5", at: 5),
    Tampering(
      "one removed, the gap closed",
      """
      DELETE FROM audit WHERE number = 5;
      UPDATE audit SET number = -number WHERE number > 5;
      UPDATE audit SET number = -number - 1 WHERE number < 0;
      """, at: 5),
    Tampering(
      "one put in",
      """
      UPDATE audit SET number = -number WHERE number > 5;
      UPDATE audit SET number = 1 - number WHERE number < 0;
      INSERT INTO audit SELECT 6,encoding,time,actor_tenant,actor_project,actor,credential,token,
        method,action,subject,tenant,outcome,policy,reason,trace_id,hash
        FROM audit WHERE number = 3;
      """, at: 6),
    Tampering(
      "two exchanged",
      """
      UPDATE audit SET number = -1 WHERE number = 3;
      UPDATE audit SET number = 3 WHERE number = 7;
      UPDATE audit SET number = 7 WHERE number = -1;
      """, at: 3),
    Tampering("one put before the first", "UPDATE audit SET number = 0 WHERE number = 1", at: 1),
    Tampering("the last edited", "UPDATE audit SET reason = '' WHERE number = 10", at: 10),
    Tampering("all removed", "DELETE FROM audit", at: nil, checkpoint: 1),
    Tampering("the end cut off", "DELETE FROM audit WHERE number > 7", at: nil, checkpoint: 8),
    Tampering("the last removed", "DELETE FROM audit WHERE number = 10", at: nil, checkpoint: 10),
  ]

  static let all = edits + moves

  private static let unlock = """
    DROP TRIGGER audit_numbered; DROP TRIGGER audit_unchanged; DROP TRIGGER audit_kept;
    """

  private func filled() async throws -> StoreFixture {
    let fixture = try StoreFixture(.sqlite)
    for i in 1...10 { try await fixture.sqlite.record(.sample("job \(i)")) }
    return fixture
  }

  @Test("tampering shows, with its position", arguments: all)
  func shows(_ tampering: Tampering) async throws {
    let fixture = try await filled()
    defer { fixture.close() }
    let store = fixture.sqlite
    let early = try AuditCheckpoint(json: store.auditCheckpoint().json)
    try store.control { try $0.execute(sql: Self.unlock + tampering.sql) }
    let report = try store.verifyAudit()
    #expect(report.brokenAt == tampering.chain)
    #expect(report.records == tampering.chain.map { $0 - 1 } ?? report.records)
    #expect(try store.verifyAudit(against: early).brokenAt == tampering.checkpoint)
    // Whatever is written behind does not hide it.
    try await store.record(.sample("job 11"))
    #expect(try store.verifyAudit().brokenAt == tampering.chain)
    let against = try store.verifyAudit(against: early).brokenAt
    #expect(against != nil && against! <= 10)
  }

  @Test("a chain that was computed anew holds by itself and breaks against a checkpoint")
  func computedAnew() async throws {
    let fixture = try await filled()
    defer { fixture.close() }
    let store = fixture.sqlite
    let (early, late) = (try store.auditCheckpoint(at: 3), try store.auditCheckpoint())
    let records = try store.auditRecords(after: 0, tenant: nil, limit: 100)
    try store.control { db in
      try db.execute(sql: Self.unlock)
      var previous = records[3].hash
      for record in records[4...] {
        var entry = record.entry
        if record.number == 5 { entry.reason = "nothing" }
        let forged = AuditRecord(number: record.number, entry: entry, after: previous)
        previous = forged.hash
        try db.execute(
          sql: "UPDATE audit SET reason = ?, hash = ? WHERE number = ?",
          arguments: [entry.reason, Data(forged.hash), Int64(forged.number)])
      }
    }
    #expect(try store.verifyAudit().brokenAt == nil)
    #expect(try store.verifyAudit(against: early).brokenAt == nil)
    let report = try store.verifyAudit(against: late)
    #expect(report.brokenAt == 10)
    #expect(report.explanation.contains("computed anew"))
  }
}

extension SQLiteJobStore {
  /// A checkpoint as it was after an earlier record.
  fileprivate func auditCheckpoint(at number: UInt64) throws -> AuditCheckpoint {
    let record = try #require(try auditRecords(after: number - 1, tenant: nil, limit: 1).first)
    return try auditKey.sign(
      service: serviceID, number: record.number, hash: record.hash, time: clock.now())
  }
}
