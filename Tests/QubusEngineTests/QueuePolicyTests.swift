import QubusCore
import QubusJobs
import QubusScheduler
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("Rules of the queue, as they are told") struct QueuePolicyTests {
  private static let bob = Principal(tenant: "lab", project: "qc", name: "bob")

  private static func context(_ principal: Principal) -> CallContext {
    CallContext(identity: .submitter(principal), clientVersion: "test/1", traceID: "trace")
  }

  @Test("they are those that decide: shares, patience, limits and slots of this service")
  func live() async throws {
    let harness = try EngineHarness(configure: {
      $0.computeThreads = 3
      $0.memoryBytes = 1 << 20
      $0.expressMemoryBytes = 4096
      $0.interactiveSeconds = 0.25
      $0.allCoresSeconds = 0.5
      $0.maxRunSeconds = 60
      $0.limits.jobsQueued = 50
      $0.jobsQueuedPerLane = ["interactive": 5]
      $0.fairness.laneShares[.batch] = 1.4
      $0.fairness.overdueAfter[.interactive] = 7_000_000
      $0.fairness.overdueAfter[.long] = nil
      $0.fairness.usageHalfLife = nil
      $0.fairness.usageFactor = 2
    })
    let policy = harness.engine.queuePolicy(context: harness.context)
    #expect(policy.lanes.map(\.lane) == Lane.allCases)
    let lanes = Dictionary(uniqueKeysWithValues: policy.lanes.map { ($0.lane, $0) })
    #expect(abs(policy.lanes.reduce(0) { $0 + $1.share } - 1) < 1e-9)
    // 1.4 beside 0.6 of the others.
    #expect(abs((lanes[.batch]?.share ?? 0) - 0.7) < 1e-9)
    #expect(lanes[.interactive]?.overdueAfter == 7_000_000)
    #expect(lanes[.long]?.overdueAfter == nil && lanes[.overdue]?.overdueAfter == nil)
    #expect(lanes[.interactive]?.jobsQueuedLimit == 5 && lanes[.batch]?.jobsQueuedLimit == 50)
    #expect(lanes[.interactive]?.takes.contains("at most 0.25 s and 4096 bytes") == true)
    #expect(policy.capacity.computeSlots == 3 && policy.capacity.memoryBytes == 1 << 20)
    #expect(policy.rules.usageHalfLife == nil && policy.rules.usageFactor == 2)
    #expect(policy.allCoresSeconds == 0.5 && policy.maxRunSeconds == 60)
    await harness.stop()
  }

  @Test("of weights one sees one's own tenant, project and oneself, as they change; nobody else's")
  func ownPath() async throws {
    let weights = ShareWeights()
    let harness = try EngineHarness(
      weights: weights,
      configure: { $0.fairness.weights = [AccountPath(tenant: "lab"): 3] })
    let bob = Self.context(Self.bob)
    let before = harness.engine.queuePolicy(context: bob)
    #expect(before.standings.map(\.account.description) == ["lab", "lab/qc", "lab/qc/bob"])
    #expect(before.standings.map(\.weight) == [3, 1, 1])
    #expect(before.standings.map(\.factor) == [1, 1, 1])
    #expect(before.rules.weights.isEmpty)
    weights.apply([.setWeight(.principal(Self.bob), 5), .setWeight(.tenant("default"), 7)])
    let after = harness.engine.queuePolicy(context: bob)
    #expect(after.standings.map(\.weight) == [3, 1, 5])
    let alice = harness.engine.queuePolicy(context: harness.context)
    #expect(
      alice.standings.map(\.account.description)
        == ["default", "default/default", "default/default/alice"])
    #expect(alice.standings.map(\.weight) == [7, 1, 1])
    await harness.stop()
  }

  @Test("what one used counts for one's own path, and against it beside others")
  func past() async throws {
    let clock = ManualClock()
    let device = FakeDevice(permits: 0, seconds: 1)
    let harness = try EngineHarness(
      device: device, clock: clock, configure: { $0.computeThreads = 1 })
    let job = try await harness.submitted()
    await device.started(1)
    clock.advance(microseconds: 8_000_000)
    device.permit(nil)
    try await harness.finished(job)
    let other = try await harness.submitted()
    try await harness.finished(other)
    // Each is settled when its slot is given back, behind the end of the job.
    var own = harness.engine.queuePolicy(context: harness.context).standings
    while !own.allSatisfy({ $0.used > 7.9 && $0.used < 9.1 }) {
      await Task.yield()
      own = harness.engine.queuePolicy(context: harness.context).standings
    }
    #expect(own.allSatisfy { abs($0.factor - 1) < 1e-9 }, "\(own.map(\.factor))")
    let bob = harness.engine.queuePolicy(context: Self.context(Self.bob)).standings
    // Nobody of the tenant used anything, so that the past speaks for it among tenants only.
    #expect(bob.map(\.used) == [0, 0, 0] && bob.map(\.factor) == [4, 1, 1])
    await harness.stop()
  }

  @Test("jobs that wait are counted by lane, whoever's they are")
  func counts() async throws {
    let device = FakeDevice(permits: 0, seconds: 1)
    let harness = try EngineHarness(
      device: device, clock: ManualClock(), configure: { $0.computeThreads = 1 })
    let first = try await harness.submitted()
    await device.started(1)
    for _ in 0..<3 { _ = try await harness.submitted() }
    let seen = harness.engine.queuePolicy(context: Self.context(Self.bob)).lanes
    #expect(seen.first { $0.lane == .batch }?.jobsQueued == 3)
    #expect(seen.reduce(0) { $0 + $1.jobsQueued } == 3)
    device.permit(nil)
    try await harness.finished(first)
    await harness.stop()
  }
}
