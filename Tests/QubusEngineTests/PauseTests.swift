import QubusCore
import QubusJobs
import QubusScheduler
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("Pausing jobs") struct PauseTests {
  private func pause(
    _ harness: EngineHarness, _ id: Identifier, as context: CallContext? = nil
  ) async throws -> JobView {
    let result = await withCheckedContinuation { continuation in
      harness.engine.pause(
        id, reason: "later", context: context ?? harness.context,
        completion: { continuation.resume(returning: $0) })
    }
    return try result.get()
  }

  private func resume(_ harness: EngineHarness, _ id: Identifier) async throws -> JobView {
    let result = await withCheckedContinuation { continuation in
      harness.engine.resume(
        id, reason: "now", context: harness.context,
        completion: { continuation.resume(returning: $0) })
    }
    return try result.get()
  }

  @Test("a paused job lets others before it and runs when it is resumed")
  func pauses() async throws {
    let device = FakeDevice(permits: 0, seconds: 1)
    let harness = try EngineHarness(
      device: device, clock: ManualClock(), configure: { $0.computeThreads = 1 })
    let first = try await harness.submitted()
    await device.started(1)
    let second = try await harness.submitted()
    let third = try await harness.submitted()
    let view = try await pause(harness, second)
    #expect(view.record.status == .queued && view.record.reason == JobReason.paused)
    #expect(view.queuePosition == nil)
    #expect(try harness.constraintKinds(second) == [.paused])
    #expect(try harness.engine.job(third, context: harness.context).queuePosition == 1)
    // Again, it changes nothing; a running job cannot be paused.
    #expect(try await pause(harness, second).record.reason == JobReason.paused)
    let running = await #expect(throws: QubusError.self) { try await pause(harness, first) }
    #expect(running?.code == .illegalTransition)
    device.permit(nil)
    try await harness.finished(third)
    #expect(try harness.engine.job(second, context: harness.context).record.status == .queued)
    #expect(device.state.withLock { $0.started } == 2)
    #expect(try await resume(harness, second).record.reason == "")
    #expect(try await harness.finished(second).status == .succeeded)
    let moves = try harness.events(second).filter { $0.kind == .queueMoved }
    #expect(moves.map(\.reason) == [JobReason.paused, ""])
    let methods = harness.store.memory.audit.records.map(\.entry.method)
    #expect(methods.filter { $0 == "PauseJob" || $0 == "ResumeJob" } == ["PauseJob", "ResumeJob"])
    await harness.stop()
  }

  @Test("what cannot be paused or resumed is refused and stays as it is")
  func refusals() async throws {
    let harness = try EngineHarness(clock: ManualClock())
    let ended = try await harness.submitted()
    try await harness.finished(ended)
    let finished = await #expect(throws: QubusError.self) { try await pause(harness, ended) }
    #expect(finished?.code == .jobAlreadyFinished)
    harness.engine.drain(true)
    let id = try await harness.submitted()
    let running = await #expect(throws: QubusError.self) { try await resume(harness, id) }
    #expect(running?.code == .illegalTransition)
    let stranger = CallContext(
      identity: .submitter(Principal(tenant: "other", project: "p", name: "eve")),
      clientVersion: "test/1", traceID: "trace")
    let hidden = await #expect(throws: QubusError.self) {
      try await pause(harness, id, as: stranger)
    }
    #expect(hidden?.code == .jobNotFound)
    harness.engine.drain(false)
    #expect(try await harness.finished(id).status == .succeeded)
    await harness.stop()
  }

  @Test("a job is paused over a restart, and its time to live goes on")
  func restart() async throws {
    let clock = ManualClock()
    let first = try EngineHarness(clock: clock)
    first.engine.drain(true)
    let id = try await first.submitted()
    let mortal = try await first.submitted(EngineHarness.spec { $0.execution.ttlSeconds = 60 })
    clock.advance(microseconds: 1_000_000)
    let pausedAt = clock.now()
    _ = try await pause(first, id)
    _ = try await pause(first, mortal)
    clock.advance(microseconds: 1_000_000)
    await first.stop()
    let second = try EngineHarness(store: first.store, codec: first.codec, clock: clock)
    let found = try second.engine.explain(id, context: second.context).constraints
    #expect(found.map(\.kind) == [.paused] && found.map(\.since) == [pausedAt])
    clock.advance(microseconds: 61_000_000)
    second.engine.clockMoved()
    #expect(try await second.finished(mortal).status == .expired)
    #expect(try second.engine.job(id, context: second.context).record.status == .queued)
    _ = try await resume(second, id)
    #expect(try await second.finished(id).status == .succeeded)
    await second.stop()
  }

  @Test("a paused job is canceled like any other; one that was resumed can be paused again")
  func again() async throws {
    let harness = try EngineHarness(clock: ManualClock())
    harness.engine.drain(true)
    let id = try await harness.submitted()
    let other = try await harness.submitted()
    for job in [id, other] { _ = try await pause(harness, job) }
    #expect(try await harness.cancel(id).outcome == .beforeStart)
    _ = try await resume(harness, other)
    #expect(try await pause(harness, other).record.reason == JobReason.paused)
    harness.engine.drain(false)
    let third = try await harness.submitted()
    try await harness.finished(third)
    #expect(try harness.engine.job(other, context: harness.context).record.status == .queued)
    #expect(harness.engine.load().jobsQueued == 1)
    _ = try await resume(harness, other)
    #expect(try await harness.finished(other).status == .succeeded)
    #expect(harness.engine.load().jobsQueued == 0)
    await harness.stop()
  }

  @Test("jobs that are paused and resumed from many threads all run, each once")
  func race() async throws {
    let harness = try EngineHarness(configure: { $0.computeThreads = 2 })
    harness.engine.drain(true)
    var ids: [Identifier] = []
    for _ in 0..<40 { ids.append(try await harness.submitted()) }
    await withTaskGroup(of: Void.self) { group in
      for id in ids {
        if id == ids[20] { harness.engine.drain(false) }
        for _ in 0..<3 {
          group.addTask { [self] in
            // Refused when the job runs already, or is not paused by now.
            _ = try? await pause(harness, id)
            _ = try? await resume(harness, id)
          }
        }
      }
    }
    for id in ids {
      if try harness.engine.job(id, context: harness.context).record.isWithheld(by: .paused) {
        _ = try await resume(harness, id)
      }
      #expect(try await harness.finished(id).status == .succeeded)
    }
    #expect(harness.device.state.withLock { $0.started } == ids.count)
    await harness.stop()
  }
}
