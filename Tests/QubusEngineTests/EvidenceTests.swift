import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("Evidence of what callers did")
struct EvidenceTests {
  private func entries(_ harness: EngineHarness) -> [AuditEntry] {
    harness.store.memory.audit.records.map(\.entry)
  }

  @Test("a submit leaves who, with what, on which job, by which grant; once")
  func submit() async throws {
    let harness = try EngineHarness()
    let spec = EngineHarness.spec { $0.idempotencyKey = "k" }
    let id = try await harness.submitted(spec)
    let entry = try #require(entries(harness).first)
    #expect(entry.method == "Submit" && entry.action == "jobs.submit")
    #expect(entry.principal == EngineHarness.alice && entry.credential == "loopback")
    #expect(entry.subject == "job \(id)" && entry.tenant == "default")
    #expect(entry.outcome == .allowed && entry.policy == "submitter of default/default")
    #expect(entry.traceID == "trace" && entry.time > 0)
    try await harness.finished(id)
    _ = try await harness.submitted(spec)
    #expect(entries(harness).map(\.subject) == ["job \(id)", "job \(id) (duplicate)"])
    harness.engine.stop()
  }

  @Test("a submit that was refused leaves none of its own")
  func refused() async throws {
    let harness = try EngineHarness()
    await #expect(throws: QubusError.self) {
      try await harness.submit(EngineHarness.spec("not a program"))
    }
    #expect(entries(harness).isEmpty)
    harness.engine.stop()
  }

  @Test("cancels, annotations and replays leave theirs; a cancel that came too late none")
  func changes() async throws {
    let harness = try EngineHarness()
    let id = try await harness.submitted()
    try await harness.finished(id)
    _ = try await harness.annotate(id, ["a": "b"])
    _ = try await harness.cancel(id)
    let replay = try await harness.replay(id).job.record.id
    try await harness.finished(replay)
    let found = entries(harness).map { "\($0.method) \($0.subject) \($0.reason)" }
    #expect(
      found == [
        "Submit job \(id) ", "AnnotateJob job \(id) ",
        "ReplayJob job \(replay) replay of \(id)",
      ])
    harness.engine.stop()
  }

  @Test("a cancel that takes effect leaves one, with its reason, however often it is sent")
  func cancel() async throws {
    let device = FakeDevice()
    let harness = try EngineHarness(device: device, start: false)
    // Not started: the job waits.
    let id = try await harness.submitted()
    _ = try await harness.cancel(id)
    _ = try await harness.cancel(id)
    let cancels = entries(harness).filter { $0.method == "CancelJob" }
    #expect(cancels.map(\.reason) == ["enough"] && cancels.map(\.action) == ["jobs.cancel"])
  }

  @Test("reading a result leaves one for the result, none for its chunks; events leave none")
  func reading() async throws {
    let harness = try EngineHarness()
    let id = try await harness.submitted()
    try await harness.finished(id)
    let count = entries(harness).count
    let (_, manifest, _) = try harness.engine.result(id, context: harness.context)
    for (item, entry) in manifest.items.enumerated() {
      for chunk in entry.chunks.indices {
        _ = try harness.engine.resultChunk(id, item: item, chunk: chunk, context: harness.context)
      }
    }
    _ = try harness.engine.job(id, context: harness.context)
    _ = try harness.events(id)
    let new = entries(harness).dropFirst(count)
    #expect(new.map(\.method) == ["GetResult"] && new.first?.subject == "job \(id)")
    #expect(harness.engine.recentResult(id, context: harness.context) != nil)
    #expect(entries(harness).count == count + 2)
    harness.engine.stop()
  }

  @Test("sessions opened, resumed and closed by their client leave evidence, those that end not")
  func sessions() async throws {
    let store = MemorySessionStore()
    let harness = try SessionHarness(store: store)
    let opened = try await harness.open()
    let id = opened.session.record.id
    _ = try await harness.resume(id, opened.secret)
    _ = try await harness.close(id)
    let found = store.audit.records.map { "\($0.entry.method) \($0.entry.subject)" }
    #expect(
      found == [
        "OpenSession session \(id)", "ResumeSession session \(id)", "CloseSession session \(id)",
      ])
    _ = try await harness.opened()
    harness.sessions.endSessions { $0 == SessionHarness.alice }
    #expect(store.audit.records.map(\.entry.method).last == "OpenSession")
    harness.engine.stop()
  }

  @Test("sessions of the disabled end with that reason, and their steps say so; others go on")
  func disabled() async throws {
    let harness = try SessionHarness()
    let mine = try await harness.opened()
    let theirs = try await harness.opened(as: SessionHarness.bob)
    harness.sessions.endSessions { $0 == SessionHarness.alice }
    let view = try harness.view(mine)
    #expect(view.record.state == .ended && view.record.reason == "DISABLED")
    let refused = harness.step(mine, 1)
    #expect(refused.code == .sessionLimitExceeded)
    #expect(refused.error?.message.contains("disabled") == true)
    let other = try harness.sessions.session(
      theirs, context: SessionHarness.context(SessionHarness.bob))
    #expect(other.record.state == .open)
    harness.engine.stop()
  }
}
