import QubusCore
import QubusJobs
import QubusSimulator
import Testing

@testable import QubusEngine

/// Collects what it is told of an optimization.
final class FakeWatcher: OptimizationWatcher {
  struct State: Sendable {
    var ids: [Identifier] = []
    var progress: [OptimizationProgress] = []
    var ending: Result<OptimizationReport, QubusError>?
    var mayReport = true
  }
  let state = Monitor(State())

  var mayReport: Bool { state.withLock { $0.mayReport } }
  func started(_ id: Identifier) { state.signal { $0.ids.append(id) } }
  func progressed(_ progress: OptimizationProgress) {
    state.signal { $0.progress.append(progress) }
  }
  func ended(_ result: Result<OptimizationReport, QubusError>) {
    state.signal { $0.ending = result }
  }

  func id() async -> Identifier {
    let state = self.state
    return await onThread { state.wait { $0.ids.first } }
  }
  /// Numbers of all iterations told, in order.
  var iterations: [UInt64] {
    state.withLock { state in
      state.progress.flatMap { part in
        (0..<part.values.count).map { part.firstIteration + UInt64($0) }
      }
    }
  }
  var values: [Double] { state.withLock { $0.progress.flatMap(\.values) } }
}

@Suite("Optimizations in the service")
struct SessionOptimizeTests {
  /// The fake objective is the sum of two parameters, which Adam pushes down without end.
  private func spec(
    _ id: Identifier, _ iterations: UInt64? = 50, _ edit: (inout OptimizeSpec) -> Void = { _ in }
  ) -> OptimizeSpec {
    var spec = OptimizeSpec(session: id, method: "adam", initial: [1, 2])
    spec.maxIterations = iterations
    edit(&spec)
    return spec
  }

  @Test("every iteration is told once and in order, then the end")
  func told() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened()
    let watcher = FakeWatcher()
    harness.sessions.optimize(
      spec(id), holder: 1, context: SessionHarness.context(), watcher: watcher)
    let report = try await harness.ended(watcher).get()
    #expect(report.ending == "max_iterations" && report.iterations == 50)
    #expect(report.evaluations == 50 && report.deviceMicroseconds == 500)
    #expect(watcher.iterations == Array(1...50))
    #expect(abs(watcher.values[0] - 3) < 1e-12 && watcher.values[49] < watcher.values[0])
    #expect(report.bestValue == watcher.values.min())
    let usage = try harness.view(id).record.usage
    #expect(usage.steps == 0 && usage.lastSequence == 0 && usage.deviceNanoseconds == 500_000)
    // The session steps on as before.
    #expect(harness.step(id, 1).answer?.values == [3])
    #expect(try harness.store.optimization(await watcher.id())?.ending == "max_iterations")
    await harness.stop()
  }

  @Test(
    "bounds end it by their names",
    arguments: ["max_evaluations", "max_shots", "max_device_seconds", "max_seconds"])
  func bounds(_ bound: String) async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened(
      SessionHarness.spec { if bound == "max_shots" { $0.shots = 100 } })
    let watcher = FakeWatcher()
    let spec = spec(id, nil) {
      switch bound {
      case "max_evaluations": $0.maxEvaluations = 30
      case "max_shots": $0.maxShots = 3000
      case "max_device_seconds": $0.maxDeviceSeconds = 300e-6
      default: $0.maxSeconds = 0.5
      }
    }
    harness.sessions.optimize(spec, holder: 1, context: SessionHarness.context(), watcher: watcher)
    _ = await watcher.id()
    let report = try await harness.ended(watcher).get()
    #expect(report.ending == bound)
    if bound != "max_seconds" { #expect(report.iterations == 30) }
    await harness.stop()
  }

  @Test("while it runs steps are refused; canceled, it tells how far it came")
  func canceled() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened()
    let watcher = FakeWatcher()
    // It would never end by itself.
    let endless = spec(id, nil) { $0.options["gradient_tolerance"] = 0 }
    harness.sessions.optimize(
      endless, holder: 1, context: SessionHarness.context(), watcher: watcher)
    let optimization = await watcher.id()
    #expect(harness.step(id, 1).code == .sessionBusy)
    let second = FakeWatcher()
    harness.sessions.optimize(
      spec(id), holder: 1, context: SessionHarness.context(), watcher: second)
    #expect(await harness.failure(second)?.code == .sessionBusy)
    let foreign = FakeWatcher()
    harness.sessions.optimize(
      spec(id), holder: 2, context: SessionHarness.context(), watcher: foreign)
    #expect(await harness.failure(foreign)?.code == .sessionHeldElsewhere)
    #expect(throws: QubusError.self) {
      try harness.sessions.cancelOptimization(
        optimization, session: id, context: SessionHarness.context(SessionHarness.bob))
    }
    let wasRunning = try harness.sessions.cancelOptimization(
      optimization, session: id, context: SessionHarness.context())
    #expect(wasRunning)
    let report = try await harness.ended(watcher).get()
    #expect(report.ending == "canceled" && report.iterations == watcher.iterations.last ?? 0)
    let runsStill = try harness.sessions.cancelOptimization(
      optimization, session: id, context: SessionHarness.context())
    #expect(!runsStill)
    #expect(harness.step(id, 1).answer != nil)
    await harness.stop()
  }

  @Test("what an optimization must not ask for is refused by name")
  func refused() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened()
    let plain = try await harness.opened(SessionHarness.spec { $0.outputs = .values })
    let bad: [(ErrorCode, OptimizeSpec)] = [
      (.invalidOptimizer, spec(id) { $0.method = "gradient_ascent" }),
      (.parameterCountMismatch, spec(id) { $0.initial = [1] }),
      (.invalidOptimizer, spec(id) { $0.initial = [1, .nan] }),
      (.invalidOptimizer, spec(id) { $0.observable = 1 }),
      (.invalidOptimizer, spec(id) { $0.observable = -1 }),
      (.invalidOptimizer, spec(id) { $0.maxCost = 1 }),
      (.invalidOptimizer, spec(id, 0)),
      (.invalidOptimizer, spec(id) { $0.maxSeconds = 0 }),
      (.invalidOptimizer, spec(id) { $0.maxDeviceSeconds = .nan }),
      (.invalidOptimizer, spec(id) { $0.maxShots = 5 }),
      (.invalidStep, spec(id) { $0.shots = 5 }),
      (.invalidOptimizer, spec(id) { $0.options = ["speed": 3] }),
      (.invalidOptimizer, spec(plain)),
      (.sessionNotFound, spec(Identifier(high: 1, low: 1))),
    ]
    for (code, spec) in bad {
      let watcher = FakeWatcher()
      harness.sessions.optimize(
        spec, holder: 1, context: SessionHarness.context(), watcher: watcher)
      #expect(await harness.failure(watcher)?.code == code)
    }
    #expect(harness.step(id, 1).answer != nil)
    await harness.stop()
  }

  @Test("an objective that is not finite ends it with the optimizer's error")
  func failed() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened()
    harness.device.steps.withLock { $0.failure = QubusError(.simulatorNormDrift, "drifted") }
    let watcher = FakeWatcher()
    harness.sessions.optimize(
      spec(id), holder: 1, context: SessionHarness.context(), watcher: watcher)
    #expect(await harness.failure(watcher)?.code == .simulatorNormDrift)
    #expect(try harness.store.optimization(await watcher.id())?.ending == "failed")
    harness.device.steps.withLock { $0.failure = nil }
    #expect(harness.step(id, 1).answer != nil)
    await harness.stop()
  }

  @Test("one who watches again is told the rest, and replayed what is gone, bit for bit")
  func replayed() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened(SessionHarness.spec { $0.shots = 10 })
    let first = FakeWatcher()
    harness.sessions.optimize(
      spec(id, 2000), holder: 1, context: SessionHarness.context(), watcher: first)
    let optimization = await first.id()
    _ = await harness.ended(first)
    let used = try harness.view(id).record.usage
    for after in [0, 700, 2000] as [UInt64] {
      let again = FakeWatcher()
      harness.sessions.watchOptimization(
        optimization, session: id, after: after, context: SessionHarness.context(),
        watcher: again)
      let report = try await harness.ended(again).get()
      #expect(report.ending == "max_iterations" && report.iterations == 2000)
      #expect(again.iterations == (after < 2000 ? Array(after + 1...2000) : []))
      #expect(again.values == Array(first.values.dropFirst(Int(after))))
    }
    // Nothing of it was charged.
    #expect(try harness.view(id).record.usage == used)
    let unknown = FakeWatcher()
    harness.sessions.watchOptimization(
      Identifier(high: 5, low: 5), session: id, after: 0, context: SessionHarness.context(),
      watcher: unknown)
    #expect(await harness.failure(unknown)?.code == .optimizationNotFound)
    await harness.stop()
  }

  @Test("a watcher that does not read is told later; one that left is told no more")
  func backpressure() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened()
    let slow = FakeWatcher()
    slow.state.withLock { $0.mayReport = false }
    harness.sessions.optimize(
      spec(id, 300), holder: 1, context: SessionHarness.context(), watcher: slow)
    let optimization = await slow.id()
    let store = harness.store
    await onThread {
      while (try? store.optimization(optimization)?.ending.isEmpty) != false { continue }
    }
    for _ in 0..<5 { await harness.advance(seconds: 0.02) }
    #expect(slow.values.isEmpty && slow.state.withLock { $0.ending == nil })
    slow.state.withLock { $0.mayReport = true }
    _ = await harness.ended(slow)
    #expect(slow.iterations == Array(1...300))
    let gone = FakeWatcher()
    gone.state.withLock { $0.mayReport = false }
    harness.sessions.watchOptimization(
      optimization, session: id, after: 0, context: SessionHarness.context(), watcher: gone)
    _ = await gone.id()
    harness.sessions.endWatch(gone)
    gone.state.withLock { $0.mayReport = true }
    for _ in 0..<5 { await harness.advance(seconds: 0.02) }
    #expect(gone.state.withLock { $0.ending == nil && $0.progress.isEmpty })
    await harness.stop()
  }

  @Test("after a restart it goes on from its checkpoint with the same bits, once somebody watches")
  func restarted() async throws {
    let store = MemorySessionStore()
    let clock = ManualClock()
    let codec = FakeSessionCodec()
    let first = try SessionHarness(store: store, codec: codec, clock: clock)
    let opened = try await first.open(SessionHarness.spec { $0.shots = 10 })
    let id = opened.session.record.id
    let alone = FakeWatcher()
    first.sessions.optimize(
      spec(id, 3000), holder: 1, context: SessionHarness.context(), watcher: alone)
    _ = await first.ended(alone)
    // The same again, with the service stopped while it runs.
    first.device.steps.withLock { $0.permits = 1000 }
    let watcher = FakeWatcher()
    first.sessions.optimize(
      spec(id, 3000), holder: 1, context: SessionHarness.context(), watcher: watcher)
    let optimization = await watcher.id()
    await first.device.stepsStarted(3000 + 1001)
    await first.stop()
    #expect(await first.failure(watcher)?.code == .serverShuttingDown)
    #expect(store.optimization(optimization)?.ending == "")
    let second = try SessionHarness(store: store, codec: codec, clock: clock)
    let early = FakeWatcher()
    second.sessions.watchOptimization(
      optimization, session: id, after: 0, context: SessionHarness.context(), watcher: early)
    #expect(await second.failure(early)?.code == .sessionHeldElsewhere)
    _ = try await second.resume(id, opened.secret)
    let late = FakeWatcher()
    second.sessions.watchOptimization(
      optimization, session: id, after: 0, context: SessionHarness.context(), watcher: late)
    let report = try await second.ended(late).get()
    #expect(report.ending == "max_iterations")
    #expect(late.iterations == Array(1...3000))
    #expect(late.values == alone.values)
    await second.stop()
  }

  @Test("closing the session ends it")
  func closed() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened()
    let watcher = FakeWatcher()
    harness.sessions.optimize(
      spec(id, nil), holder: 1, context: SessionHarness.context(), watcher: watcher)
    let optimization = await watcher.id()
    _ = try await harness.close(id)
    #expect(await harness.failure(watcher)?.code == .sessionNotFound)
    #expect(try harness.store.optimization(optimization)?.ending == "canceled")
    await harness.stop()
  }

  @Test("what the store keeps of a request reads back equal, and damage is found")
  func bytes() throws {
    var full = spec(Identifier(high: 3, low: 9), 7) {
      $0.lower = [-1, -.infinity]
      $0.upper = [1, 2]
      $0.options = ["learning_rate": 0.1, "beta1": 0.5]
      $0.observable = 2
      $0.maxSeconds = 1.5
      $0.maxShots = 9
      $0.shots = 100
      $0.targetError = 0.01
      $0.seed = .max
    }
    #expect(try OptimizeSpec(bytes: full.bytes) == full)
    full.options = [:]
    #expect(try OptimizeSpec(bytes: full.bytes) == full)
    for count in 0..<full.bytes.count {
      #expect(throws: QubusError.self) { try OptimizeSpec(bytes: Array(full.bytes.prefix(count))) }
    }
  }
}

extension SessionHarness {
  /// The end of an optimization; the clock moves until it comes.
  func ended(_ watcher: FakeWatcher) async -> Result<OptimizationReport, QubusError> {
    while true {
      let state = watcher.state
      let ending = await onThread { state.wait(microseconds: 1000) { $0.ending } }
      if let ending { return ending }
      await advance(seconds: 0.02)
    }
  }

  func failure(_ watcher: FakeWatcher) async -> QubusError? {
    if case .failure(let error) = await ended(watcher) { return error }
    return nil
  }
}
