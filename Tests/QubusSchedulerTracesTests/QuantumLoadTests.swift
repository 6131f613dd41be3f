import QubusCore
import QubusScheduler
import QubusSchedulerTraces
import Testing

@Suite("One job at a time, bursts at 80 % load")
struct QuantumLoadTests {
  private static let settings = Replay.Settings(switchCost: 5000)

  private func report(_ trace: Trace, _ policy: ReplayPolicy) throws -> ReplayReport {
    ReplayReport(
      try Replay.run(
        trace, through: try policy.scheduler(for: trace, settings: Self.settings),
        settings: Self.settings),
      of: trace, policy: policy.name, starvedAfterSeconds: 86_400)
  }

  @Test("the service's scheduler leaves least-used-first far behind", arguments: [1, 3, 5])
  func againstLeastUsed(seed: UInt64) throws {
    var load = BurstyLoad()
    load.jobs = 10_000
    load.seed = seed
    let trace = try load.trace()
    var rules = FairPolicy()
    rules.stretch = 128
    let lanes = ServiceReplay.Lanes(interactiveUpTo: 10_000_000, longFrom: 120_000_000)
    let ours = try report(trace, .service(rules, lanes: lanes, isPreemptible: true))
    let leastUsed = try report(trace, .leastUsed)
    #expect(ours.p95BoundedSlowdown * 3 <= leastUsed.p95BoundedSlowdown)
    #expect(ours.maxBoundedSlowdown * 20 <= leastUsed.maxBoundedSlowdown)
    #expect(ours.p95WaitSeconds <= 1.15 * leastUsed.p95WaitSeconds)
  }
}
