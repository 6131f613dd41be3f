import QubusCore
import QubusJobs
import Testing

@testable import QubusStoreSQLite

/// What every session store promises.
@Suite("SessionStore contract")
struct SessionStoreContractTests {
  /// A store under test.
  private final class Fixture {
    let clock = ManualClock()
    let ids: IdentifierSource
    let store: any SessionStore
    private let jobs: StoreFixture?

    func audit() throws -> [AuditEntry] {
      try (store as? MemorySessionStore)?.audit.entries ?? jobs?.audit() ?? []
    }

    init(_ kind: StoreKind) throws {
      ids = IdentifierSource(clock: clock)
      switch kind {
      case .memory:
        jobs = nil
        store = MemorySessionStore()
      case .sqlite, .sealed:
        let jobs = try StoreFixture(kind)
        self.jobs = jobs
        store = jobs.sqlite
      }
    }

    func record(key: String = "", hash: UInt8 = 1, name: String = "alice") -> SessionRecord {
      var record = SessionRecord(
        id: ids.next(), principal: Principal(tenant: "t", project: "p", name: name),
        request: [0, 1, 255], seed: .max, openedAt: 17)
      record.clientVersion = "libqubus 0.1.0"
      record.traceID = "trace"
      record.secretHash = Array(repeating: 9, count: 32)
      record.idempotencyKey = key
      record.requestHash = Array(repeating: hash, count: 32)
      record.device = "sim.statevector"
      record.name = "vqe"
      record.tags = ["a", "été"]
      record.lastUsedAt = 18
      record.idleSeconds = 0.5
      record.wallSeconds = 1e9
      record.maxSteps = .max
      record.maxDeviceSeconds = 3.25
      record.memoryLimitBytes = 1 << 40
      return record
    }

    func open(
      _ record: SessionRecord, audit: AuditEntry? = nil
    ) async throws -> SessionRecord {
      try await withCheckedContinuation { continuation in
        store.perform(.open(record, audit: audit) { continuation.resume(returning: $0) })
      }.get()
    }

    func perform(
      _ command: (@escaping @Sendable (Result<Void, QubusError>) -> Void) -> SessionCommand
    ) async throws {
      try await withCheckedContinuation { continuation in
        store.perform(command { continuation.resume(returning: $0) })
      }.get()
    }
  }

  private static func usage(_ steps: UInt64) -> SessionUsage {
    var usage = SessionUsage()
    usage.steps = steps
    usage.lastSequence = steps + 1
    usage.deviceNanoseconds = .max - steps
    usage.shotsUsed = 3 * steps
    return usage
  }

  @Test("an open session reads back field for field", arguments: StoreKind.allCases)
  func roundTrip(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    let record = fixture.record(key: "k")
    #expect(try await fixture.open(record) == record)
    #expect(try fixture.store.session(record.id) == record)
    #expect(try fixture.store.session(fixture.ids.next()) == nil)
    #expect(try fixture.store.openSessions() == [record])
  }

  @Test(
    "one key is one open session of its principal, until it ends", arguments: StoreKind.allCases)
  func keys(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    let first = try await fixture.open(fixture.record(key: "k"))
    #expect(try await fixture.open(fixture.record(key: "k")).id == first.id)
    #expect(
      await code { _ = try await fixture.open(fixture.record(key: "k", hash: 2)) }
        == .idempotencyConflict)
    let other = try await fixture.open(fixture.record(key: "k", name: "bob"))
    #expect(other.id != first.id)
    let unnamed = fixture.record()
    _ = try await fixture.open(unnamed)
    _ = try await fixture.open(fixture.record())
    #expect(await code { _ = try await fixture.open(unnamed) } == .invariantViolated)
    try await fixture.perform {
      .end(first.id, .closed, reason: "", usage: SessionUsage(), at: 20, completion: $0)
    }
    let again = try await fixture.open(fixture.record(key: "k", hash: 2))
    #expect(again.id != first.id)
  }

  @Test(
    "usage is journaled while a session is open and kept at its end", arguments: StoreKind.allCases)
  func journal(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    let (a, b) = (fixture.record(), fixture.record())
    _ = try await fixture.open(a)
    _ = try await fixture.open(b)
    try await fixture.perform {
      .journal(
        [
          (id: a.id, usage: Self.usage(5), lastUsedAt: Microseconds(30)),
          (id: b.id, usage: Self.usage(7), lastUsedAt: Microseconds(31)),
          (id: fixture.ids.next(), usage: Self.usage(1), lastUsedAt: Microseconds(1)),
        ], completion: $0)
    }
    #expect(try fixture.store.session(a.id)?.usage == Self.usage(5))
    #expect(try fixture.store.session(b.id)?.lastUsedAt == 31)
    try await fixture.perform {
      .end(a.id, .ended, reason: "IDLE", usage: Self.usage(6), at: 40, completion: $0)
    }
    try await fixture.perform {
      .journal([(id: a.id, usage: Self.usage(5), lastUsedAt: Microseconds(50))], completion: $0)
    }
    try await fixture.perform {
      .end(a.id, .closed, reason: "", usage: Self.usage(1), at: 60, completion: $0)
    }
    let ended = try #require(try fixture.store.session(a.id))
    #expect(ended.usage == Self.usage(6))
    #expect(ended.state == .ended && ended.reason == "IDLE" && ended.closedAt == 40)
    #expect(try fixture.store.openSessions().map(\.id) == [b.id])
  }

  @Test("opening and ending leave evidence with them, once", arguments: StoreKind.allCases)
  func evidence(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    let record = fixture.record(key: "k")
    let open = AuditEntry.sample("session \(record.id)", method: "OpenSession")
    _ = try await fixture.open(record, audit: open)
    _ = try await fixture.open(fixture.record(key: "k"), audit: .sample(method: "OpenSession"))
    let again = AuditEntry.sample("session \(record.id) (duplicate)", method: "OpenSession")
    #expect(
      await code { _ = try await fixture.open(fixture.record(key: "k", hash: 2), audit: open) }
        == .idempotencyConflict)
    let close = AuditEntry.sample(method: "CloseSession")
    for id in [fixture.ids.next(), record.id, record.id] {
      try await fixture.perform {
        .end(
          id, .closed, reason: "", usage: SessionUsage(), at: 20, audit: close, completion: $0)
      }
    }
    #expect(try fixture.audit() == [open, again, close])
  }

  @Test(
    "listing is a principal's own or the project's, newest first, paged",
    arguments: StoreKind.allCases)
  func listing(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    var mine: [Identifier] = []
    for index in 0..<5 {
      fixture.clock.advance(microseconds: 2000)
      mine.append(try await fixture.open(fixture.record()).id)
      if index == 2 { _ = try await fixture.open(fixture.record(name: "bob")) }
    }
    try await fixture.perform {
      .end(mine[3], .closed, reason: "", usage: SessionUsage(), at: 100, completion: $0)
    }
    let alice = Principal(tenant: "t", project: "p", name: "alice")
    func list(_ endedAfter: Microseconds?, _ before: Identifier?, _ limit: Int) throws
      -> [Identifier]
    {
      try fixture.store.sessions(
        of: alice, endedAfter: endedAfter, before: before, limit: limit
      ).map(\.id)
    }
    #expect(try list(nil, nil, 10) == [mine[4], mine[2], mine[1], mine[0]])
    #expect(try list(99, nil, 10) == mine.reversed())
    #expect(try list(100, nil, 10) == [mine[4], mine[2], mine[1], mine[0]])
    #expect(try list(99, mine[3], 2) == [mine[2], mine[1]])
    #expect(try list(nil, nil, 0).isEmpty)
    func names(_ tenant: String, _ project: String) throws -> [String] {
      try fixture.store.sessions(
        of: Principal(tenant: tenant, project: project, name: ""), endedAfter: nil, before: nil,
        limit: 10
      ).map(\.principal.name)
    }
    #expect(try names("t", "p") == ["alice", "bob", "alice", "alice", "alice"])
    #expect(try names("t", "q").isEmpty && names("s", "p").isEmpty)
  }

  @Test(
    "checkpoints are found by iteration, thinned, and end with one ending",
    arguments: StoreKind.allCases)
  func checkpoints(_ kind: StoreKind) async throws {
    let fixture = try Fixture(kind)
    let session = try await fixture.open(fixture.record())
    var record = OptimizationRecord(
      id: fixture.ids.next(), session: session.id, principal: session.principal,
      request: [1, 2, 3], startedAt: 50)
    #expect(
      await code {
        var lost = record
        lost.session = fixture.ids.next()
        try await fixture.perform { .startOptimization(lost, completion: $0) }
      } == .sessionNotFound)
    try await fixture.perform { .startOptimization(record, completion: $0) }
    func checkpoint(_ iteration: UInt64, of id: Identifier) -> OptimizationCheckpoint {
      OptimizationCheckpoint(
        optimization: id, iteration: iteration, time: Int64(iteration),
        state: [UInt8(iteration & 255)])
    }
    let unknown = checkpoint(1, of: fixture.ids.next())
    #expect(
      await code { try await fixture.perform { .checkpoint(unknown, completion: $0) } }
        == .optimizationNotFound)
    for iteration in 0..<200 as Range<UInt64> {
      let next = checkpoint(iteration * 10, of: record.id)
      try await fixture.perform { .checkpoint(next, completion: $0) }
    }
    let store = fixture.store
    #expect(try store.checkpoint(record.id, atOrBefore: .max)?.iteration == 1990)
    #expect(try store.checkpoint(record.id, atOrBefore: 0) == checkpoint(0, of: record.id))
    var found: Set<UInt64> = []
    for iteration in 0...2000 as ClosedRange<UInt64> {
      let before = try #require(try store.checkpoint(record.id, atOrBefore: iteration))
      #expect(before.iteration <= iteration)
      // Thinned evenly: 64 of 200 stay, so that no gap is far above four of them.
      #expect(iteration - before.iteration <= 80)
      found.insert(before.iteration)
    }
    #expect(found.count == OptimizationCheckpoint.kept)
    try await fixture.perform {
      .endOptimization(record.id, ending: "converged", at: 70, completion: $0)
    }
    try await fixture.perform {
      .endOptimization(record.id, ending: "canceled", at: 80, completion: $0)
    }
    record.ending = "converged"
    record.endedAt = 70
    #expect(try store.optimization(record.id) == record)
    #expect(try store.optimization(session.id) == nil)
  }
}
