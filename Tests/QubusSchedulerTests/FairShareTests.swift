import QubusCore
import Testing

@testable import QubusScheduler

/// Who gets how much, on a device that runs one job at a time.
@Suite struct FairShareTests {
  static let seeds: [UInt64] = (1...40).map { $0 }

  func path(_ tenant: Int, _ project: Int = 0, _ principal: Int = 0) -> AccountPath {
    AccountPath(tenant: "t\(tenant)", project: "p\(project)", principal: "u\(principal)")
  }

  /// Jobs of one principal that keep the device busy for as long as a test looks.
  func backlog(
    _ account: AccountPath, from first: Int, count: Int, lane: Lane = .batch,
    at time: Microseconds = 0, runTime: (Int) -> Microseconds
  ) -> [FairRun.Life] {
    (0..<count).map { number in
      FairRun.Life(
        job: FairJob(
          id: id(first + number), account: account, lane: lane, submittedAt: time,
          expectedMicroseconds: runTime(number)),
        arrivesAt: time, runTime: runTime(number))
    }
  }

  func policy(_ weights: [AccountPath: Double] = [:]) -> FairPolicy {
    var policy = FairPolicy()
    policy.weights = weights
    policy.usageHalfLife = nil
    policy.overdueAfter = [:]
    policy.overdueStretch = nil
    return policy
  }

  @Test("backlogged flows differ by no more than a run of each over its weight", arguments: seeds)
  func fairness(seed: UInt64) throws {
    var random = SeededGenerator(state: seed)
    var weights: [AccountPath: Double] = [:]
    for tenant in 0..<3 {
      weights[AccountPath(tenant: "t\(tenant)")] = Double.random(in: 0.2...8, using: &random)
    }
    for user in 0..<3 { weights[path(0, 0, user)] = Double.random(in: 0.2...8, using: &random) }
    var lives: [FairRun.Life] = []
    for account in [path(0, 0, 0), path(0, 0, 1), path(0, 0, 2), path(1), path(2)] {
      lives += backlog(account, from: lives.count + 1, count: 400) { _ in
        Microseconds.random(in: 1000...20_000, using: &random)
      }
    }
    let longest = 0.02
    var run = FairRun(try FairScheduler(policy: policy(weights), cores: 1), cores: 1, lives)
    func check(_ flows: [(used: Double, weight: Double)]) -> Double {
      var worst = 0.0
      for a in flows {
        for b in flows {
          let bound = longest / a.weight + longest / b.weight
          worst = max(worst, abs(a.used / a.weight - b.used / b.weight) / bound)
        }
      }
      return worst
    }
    var worst = 0.0
    for end in stride(from: Microseconds(20_000), through: 1_500_000, by: 20_000) {
      run.run(until: end)
      worst = max(
        worst,
        check(
          (0..<3).map { tenant in
            let used = run.served.filter { $0.key.tenant == "t\(tenant)" }
            return (
              used.values.reduce(0, +), weights[AccountPath(tenant: "t\(tenant)")] ?? 1
            )
          }),
        check(
          (0..<3).map { (run.served[path(0, 0, $0)] ?? 0, weights[path(0, 0, $0)] ?? 1) }))
    }
    #expect(run.scheduler.queuedCount > 0, "seed \(seed): the backlog did not last")
    // One run of each more is in service when a test looks.
    #expect(worst <= 2, "seed \(seed): \(worst) of the bound")
    #expect(run.violations.isEmpty, "seed \(seed)")
  }

  @Test("weights 4:2:1:1 get their shares within 1 % of the device")
  func shares() throws {
    let weights: [Double] = [4, 2, 1, 1]
    var table: [AccountPath: Double] = [:]
    var lives: [FairRun.Life] = []
    for tenant in 0..<4 {
      table[AccountPath(tenant: "t\(tenant)")] = weights[tenant]
      lives += backlog(path(tenant), from: lives.count + 1, count: 900) {
        Microseconds(1000 + 37 * ($0 % 90))
      }
    }
    var policy = policy(table)
    policy.usageHalfLife = 7 * 86_400_000_000
    var run = FairRun(try FairScheduler(policy: policy, cores: 1), cores: 1, lives)
    run.run(until: 4_000_000)
    for tenant in 0..<4 {
      let part = (run.served[path(tenant)] ?? 0) / 4
      #expect(abs(part - weights[tenant] / 8) < 0.01, "tenant \(tenant) got \(part)")
    }
  }

  @Test("lanes get their shares while they are wanted, and lend them while they are not")
  func lanes() throws {
    var lives = backlog(path(0), from: 1, count: 1000) { _ in 10_000 }
    lives += backlog(path(1), from: 2001, count: 300, lane: .interactive) { _ in 2000 }
    lives += backlog(path(2), from: 3001, count: 1000, lane: .long) { _ in 10_000 }
    var run = FairRun(try FairScheduler(policy: policy(), cores: 1), cores: 1, lives)
    run.run(until: 1_000_000)
    // 20 : 40 : 10 of what is wanted.
    let early = [0, 1, 2].map { run.served[path($0)] ?? 0 }
    for (got, share) in zip(early, [4.0 / 7, 2.0 / 7, 1.0 / 7]) {
      #expect(abs(got - share) < 0.03, "\(early)")
    }
    run.run(until: 8_000_000)
    // The interactive lane is empty after 2.1 s; the others have 4 : 1 of the rest, and all of it.
    let late = [0, 1, 2].map { run.served[path($0)] ?? 0 }
    #expect(abs(late[1] - 0.6) < 1e-9)
    #expect(abs(late.reduce(0, +) - 8) < 0.03)
    #expect(abs((late[0] - early[0]) / (late[2] - early[2]) - 4) < 0.2)
  }

  @Test("a tenant that comes late gets its first run within the bound", arguments: seeds)
  func newcomer(seed: UInt64) throws {
    var random = SeededGenerator(state: seed)
    let count = Int.random(in: 1...8, using: &random)
    var weights: [AccountPath: Double] = [:]
    for tenant in 0...count {
      weights[AccountPath(tenant: "t\(tenant)")] = Double.random(in: 0.25...4, using: &random)
    }
    var lives: [FairRun.Life] = []
    for tenant in 1...count {
      lives += backlog(path(tenant), from: lives.count + 1, count: 200) { _ in
        Microseconds.random(in: 5000...20_000, using: &random)
      }
    }
    let arrival = Microseconds.random(in: 50_000...500_000, using: &random)
    lives += backlog(path(0), from: 5000, count: 1, at: arrival) { _ in 20_000 }
    let policy = policy(weights)
    var run = FairRun(try FairScheduler(policy: policy, cores: 1), cores: 1, lives)
    run.run(until: arrival + 30_000_000)
    let start = try #require(run.lives[id(5000)]?.firstStart)
    let others = (1...count).map { weights[AccountPath(tenant: "t\($0)")] ?? 1 }
    let bound = WaitBound(longestRun: 0.02).lane(.batch, policy)
      .flow(weight: weights[AccountPath(tenant: "t0")] ?? 1, siblings: others)
    let wait = Double(start - arrival) * 1e-6
    #expect(wait <= bound.seconds(ahead: 0), "seed \(seed): \(wait) s")
    // It has not used anything: no more than a run of every other goes before.
    #expect(wait <= 0.02 * Double(count + 1), "seed \(seed): \(wait) s")
  }

  @Test("use counts half after one half-life, and changes weights by 4 at most")
  func history() {
    var history = UsageHistory(halfLife: 1_000_000, largestFactor: 4)
    let all = history.addAccount(parent: nil, weight: 1)
    let heavy = history.addAccount(parent: all, weight: 1)
    let light = history.addAccount(parent: all, weight: 1)
    history.advance(to: 5_000_000)
    #expect(history.factor(of: heavy) == 1)
    history.add(100, to: heavy)
    #expect(history.factor(of: heavy) == 1)
    #expect(history.factor(of: light) == 4)
    history.add(50, to: light)
    #expect(history.factor(of: light) > 1 && history.factor(of: light) < 4)
    #expect(history.factor(of: heavy) < 1)
    for lives in 1...1000 {
      history.advance(to: 5_000_000 + Microseconds(lives) * 1_000_000)
      guard lives <= 40 else { continue }
      let expected = 100 / Double(1 << lives)
      #expect(abs(history.used(by: heavy) / expected - 1) < 1e-9, "after \(lives)")
    }
    #expect(history.used(by: heavy) < 1e-200)
    history.add(1, to: light)
    #expect(abs(history.used(by: light) - 1) < 1e-9)
  }

  @Test("a tenant that used much yields to one that did not, until that is forgotten")
  func pastCounts() throws {
    var policy = policy()
    policy.usageHalfLife = 1_000_000
    var run = FairRun(
      try FairScheduler(policy: policy, cores: 1), cores: 1,
      backlog(path(0), from: 1, count: 2000) { _ in 5000 }
        + backlog(path(1), from: 3001, count: 2000, at: 3_000_000) { _ in 5000 })
    run.run(until: 3_000_000)
    let before = run.served[path(0)] ?? 0
    run.run(until: 3_200_000)
    let gained = (run.served[path(0)] ?? 0) - before
    let newcomer = run.served[path(1)] ?? 0
    #expect(newcomer > 1.5 * gained && newcomer <= 16 * gained, "\(newcomer) to \(gained)")
    run.run(until: 9_000_000)
    let later = (run.served[path(0)] ?? 0, run.served[path(1)] ?? 0)
    run.run(until: 10_000_000)
    let last = ((run.served[path(0)] ?? 0) - later.0, (run.served[path(1)] ?? 0) - later.1)
    #expect(abs(last.0 / last.1 - 1) < 0.1)
  }
}
