import QubusCore

@testable import QubusScheduler

extension FairRun {
  /// A random device, policy and load: every choice follows from the seed.
  init(seed: UInt64, jobs: Int = 32) throws(QubusError) {
    var random = SeededGenerator(state: seed)
    let cores = [1, 1, 2, 4, 16][Int.random(in: 0..<5, using: &random)]
    let memory: UInt64 = Bool.random(using: &random) ? 0 : 1000
    var policy = FairPolicy()
    policy.switchCost = 500
    policy.firstSlice = [.interactive: 10_000]
    policy.defaultFirstSlice = 40_000
    policy.longestSlice = 160_000
    policy.stretch = [0, 1, 32, 1e6][Int.random(in: 0..<4, using: &random)]
    policy.usageHalfLife = Bool.random(using: &random) ? nil : 1_000_000
    policy.overdueAfter = [
      .reserved: 20_000, .interactive: 40_000, .batch: 200_000, .long: 400_000,
    ]
    for tenant in 0..<3 {
      let weight = Double.random(in: 0.1...8, using: &random)
      policy.weights[AccountPath(tenant: "t\(tenant)")] = weight
    }
    policy.overdueStretch = [nil, 2, 20][Int.random(in: 0..<3, using: &random)]
    policy.shortest = 1000
    let isPreemptible = Bool.random(using: &random)
    var lives: [Life] = []
    var time: Microseconds = 0
    for number in 1...jobs {
      if Int.random(in: 0..<3, using: &random) > 0 {
        time += Microseconds.random(in: 0...25_000, using: &random)
      }
      lives.append(
        Self.life(
          number, at: time, cores: cores, memory: memory, isPreemptible: isPreemptible, &random))
    }
    self.init(
      try FairScheduler(policy: policy, cores: cores, memoryBytes: memory), cores: cores,
      memoryBytes: memory, lives)
  }

  private static func life(
    _ number: Int, at time: Microseconds, cores: Int, memory: UInt64, isPreemptible: Bool,
    _ random: inout SeededGenerator
  ) -> Life {
    let lane = [Lane.interactive, .batch, .batch, .long, .reserved, .overdue][
      Int.random(in: 0..<6, using: &random)]
    let runTime = Microseconds.random(
      in: 1...(1 << Int.random(in: 1...18, using: &random)), using: &random)
    let knows = Int.random(in: 0..<4, using: &random) > 0
    let long = runTime + Microseconds.random(in: 0...runTime, using: &random)
    let cancels = Int.random(in: 0..<10, using: &random) == 0
    let hasDeadline = Int.random(in: 0..<8, using: &random) == 0
    return Life(
      job: FairJob(
        id: id(number),
        account: AccountPath(
          tenant: "t\(Int.random(in: 0..<3, using: &random))",
          project: "p\(Int.random(in: 0..<2, using: &random))",
          principal: "u\(Int.random(in: 0..<3, using: &random))"),
        lane: lane, cores: Int.random(in: 1...cores, using: &random),
        memoryBytes: memory == 0 ? 0 : UInt64.random(in: 0...memory, using: &random),
        submittedAt: time, expectedMicroseconds: knows ? runTime : 0,
        longMicroseconds: knows ? long : 1 << 19,
        deadline: hasDeadline
          ? time + Microseconds.random(in: 0...1_000_000, using: &random) : nil,
        isPreemptible: isPreemptible && Int.random(in: 0..<4, using: &random) > 0),
      arrivesAt: time, runTime: runTime,
      cancelsAt: cancels ? time + Microseconds.random(in: 1...200_000, using: &random) : nil)
  }

  /// Seconds that a job may wait at most: docs/scheduling.md, "The bound of any job".
  func bound(of life: Life) -> Double {
    let policy = scheduler.policy
    // A run without a border: a slice, or all of a job that is not run in slices.
    let longest = lives.values.reduce(0) { longest, other in
      max(
        longest,
        other.job.isPreemptible
          ? policy.longestSlice + chunk : max(other.job.longMicroseconds, other.runTime))
    }
    let widest = lives.values.map(\.job.cores).max() ?? 1
    let own = due(life)
    let ahead = lives.values.reduce(0.0) { sum, other in
      guard other.job.id != life.job.id, due(other) <= own else { return sum }
      return sum + part(other) * Double(max(other.runTime, other.job.expectedMicroseconds)) * 1e-6
    }
    let busy =
      memoryBytes > 0 ? leastBusyByMemory : Double(cores - widest + 1) / Double(cores)
    return patience(of: life)
      + WaitBound(longestRun: Double(longest) * 1e-6, busy: busy).lane(.overdue, policy)
      .seconds(ahead: ahead)
  }

  /// Seconds after which a job is overdue.
  func patience(of life: Life) -> Double { max(0, Double(due(life) - life.arrivesAt) * 1e-6) }

  /// With memory as well, all that is sure is that one job runs while another waits.
  private var leastBusyByMemory: Double { lives.values.map(part).min() ?? 1 }

  private func due(_ life: Life) -> Microseconds {
    let wait = scheduler.policy.patience(life.job.expectedMicroseconds, in: life.job.lane) ?? 0
    let byDeadline = life.job.deadline.map { max(life.arrivesAt, $0 - life.job.longMicroseconds) }
    return min(life.arrivesAt + wait, byDeadline ?? .max)
  }

  private func part(_ life: Life) -> Double {
    max(
      Double(life.job.cores) / Double(cores),
      memoryBytes > 0 ? Double(life.job.memoryBytes) / Double(memoryBytes) : 0)
  }
}
