import QubusCore
import QubusJobs
import Testing

@testable import QubusEngine

@Suite struct StoreTroubleTests {
  @Test("a full disk loses no result: the end is tried again until it is written, once")
  func diskFull() async throws {
    let clock = ManualClock()
    let harness = try EngineHarness(clock: clock)
    harness.store.state.signal { $0.failure = { _ in QubusError(.diskFull, "no space left") } }
    let id = try await harness.submitted()
    await harness.store.refused(1)
    while harness.engine.load().trouble.isEmpty { await Task.yield() }
    #expect(harness.engine.load().trouble.contains("no space left"))
    #expect(try harness.engine.job(id, context: harness.context).record.status == .queued)
    clock.advance(microseconds: 10_000_000)
    harness.engine.clockMoved()
    await harness.store.refused(2)
    harness.store.state.signal { $0.failure = nil }
    // The second try may be answered a moment before its timer is set.
    let finished = Monitor(false)
    let watch = try harness.engine.observe(id, context: harness.context) { _, status in
      if status.isTerminal { finished.signal { $0 = true } }
    }
    while !finished.withLock({ $0 }) {
      clock.advance(microseconds: 1_000_000)
      harness.engine.clockMoved()
      await Task.yield()
    }
    watch.end()
    #expect(try harness.statuses(id).last == .succeeded)
    #expect(try harness.words(id, "counts.values") == [1000])
    #expect(harness.engine.load().trouble.isEmpty)
    await harness.stop()
  }

  @Test("changes refused while a job runs are written later, in order and without a gap")
  func refusedOnTheWay() async throws {
    let clock = ManualClock()
    let device = FakeDevice(permits: 0, seconds: 1, shotsPerChunk: 100)
    let harness = try EngineHarness(device: device, clock: clock)
    harness.store.state.signal { $0.failure = { _ in QubusError(.serverOverloaded, "busy") } }
    let id = try await harness.submitted()
    await device.started(1)
    await harness.store.refused(1)
    device.permit(nil)
    await device.finished(10)
    harness.store.state.signal { $0.failure = nil }
    let finished = Monitor(false)
    let watch = try harness.engine.observe(id, context: harness.context) { _, status in
      if status.isTerminal { finished.signal { $0 = true } }
    }
    while !finished.withLock({ $0 }) {
      clock.advance(microseconds: 1_000_000)
      harness.engine.clockMoved()
      await Task.yield()
    }
    watch.end()
    #expect(
      try harness.statuses(id) == [
        .accepted, .queued, .reserved, .running, .processingResults, .succeeded,
      ])
    await harness.stop()
  }

  @Test("a result that the store will never take ends the job as failed with that reason")
  func refusedForGood() async throws {
    let harness = try EngineHarness()
    harness.store.state.signal {
      $0.failure = { $0.result == nil ? nil : QubusError(.resultTooLarge, "too large") }
    }
    let id = try await harness.submitted()
    let record = try await harness.finished(id)
    #expect(record.status == .failed)
    #expect(record.error?.code == .resultTooLarge)
    await harness.stop()
  }
}
