import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@Suite("The audit's chain")
struct AuditChainTests {
  private static func entry(_ subject: String = "job 1") -> AuditEntry {
    AuditEntry(
      time: 1_700_000_000_000_000, principal: Principal(tenant: "t", project: "p", name: "n"),
      credential: "loopback", tokenID: "id", method: "SubmitJob", action: "jobs.submit",
      subject: subject, tenant: "t", outcome: .allowed, policy: "submitter of t/p",
      reason: "because", traceID: "trace")
  }

  // Fixed for ever: another hash would make every audit in the field look damaged.
  @Test("the hash of an entry is that of its version")
  func golden() {
    let first = AuditRecord(number: 1, entry: Self.entry(), after: AuditRecord.origin)
    let second = AuditRecord(number: 2, entry: Self.entry("été"), after: first.hash)
    var nobody = Self.entry()
    nobody.principal = nil
    let third = AuditRecord(number: 3, entry: nobody, after: second.hash)
    #expect(AuditEntry.encodingVersion == 1)
    #expect([first, second, third].map { hex($0.hash) } == Self.goldenHashes)
  }

  /// Computed from the documented layout by another program.
  private static let goldenHashes = [
    "624a04659c971690f5ce80a0dd17c02c51b7c3a4559fb300c234bd835753036b",
    "3cc033b783c074598af22888c482b23fcdca4618e08a3c10afb374340c17a47a",
    "af1dc16c21058afebf9a0c6f4de5a55e5793288797d898eb209112e2f5ea86a2",
  ]

  @Test("every field, the number and the hash before it change the hash")
  func fields() {
    let base = Self.entry()
    var changed = Array(repeating: base, count: 15)
    changed[0].time += 1
    changed[1].principal = nil
    changed[2].principal?.tenant = "u"
    changed[3].principal?.project = "q"
    changed[4].principal?.name = "m"
    changed[5].credential = "uid:1"
    changed[6].tokenID = ""
    changed[7].method = "Cancel"
    changed[8].action = ""
    changed[9].subject = "job 2"
    changed[10].tenant = ""
    changed[11].outcome = .refused
    changed[12].policy = ""
    changed[13].reason = ""
    changed[14].traceID = ""
    var moved = base
    // The same texts in one run, cut elsewhere.
    moved.credential = "loopbacki"
    moved.tokenID = "d"
    let variants = [base] + changed + [moved]
    var hashes = Set(
      variants.map { AuditRecord(number: 1, entry: $0, after: AuditRecord.origin).hash })
    hashes.insert(AuditRecord(number: 2, entry: base, after: AuditRecord.origin).hash)
    hashes.insert(
      AuditRecord(number: 1, entry: base, after: Array(repeating: 1, count: 32)).hash)
    #expect(hashes.count == variants.count + 2)
  }

  @Test(
    "JSON that is no checkpoint is refused, naming the field",
    arguments: [
      ("", "checkpoint"), ("{}", "checkpoint"), ("[1]", "checkpoint"),
      (json(version: "2"), "checkpoint.version"), (json(service: "x"), "checkpoint.service"),
      (json(hash: "00"), "checkpoint.hash"), (json(hash: digits(63) + "g"), "checkpoint.hash"),
      (json(hash: digits(63).uppercased() + "A"), "checkpoint.hash"),
      (json(key: digits(66)), "checkpoint.public_key"),
      (json(signature: digits(64)), "checkpoint.signature"), (json(number: "-1"), "checkpoint"),
      (json(number: "1.5"), "checkpoint"), (json(number: "18446744073709551616"), "checkpoint"),
      (json() + String(repeating: " ", count: 5000), "checkpoint"),
    ])
  func malformed(_ json: String, _ field: String) {
    do {
      _ = try AuditCheckpoint(json: json)
      Issue.record("it was read")
    } catch {
      #expect(error.code == .invalidRequest)
      #expect(error.violations.map(\.field) == [field])
    }
  }

  @Test("the JSON of a checkpoint is read as it was written")
  func roundTrip() throws {
    let checkpoint = try AuditCheckpoint(json: Self.json())
    #expect(checkpoint.number == .max)
    #expect(checkpoint.time == -5)
    #expect(try AuditCheckpoint(json: checkpoint.json) == checkpoint)
    #expect(!checkpoint.isSigned(by: checkpoint.publicKey))
    #expect(!checkpoint.isSigned(by: []))
  }

  private static func digits(_ count: Int) -> String {
    String(repeating: "0a", count: count / 2) + (count % 2 == 1 ? "0" : "")
  }

  private static func json(
    version: String = "1", service: String = "018f3f5e-7c1a-7000-8000-0123456789ab",
    number: String = "18446744073709551615", hash: String = digits(64), key: String = digits(64),
    signature: String = digits(128)
  ) -> String {
    """
    {"version":\(version),"service":"\(service)","number":\(number),"hash":"\(hash)","time":-5,
    "public_key":"\(key)","signature":"\(signature)"}
    """
  }

  private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }
}
