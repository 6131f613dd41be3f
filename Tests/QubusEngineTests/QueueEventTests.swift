import QubusCore
import QubusJobs
import Testing

@testable import QubusEngine

@Suite struct QueueEventTests {
  @Test("a watched waiting job is told its place when it changed, at most once a second")
  func queueMoved() async throws {
    let clock = ManualClock()
    let harness = try EngineHarness(clock: clock)
    harness.engine.drain(true)
    let first = try await harness.submitted()
    let second = try await harness.submitted()
    let moved = Monitor(UInt64(0))
    let engine = harness.engine
    let watch = try engine.observe(second, context: harness.context) { sequence, _ in
      moved.signal { $0 = max($0, sequence) }
    }
    clock.advance(microseconds: 1_000_000)
    engine.clockMoved()
    await onThread { moved.wait { $0 >= 3 ? () : nil } }
    _ = try await harness.cancel(first)
    // The timer was set by the round that reported; the next second finds the new place.
    while moved.withLock({ $0 }) < 4 {
      clock.advance(microseconds: 1_000_000)
      engine.clockMoved()
      await Task.yield()
    }
    let positions = try harness.events(second).filter { $0.kind == .queueMoved }
      .map(\.body.queuePosition)
    #expect(positions == [2, 1])
    #expect(try harness.events(first).contains { $0.kind == .queueMoved } == false)
    watch.end()
    await harness.stop()
  }
}
