import QubusCore
import QubusJobs
import Testing

@testable import QubusEngine

@Suite struct ReplayTests {
  @Test("a replay runs under the stored seed and gives the same bits")
  func identical() async throws {
    let harness = try EngineHarness()
    let id = try await harness.submitted(EngineHarness.spec { $0.idempotencyKey = "k" })
    let original = try await harness.finished(id)
    let replay = try await harness.replay(id).job.record
    #expect(replay.id != id && replay.replayOf == id && replay.seed == original.seed)
    try await harness.finished(replay.id)
    let report = try harness.engine.compareReplay(id, replay: replay.id, context: harness.context)
    #expect(report.outcome == .identical)
    #expect(report.originalHash == report.replayHash && report.originalHash.count == 32)
    await harness.stop()
  }

  @Test("a replay that still runs is pending, and one of another job is refused")
  func pending() async throws {
    let harness = try EngineHarness()
    let id = try await harness.submitted()
    try await harness.finished(id)
    harness.engine.drain(true)
    let replay = try await harness.replay(id).job.record.id
    let report = try harness.engine.compareReplay(id, replay: replay, context: harness.context)
    #expect(report.outcome == .pending)
    #expect(throws: QubusError.self) {
      try harness.engine.compareReplay(id, replay: id, context: harness.context)
    }
    await harness.stop()
  }

  @Test("only a job that succeeded can be replayed")
  func notReplayable() async throws {
    let harness = try EngineHarness()
    harness.engine.drain(true)
    let id = try await harness.submitted()
    var error = await #expect(throws: QubusError.self) { try await harness.replay(id) }
    #expect(error?.code == .resultNotReady)
    _ = try await harness.cancel(id)
    error = await #expect(throws: QubusError.self) { try await harness.replay(id) }
    #expect(error?.code == .jobNotReplayable)
    await harness.stop()
  }

  @Test("another instruction set is compared by distance, never called a mismatch")
  func notComparable() async throws {
    let first = try EngineHarness(device: FakeDevice(instructionSet: "one"))
    let id = try await first.submitted(EngineHarness.spec { $0.execution.seed = 1 })
    try await first.finished(id)
    await first.stop()
    // The outcome of the fake depends on the row's first chunk; 900 shots of it shift the counts.
    let second = try EngineHarness(
      device: FakeDevice(instructionSet: "two"), store: first.store, codec: first.codec)
    var spec = EngineHarness.spec(shots: 900)
    spec.execution.seed = 1
    let request = second.codec.encode(spec)
    let result = await withCheckedContinuation { continuation in
      second.engine.submit(
        Engine.Submission(
          spec: spec, request: request, context: second.context, replayOf: id,
          completion: { continuation.resume(returning: $0) }))
    }
    let replay = try result.get().job.record.id
    try await second.finished(replay)
    let report = try second.engine.compareReplay(id, replay: replay, context: second.context)
    #expect(report.outcome == .notComparable)
    #expect(report.totalVariationDistance == 0)
    #expect(report.originalHash != report.replayHash)
    await second.stop()
  }

  @Test("a result of engine version 2, planned by counted costs, has no replay to compare with")
  func olderEngine() async throws {
    let harness = try EngineHarness()
    harness.store.state.signal { state in
      state.rewrite = { update in
        update.result?.provenance.engineVersion = 2
        update.result?.provenance.compileOptions["cost_table"] = "1"
        update.result?.manifest.executionHash = [UInt8](repeating: 2, count: 32)
      }
    }
    let id = try await harness.submitted()
    try await harness.finished(id)
    harness.store.state.signal { $0.rewrite = nil }
    let replay = try await harness.replay(id).job.record.id
    try await harness.finished(replay)
    let report = try harness.engine.compareReplay(id, replay: replay, context: harness.context)
    #expect(Versions.engine > 2)
    #expect(report.outcome == .notComparable)
    #expect(report.totalVariationDistance == 0)
    #expect(report.explanation.contains("engine 2"))
    await harness.stop()
  }
}
