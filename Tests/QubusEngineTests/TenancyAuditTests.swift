import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("Reading the audit")
struct TenancyAuditTests {
  typealias T = TenancyHarness

  private func records(
    _ harness: TenancyHarness, _ query: TenancyQuery, as principal: Principal
  ) throws -> ([AuditRecord], isComplete: Bool) {
    guard case .audit(let records, let isComplete) = try harness.answer(query, as: principal)
    else { throw QubusError(.internalError, "no records") }
    return (records, isComplete)
  }

  private func harness() throws -> TenancyHarness {
    let harness = try TenancyHarness()
    try harness.perform(
      .grantRole(GrantRecord(principal: T.root, grant: Grant(.auditor, Scope()))), as: T.root)
    for number in 0..<3 {
      try harness.perform(.createProject(tenant: "lab", name: "l\(number)", owner: ""), as: T.root)
      try harness.perform(
        .createProject(tenant: "other", name: "o\(number)", owner: ""), as: T.root)
    }
    return harness
  }

  @Test("an auditor of a tenant reads the tenant's records and no others")
  func tenants() throws {
    let harness = try harness()
    for query in [
      TenancyQuery.audit(after: 0, tenant: nil, limit: 100),
      .audit(after: 0, tenant: "lab", limit: 100),
    ] {
      let (found, isComplete) = try records(harness, query, as: T.ada)
      #expect(found.map(\.entry.subject) == ["project lab/l0", "project lab/l1", "project lab/l2"])
      #expect(isComplete)
    }
    for tenant in ["other", "nowhere"] {
      let error = try harness.refusal(.audit(after: 0, tenant: tenant, limit: 1), as: T.ada)
      #expect(error?.code == .tenantNotFound)
    }
    let (all, _) = try records(harness, .audit(after: 0, tenant: nil, limit: 100), as: T.root)
    #expect(all.map(\.number) == Array(1...UInt64(all.count)) && all.count == 8)
  }

  @Test("pages follow one another by number and tell when nothing follows")
  func pages() throws {
    let harness = try harness()
    var numbers: [UInt64] = []
    var isComplete = false
    while !isComplete {
      let page = try records(
        harness, .audit(after: numbers.last ?? 0, tenant: nil, limit: 3), as: T.root)
      #expect(page.0.count <= 3 && !page.0.isEmpty)
      numbers += page.0.map(\.number)
      isComplete = page.isComplete
    }
    #expect(numbers == Array(1...8))
  }

  @Test("without the role nobody reads, verifies or exports the audit, the operator included")
  func refused() throws {
    let harness = try TenancyHarness()
    for principal in T.everyone where principal != T.ada {
      #expect(
        try harness.refusal(.audit(after: 0, tenant: nil, limit: 1), as: principal)?.code
          == .permissionDenied)
    }
    // A tenant's auditor has no business with the chain of the service.
    for principal in T.everyone {
      for query in [TenancyQuery.verifyAudit(nil), .auditCheckpoint] {
        #expect(try harness.refusal(query, as: principal)?.code == .permissionDenied)
      }
    }
  }

  @Test("the chain verifies, by itself and against a checkpoint")
  func verify() throws {
    let harness = try harness()
    guard case .auditCheckpoint(let checkpoint) = try harness.answer(.auditCheckpoint, as: T.root),
      case .auditReport(let report) = try harness.answer(
        .verifyAudit(try AuditCheckpoint(json: checkpoint.json)), as: T.root)
    else {
      Issue.record("no report")
      return
    }
    #expect(report.brokenAt == nil && report.records == 8 && report.head == checkpoint.hash)
    var forged = checkpoint
    forged.number += 1
    let error = try harness.refusal(.verifyAudit(forged), as: T.root)
    #expect(error?.code == .invalidRequest)
  }

  @Test("changes are let through one at a time, in order, also when the store answers late")
  func queue() throws {
    let order = Lock<[Int]>([])
    let pending = Lock<[@Sendable () -> Void]>([])
    let queue = ChangeQueue()
    for number in 0..<3 {
      queue.enter { done in
        order.withLock { $0.append(number) }
        pending.withLock { $0.append(done) }
      }
    }
    for count in 1...3 {
      #expect(order.withLock { $0 } == Array(0..<count))
      let done = pending.withLock { $0.removeLast() }
      done()
    }
    // A thousand that end at once do not nest.
    for number in 0..<1000 {
      queue.enter { done in
        order.withLock { $0.append(number) }; done()
      }
    }
    #expect(order.withLock { $0.count } == 1003)
  }
}
