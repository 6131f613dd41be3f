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
    _ clock: ManualClock, _ configure: @escaping (inout EngineConfiguration) -> Void = { _ in }
  ) throws -> EngineHarness {
    let device = FakeDevice(seconds: 1)
    let hook = FakeDevice.Hook { _ in clock.advance(microseconds: 1_000_000) }
    device.state.withLock { $0.whenDone = hook }
    return try EngineHarness(device: device, clock: clock) {
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
    harness.device.state.withLock(\.opened).map { inputs in
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
}
