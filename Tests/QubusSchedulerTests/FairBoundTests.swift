import QubusCore
import Testing

@testable import QubusScheduler

/// Loads that would keep a job waiting for ever, were it not for the overdue lane.
@Suite struct FairBoundTests {
  static let seeds: [UInt64] = (1...12).map { $0 }
  static let wait: Microseconds = 200_000

  /// A stream of short jobs of the same principal, more than the device can take, and one long job
  /// that takes every core.
  func load(cores: Int, seconds: Double, _ random: inout SeededGenerator) -> [FairRun.Life] {
    let account = AccountPath(tenant: "t", project: "p", principal: "u")
    var lives: [FairRun.Life] = []
    var time: Microseconds = 0
    while Double(time) < seconds * 1e6 {
      // Enough at first that the device is never idle.
      if lives.count > 100 {
        time += Microseconds.random(in: 1...8000 / Microseconds(cores), using: &random)
      }
      let runTime = Microseconds.random(in: 1000...10_000, using: &random)
      lives.append(
        FairRun.Life(
          job: FairJob(
            id: id(lives.count + 2), account: account, submittedAt: time,
            expectedMicroseconds: runTime),
          arrivesAt: time, runTime: runTime))
    }
    lives.append(
      FairRun.Life(
        job: FairJob(
          id: id(1), account: account, cores: cores, submittedAt: 0,
          expectedMicroseconds: 20_000),
        arrivesAt: 0, runTime: 20_000))
    return lives
  }

  /// Seconds until the long job starts; nil when it does not.
  func waited(
    _ policy: FairPolicy, cores: Int, _ lives: [FairRun.Life], seconds: Double
  ) throws -> Double? {
    // The device is taken when the long job comes.
    var all = lives
    all.append(
      FairRun.Life(
        job: FairJob(
          id: id(0), account: AccountPath(tenant: "t", project: "p", principal: "u"),
          submittedAt: 0, expectedMicroseconds: 5000),
        arrivesAt: 0, runTime: 5000))
    var run = FairRun(try FairScheduler(policy: policy, cores: cores), cores: cores, all)
    run.run(until: Microseconds(seconds * 1e6))
    #expect(run.violations.isEmpty)
    return run.lives[id(1)]?.firstStart.map { Double($0) * 1e-6 }
  }

  @Test(
    "an endless stream of short jobs holds a long one no longer than its bound", arguments: seeds)
  func starvation(seed: UInt64) throws {
    var random = SeededGenerator(state: seed)
    let cores = [1, 2, 4][Int(seed) % 3]
    var policy = FairPolicy()
    policy.stretch = 1e6
    policy.overdueStretch = nil
    policy.overdueAfter = [.batch: Self.wait]
    let busy = 1 / Double(cores)
    let bound = WaitBound.seconds(
      in: .batch, policy: policy, longestRun: 0.02, busy: busy, ahead: 0)
    let lives = load(cores: cores, seconds: bound + 1, &random)
    let wait = try #require(
      try waited(policy, cores: cores, lives, seconds: bound + 1), "seed \(seed): it never started")
    #expect(wait <= bound, "seed \(seed): \(wait) s of \(bound)")
    #expect(wait >= 0.15, "seed \(seed): the load is too light")
    policy.overdueAfter = [:]
    let without = try waited(policy, cores: cores, lives, seconds: bound + 1)
    #expect(without == nil, "seed \(seed): it waits no longer without the overdue lane")
  }
}
