import QubusCore
import QubusDevices
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusEngine

/// What callers do leaves evidence, with whom it names and the policy that allowed it.
@Suite struct AuditTests {
  private static let policy = "submitter of default/default"

  /// Method and subject of every entry, in order.
  private static func told(_ audit: MemoryAudit) -> [String] {
    audit.entries.map { "\($0.method) \($0.subject)" }
  }

  @Test("a submit is told with its caller, action and policy")
  func submit() async throws {
    let harness = try EngineHarness()
    let before = SystemClock().now()
    let id = try await harness.submitted()
    let entry = try #require(harness.store.memory.audit.entries.first)
    #expect(entry.principal == EngineHarness.alice)
    #expect(entry.credential == "loopback")
    #expect(entry.tokenID.isEmpty)
    #expect(entry.method == "Submit" && entry.action == "jobs.submit")
    #expect(entry.subject == "job \(id)" && entry.tenant == "default")
    #expect(entry.outcome == .allowed && entry.policy == Self.policy)
    #expect(entry.traceID == "trace")
    #expect((before...SystemClock().now()).contains(entry.time))
    await harness.stop()
  }

  @Test("duplicates, replays and results that are read are told as such, refusals not")
  func jobs() async throws {
    let harness = try EngineHarness()
    let audit = harness.store.memory.audit
    let spec = EngineHarness.spec { $0.idempotencyKey = "k" }
    let id = try await harness.submitted(spec)
    #expect(try await harness.submit(spec).isDuplicate)
    let other = EngineHarness.spec(shots: 7) { $0.idempotencyKey = "k" }
    await #expect(throws: QubusError.self) { try await harness.submit(other) }
    try await harness.finished(id)
    _ = try harness.engine.result(id, context: harness.context)
    let replay = try await harness.replay(id).job.record.id
    try await harness.finished(replay)
    // Too late to change anything.
    _ = try await harness.cancel(id)
    #expect(
      Self.told(audit) == [
        "Submit job \(id)", "Submit job \(id) (duplicate)", "GetResult job \(id)",
        "ReplayJob job \(replay) (replay of \(id))",
      ])
    #expect(audit.entries[2].action == "results.read")
    await harness.stop()
  }

  @Test("a job that runs at once is told before its end")
  func immediate() async throws {
    let harness = try EngineHarness()
    let spec = EngineHarness.spec()
    // The second finds its program compiled.
    for _ in 0..<2 { try await harness.finished(try await harness.submitted(spec)) }
    #expect(harness.store.memory.audit.entries.map(\.method) == ["Submit", "Submit"])
    await harness.stop()
  }

  @Test("a cancel of a queued and of a running job is told once, with its reason")
  func cancel() async throws {
    let device = FakeDevice(permits: 3, seconds: 1, shotsPerChunk: 100)
    let harness = try EngineHarness(device: device)
    let running = try await harness.submitted()
    await device.started(4)
    harness.engine.drain(true)
    let queued = try await harness.submitted()
    _ = try await harness.cancel(queued)
    _ = try await harness.cancel(queued)
    _ = try await harness.cancel(running)
    try await harness.finished(running)
    let cancels = harness.store.memory.audit.entries.filter { $0.method == "CancelJob" }
    #expect(cancels.map(\.subject) == ["job \(queued)", "job \(running)"])
    #expect(cancels.map(\.reason) == ["enough", "enough"])
    #expect(cancels.map(\.policy) == [Self.policy, Self.policy])
    await harness.stop()
  }

  @Test("evidence of changes that were merged is written with all of them")
  func merged() {
    var first = JobUpdate(jobID: Identifier(high: 1, low: 1), attempt: 1)
    var second = first
    let entries = ["a", "b"].map { subject in
      AuditEntry(
        time: 1, principal: nil, credential: "", method: "CancelJob", action: "", subject: subject,
        tenant: "", outcome: .allowed, policy: "", traceID: "")
    }
    first.audit = [entries[0]]
    second.audit = [entries[1]]
    #expect(JobUpdate.merged([first, second]).audit == entries)
  }

  @Test("sessions are told when they are opened, resumed and closed by somebody")
  func sessions() async throws {
    let store = MemorySessionStore()
    let harness = try SessionHarness(store: store)
    let spec = SessionHarness.spec { $0.idempotencyKey = "k" }
    let opened = try await harness.open(spec)
    let id = opened.session.record.id
    _ = try await harness.open(spec)
    _ = try await harness.resume(id, opened.secret)
    await #expect(throws: QubusError.self) { try await harness.resume(id, [1]) }
    _ = try await harness.close(id)
    #expect(
      Self.told(store.audit) == [
        "OpenSession session \(id)", "OpenSession session \(id) (duplicate)",
        "ResumeSession session \(id)", "CloseSession session \(id)",
      ])
    #expect(store.audit.entries.allSatisfy { $0.policy == Self.policy })
    #expect(
      store.audit.entries.map(\.action)
        == ["sessions.open", "sessions.open", "sessions.step", "sessions.close"])
    await harness.stop()
  }

  @Test("what a limit ends, nobody closed")
  func idle() async throws {
    let store = MemorySessionStore()
    let harness = try SessionHarness(store: store)
    let id = try await harness.opened(SessionHarness.spec { $0.idleSeconds = 1 })
    await harness.advance(seconds: 5)
    #expect(try harness.view(id).record.state == .ended)
    #expect(store.audit.entries.map(\.method) == ["OpenSession"])
    await harness.stop()
  }
}
