import QubusCircuit
import QubusCore
import QubusJobs
import QubusScheduler
import QubusTenancy
import Testing

@testable import QubusEngine

/// The fair queue with an engine around it.
@Suite("Fair shares in the engine") struct FairShareTests {
  /// Each chunk takes a second, one after another.
  private func harness(
    _ clock: ManualClock, useStore: FakeUsedServiceStore? = nil,
    _ configure: (inout EngineConfiguration) -> Void = { _ in }
  ) throws -> EngineHarness {
    let device = FakeDevice(seconds: 1)
    let hook = FakeDevice.Hook { _ in clock.advance(microseconds: 1_000_000) }
    device.state.withLock { $0.whenDone = hook }
    return try EngineHarness(device: device, clock: clock, useStore: useStore) {
      $0.computeThreads = 1
      configure(&$0)
    }
  }

  private func context(_ tenant: String) -> CallContext {
    CallContext(
      identity: .submitter(Principal(tenant: tenant, project: "p", name: "u")),
      clientVersion: "test/1", traceID: "trace")
  }

  /// A job that leaves its number with the device when it starts.
  private func numbered(_ number: Int) -> JobSpec {
    EngineHarness.spec("2 2 n:float") {
      $0.pubs[0].parameters = [ParameterArray(name: "n", shape: [], values: [Double(number)])]
    }
  }

  private func numbers(_ harness: EngineHarness) -> [Int] {
    harness.device.state.withLock { $0.opened }.map { inputs in
      if case .float(let number)? = inputs.first { Int(number) } else { -1 }
    }
  }

  @Test("tenants share the cores by their weights, whoever came first")
  func weights() async throws {
    let harness = try harness(ManualClock()) {
      $0.fairness.weights[AccountPath(tenant: "b")] = 3
      $0.fairness.usageHalfLife = nil
    }
    harness.engine.drain(true)
    for (tenant, first) in [("a", 0), ("b", 100)] {
      for number in first..<first + 30 {
        _ = try await harness.submit(numbered(number), as: context(tenant))
      }
    }
    harness.engine.drain(false)
    await harness.device.finished(60)
    let order = numbers(harness)
    #expect(Set(order) == Set(0..<30).union(100..<130))
    let ofSecond = order.prefix(36).filter { $0 >= 100 }.count
    #expect((25...29).contains(ofSecond), "\(ofSecond) of the first 36")
    // Each tenant's own go as they came.
    #expect(order.filter { $0 < 100 } == Array(0..<30))
    await harness.stop()
  }

  @Test("a weight that administration sets goes before the configured one until it is taken back")
  func administered() async throws {
    let weights = ShareWeights([ShareWeight(scope: .tenant("a"), weight: 5)])
    let harness = try EngineHarness(
      clock: ManualClock(), start: false, weights: weights,
      configure: {
        $0.fairness.weights = [AccountPath(tenant: "a"): 2, AccountPath(tenant: "b"): 3]
      })
    try harness.engine.start()
    func inForce() -> [AccountPath: Double] {
      harness.engine.scheduler.withScheduler { ($0.policy as? FairOrder)?.weights ?? [:] }
    }
    let (a, b) = (AccountPath(tenant: "a"), AccountPath(tenant: "b"))
    #expect(inForce() == [a: 5, b: 3])
    weights.apply([.setWeight(.tenant("a"), nil), .setWeight(.tenant("b"), 0.5)])
    #expect(inForce() == [a: 2, b: 0.5])
    await harness.stop()
  }

  @Test("what was used is stored each minute and at the stop, only when something ended")
  func stored() async throws {
    let (clock, store) = (ManualClock(), FakeUsedServiceStore())
    let harness = try harness(clock, useStore: store)
    _ = try await harness.submit(numbered(1), as: context("a"))
    await harness.device.finished(1)
    // The slot falls free behind the end of its chunk.
    while harness.engine.scheduler.withScheduler({ $0.endings }) == 0 { await Task.yield() }
    clock.advance(microseconds: 60_000_000)
    harness.engine.clockMoved()
    await onThread { store.state.wait { $0.writes == 1 ? () : nil } }
    let entry = try #require(try store.usedService().first)
    #expect(entry.principal == Principal(tenant: "a", project: "p", name: "u"))
    #expect(abs(entry.deviceSeconds - 1) < 0.01 && entry.at == clock.now())
    await harness.stop()
    #expect(store.state.withLock { $0.writes } == 1)
  }

  @Test("who used much before a restart goes behind, as much as its age left of it")
  func restored() async throws {
    let (clock, store) = (ManualClock(), FakeUsedServiceStore())
    let half: Microseconds = 7 * 86_400_000_000
    let old = UsedService(
      principal: Principal(tenant: "a", project: "p", name: "u"), deviceSeconds: 1000,
      at: clock.now() - half)
    store.keep([old]) { _ in }
    let harness = try harness(clock, useStore: store)
    let now = clock.now()
    let use = harness.engine.scheduler.withScheduler { $0.use(now: now) }
    #expect(use.count == 1)
    let left = use[AccountPath(tenant: "a", project: "p", principal: "u")] ?? 0
    #expect(abs(left - 500) < 1e-6)
    harness.engine.drain(true)
    for (tenant, first) in [("a", 0), ("b", 100)] {
      for number in first..<first + 20 {
        _ = try await harness.submit(numbered(number), as: context(tenant))
      }
    }
    harness.engine.drain(false)
    await harness.device.finished(40)
    // The past multiplies the weight of who used nothing by 4.
    let ofSecond = numbers(harness).prefix(20).filter { $0 >= 100 }.count
    #expect(ofSecond >= 14, "\(ofSecond) of the first 20")
    await harness.stop()
  }

  @Test("use that the store refused is tried again; a store that cannot be read stops the start")
  func refused() async throws {
    let (clock, store) = (ManualClock(), FakeUsedServiceStore())
    store.state.signal { $0.failure = QubusError(.diskFull, "full") }
    let broken = try EngineHarness(clock: clock, start: false, useStore: store)
    #expect(throws: QubusError.self) { try broken.engine.start() }
    store.state.signal { $0.failure = nil }
    let harness = try harness(clock, useStore: store)
    _ = try await harness.submit(numbered(1), as: context("a"))
    await harness.device.finished(1)
    while harness.engine.scheduler.withScheduler({ $0.endings }) == 0 { await Task.yield() }
    store.state.signal { $0.failure = QubusError(.diskFull, "full") }
    harness.engine.noteUse()
    #expect(store.state.withLock { $0.use.isEmpty })
    store.state.signal { $0.failure = nil }
    harness.engine.noteUse()
    #expect(store.state.withLock { $0.use.count } == 1)
    await harness.stop()
  }
}

/// Keeps use in memory, or refuses it.
final class FakeUsedServiceStore: UsedServiceStore {
  struct State: Sendable {
    var use: [UsedService] = []
    var writes = 0
    var failure: QubusError?
  }
  let state = Monitor(State())

  func keep(
    _ use: [UsedService], completion: @escaping @Sendable (Result<Void, QubusError>) -> Void
  ) {
    let failure = state.signal { state -> QubusError? in
      guard state.failure == nil else { return state.failure }
      state.use = use
      state.writes += 1
      return nil
    }
    if let failure { return completion(.failure(failure)) }
    completion(.success(()))
  }

  func usedService() throws(QubusError) -> [UsedService] {
    let (use, failure) = state.withLock { ($0.use, $0.failure) }
    if let failure { throw failure }
    return use
  }
}
