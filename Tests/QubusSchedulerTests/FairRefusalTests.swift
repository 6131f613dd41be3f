import QubusCore
import Testing

@testable import QubusScheduler

@Suite struct FairRefusalTests {
  func fair(_ number: Int, cores: Int = 1, memory: UInt64 = 0) -> FairJob {
    FairJob(
      id: id(number), account: AccountPath(tenant: "a", project: "p", principal: "u"),
      cores: cores, memoryBytes: memory, submittedAt: 100, expectedMicroseconds: 10)
  }

  @Test(
    "weights that are zero, negative or no number are refused, at start and later",
    arguments: [0, -1, .nan, .infinity])
  func weights(weight: Double) throws {
    var policy = FairPolicy()
    let path = AccountPath(tenant: "a")
    policy.weights[path] = weight
    let error = #expect(throws: QubusError.self) { try FairScheduler(policy: policy, cores: 1) }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.violations.first?.field == "weights.a")
    var scheduler = try FairScheduler(cores: 1)
    try scheduler.apply(.weighted(path, weight), now: 0, expecting: .invalidConfiguration)
    #expect(scheduler.policy.weights == [:])
  }

  @Test("rules without sense are refused with their name")
  func rules() {
    let broken: [(String, (inout FairPolicy) -> Void)] = [
      ("lane_shares.batch", { $0.laneShares[.batch] = 0 }),
      ("lane_shares.overdue", { $0.laneShares[.overdue] = nil }),
      ("usage_half_life", { $0.usageHalfLife = 0 }),
      ("first_slice", { $0.defaultFirstSlice = 0 }),
      ("first_slice.interactive", { $0.firstSlice[.interactive] = -1 }),
      ("longest_slice", { $0.longestSlice = 0 }),
      ("overdue_after.long", { $0.overdueAfter[.long] = 0 }),
      ("usage_factor", { $0.usageFactor = 0.5 }),
      ("switch_cost", { $0.switchCost = -1 }),
      ("stretch", { $0.stretch = -0.1 }),
      ("overdue_stretch", { $0.overdueStretch = 0 }),
      ("shortest", { $0.shortest = -1 }),
      ("backfill_looks", { $0.backfillLooks = -1 }),
    ]
    for (field, breakIt) in broken {
      var policy = FairPolicy()
      breakIt(&policy)
      let error = #expect(throws: QubusError.self) { try policy.validate() }
      #expect(error?.violations.first?.field == field)
    }
  }

  @Test("a job that cannot be is refused and nothing is changed")
  func jobs() throws {
    var scheduler = try FairScheduler(cores: 4, memoryBytes: 1000)
    try scheduler.apply(.submitted(fair(1, cores: 5)), now: 100, expecting: .noAcceptableDevice)
    try scheduler.apply(
      .submitted(fair(1, memory: 1001)), now: 100, expecting: .noAcceptableDevice)
    try scheduler.apply(.submitted(fair(1, cores: 0)), now: 100, expecting: .invalidRequest)
    try scheduler.apply(.submitted(fair(1)), now: 99, expecting: .invalidRequest)
    var late = fair(1)
    late.deadline = 99
    try scheduler.apply(.submitted(late), now: 100, expecting: .invalidRequest)
    try scheduler.apply(.submitted(fair(1)), now: 100)
    try scheduler.apply(.submitted(fair(1)), now: 100, expecting: .invalidRequest)
    try scheduler.apply(.finished(id(1)), now: 100, expecting: .illegalTransition)
    try scheduler.apply(.finished(id(2)), now: 100, expecting: .jobNotFound)
    try scheduler.apply(.canceled(id(2)), now: 100, expecting: .jobNotFound)
    #expect(scheduler.decide(now: 100) == [.start(id(1), until: nil)])
    try scheduler.apply(.submitted(fair(1)), now: 100, expecting: .invalidRequest)
    try scheduler.apply(.canceled(id(1)), now: 100, expecting: .illegalTransition)
    try scheduler.apply(.yielded(id(1), nil), now: 100, expecting: .illegalTransition)
    try scheduler.apply(.finished(id(1)), now: 99, expecting: .invalidRequest)
    try scheduler.apply(.finished(id(1)), now: 100)
    #expect(scheduler.runningCount == 0 && scheduler.freeCores == 4)
  }

  @Test("a drained device starts nothing and goes on later")
  func drained() throws {
    var scheduler = try FairScheduler(cores: 1)
    try scheduler.apply(.drained(true), now: 100)
    try scheduler.apply(.submitted(fair(1)), now: 100)
    #expect(scheduler.decide(now: 200) == [])
    try scheduler.apply(.drained(false), now: 300)
    #expect(scheduler.decide(now: 300) == [.start(id(1), until: nil)])
  }
}
