import QubusCore
import QubusJobs
import QubusScheduler
import Testing

@testable import QubusEngine

@Suite("Run times learned from ended jobs") struct RunTimeTests {
  /// Predicts a second for a run; each takes as many as `seconds` says.
  private func harness(
    _ clock: ManualClock, seconds: Microseconds, store: FakeStore? = nil,
    codec: FakeCodec = FakeCodec()
  ) throws -> EngineHarness {
    let device = FakeDevice(seconds: 1)
    let hook = FakeDevice.Hook { _ in clock.advance(microseconds: seconds * 1_000_000) }
    device.state.withLock { $0.whenDone = hook }
    return try EngineHarness(device: device, store: store, codec: codec, clock: clock) {
      $0.computeThreads = 1
    }
  }

  /// What the scheduler believes of a waiting job.
  private func believed(_ harness: EngineHarness, _ id: Identifier) throws -> [Microseconds] {
    let job = harness.engine.scheduler.withScheduler { $0.policy.waiting(id) }
    let found = try #require(job)
    return [found.predictedMicroseconds, found.longMicroseconds]
  }

  /// Of a job that is submitted while nothing starts.
  private func expectation(
    _ harness: EngineHarness, _ spec: JobSpec = EngineHarness.spec()
  ) async throws -> [Microseconds] {
    harness.engine.drain(true)
    let id = try await harness.submitted(spec)
    let found = try believed(harness, id)
    _ = try await harness.cancel(id)
    harness.engine.drain(false)
    return found
  }

  /// Behind the commit of its end the engine learns; the store tells others first.
  private func ran(_ harness: EngineHarness, _ spec: JobSpec = EngineHarness.spec()) async throws {
    let id = try await harness.submitted(spec)
    #expect(try await harness.finished(id).status == .succeeded)
    harness.engine.flush()
  }

  @Test("the device's own prediction counts until the program ran, then what it took")
  func learns() async throws {
    let harness = try harness(ManualClock(), seconds: 5)
    #expect(try await expectation(harness) == [1_000_000, 2_000_000])
    try await ran(harness)
    #expect(try await expectation(harness) == [5_000_000, 10_000_000])
    for _ in 0..<9 { try await ran(harness) }
    #expect(try await expectation(harness) == [5_000_000, 5_000_000])
    // Other shots are another program: of those the error of the prediction is known.
    let other = EngineHarness.spec("2 2", shots: 10)
    #expect(try await expectation(harness, other) == [5_000_000, 5_000_000])
    await harness.stop()
  }

  @Test("a restart knows what the store tells of programs")
  func restart() async throws {
    let (clock, store, codec) = (ManualClock(), FakeStore(clock: ManualClock()), FakeCodec())
    let first = try harness(clock, seconds: 5, store: store, codec: codec)
    for _ in 0..<3 { try await ran(first) }
    await first.stop()
    let second = try harness(clock, seconds: 1, store: store, codec: codec)
    #expect(try await expectation(second) == [5_000_000, 10_000_000])
    await second.stop()
  }

  @Test("a run that failed teaches nothing")
  func failure() async throws {
    let harness = try harness(ManualClock(), seconds: 5)
    harness.device.state.withLock { $0.failure = QubusError(.executionFailed, "broken") }
    let id = try await harness.submitted()
    #expect(try await harness.finished(id).status == .failed)
    harness.device.state.withLock { $0.failure = nil }
    #expect(try await expectation(harness) == [1_000_000, 2_000_000])
    await harness.stop()
  }
}
