import QubusCore
import Testing

@testable import QubusScheduler

@Suite struct FairSchedulerTests {
  func fair(
    _ number: Int, _ tenant: String = "a", lane: Lane = .batch, cores: Int = 1,
    memory: UInt64 = 0, at time: Microseconds = 0, expected: Microseconds = 1000,
    long: Microseconds? = nil, deadline: Microseconds? = nil, preemptible: Bool = false
  ) -> FairJob {
    FairJob(
      id: id(number), account: AccountPath(tenant: tenant, project: "p", principal: "u"),
      lane: lane, cores: cores, memoryBytes: memory, submittedAt: time,
      expectedMicroseconds: expected, longMicroseconds: long, deadline: deadline,
      isPreemptible: preemptible)
  }

  func started(_ decisions: [FairDecision]) -> [Identifier] {
    decisions.compactMap { if case .start(let id, _) = $0 { id } else { nil } }
  }

  @Test("inside a principal the shortest goes first, but no job is put off without end")
  func stretch() throws {
    var policy = FairPolicy()
    policy.stretch = 10
    var scheduler = try FairScheduler(policy: policy, cores: 1)
    try scheduler.apply(.submitted(fair(1, expected: 1000)), now: 0)
    _ = scheduler.decide(now: 0)
    try scheduler.apply(.submitted(fair(2, expected: 1000)), now: 0)
    try scheduler.apply(.submitted(fair(3, expected: 100)), now: 0)
    // Due at 10,500 µs, after job 2 that is due at 10,000.
    try scheduler.apply(.submitted(fair(4, at: 9500, expected: 100)), now: 9500)
    var order: [Identifier] = []
    for (time, ended) in [(9600, 1), (9700, 3), (9800, 2)] {
      try scheduler.apply(.finished(id(ended)), now: Microseconds(time))
      order += started(scheduler.decide(now: Microseconds(time)))
    }
    #expect(order == [id(3), id(2), id(4)])
  }

  @Test("a wide head keeps its reservation; what ends before it or leaves it room runs beside it")
  func backfill() throws {
    var policy = FairPolicy()
    policy.stretch = 0
    var scheduler = try FairScheduler(policy: policy, cores: 4)
    try scheduler.apply(.submitted(fair(1, cores: 3, expected: 1000)), now: 0)
    #expect(started(scheduler.decide(now: 0)) == [id(1)])
    try scheduler.apply(.submitted(fair(2, cores: 3, at: 1, expected: 1000)), now: 1)
    try scheduler.apply(.submitted(fair(3, at: 2, expected: 5000)), now: 2)
    try scheduler.apply(.submitted(fair(4, at: 3, expected: 5000)), now: 3)
    // One core is free at the reserved time, and job 3 takes it; job 4 would be late with it.
    #expect(started(scheduler.decide(now: 3)) == [id(3)])
    #expect(scheduler.freeCores == 0)
    try scheduler.apply(.finished(id(1)), now: 1000)
    #expect(started(scheduler.decide(now: 1000)) == [id(2)])
    try scheduler.apply(.submitted(fair(5, cores: 4, at: 1001)), now: 1001)
    try scheduler.apply(.finished(id(3)), now: 1500)
    // Job 4 would delay none but job 5 … which comes after it.
    #expect(started(scheduler.decide(now: 1500)) == [id(4)])
    try scheduler.apply(.finished(id(2)), now: 2000)
    try scheduler.apply(.submitted(fair(6, at: 2000, expected: 9000)), now: 2000)
    try scheduler.apply(.submitted(fair(7, at: 2001, expected: 4000)), now: 2001)
    // Job 5 is to start at 6,500: job 7 ends before that, job 6 does not.
    #expect(started(scheduler.decide(now: 2001)) == [id(7)])
  }

  @Test("memory is shared like cores, and the scarcer of both is charged")
  func dominant() throws {
    var policy = FairPolicy()
    policy.usageHalfLife = 1 << 50
    var scheduler = try FairScheduler(policy: policy, cores: 4, memoryBytes: 1000)
    try scheduler.apply(.submitted(fair(1, "a", memory: 900)), now: 0)
    try scheduler.apply(.submitted(fair(2, "b", memory: 200)), now: 0)
    #expect(started(scheduler.decide(now: 0)) == [id(1)])
    try scheduler.apply(.finished(id(1)), now: 1_000_000)
    #expect(started(scheduler.decide(now: 1_000_000)) == [id(2)])
    try scheduler.apply(.finished(id(2)), now: 2_000_000)
    #expect(abs(scheduler.used(by: AccountPath(tenant: "a")) - 0.9) < 1e-6)
    #expect(abs(scheduler.used(by: AccountPath(tenant: "b")) - 0.25) < 1e-6)
  }

  @Test("slices double, and a job that nobody disturbs goes on where it was")
  func slices() throws {
    var policy = FairPolicy()
    policy.defaultFirstSlice = 100_000
    policy.longestSlice = 400_000
    var scheduler = try FairScheduler(policy: policy, cores: 1)
    try scheduler.apply(.submitted(fair(1, expected: 0, preemptible: true)), now: 0)
    var now: Microseconds = 0
    for slice in [100_000, 200_000, 400_000, 400_000] as [Microseconds] {
      #expect(scheduler.decide(now: now) == [.start(id(1), until: now + slice)])
      now += slice
      try scheduler.apply(.yielded(id(1), Checkpoint(shotsDone: UInt64(now))), now: now)
      #expect(scheduler.progress(of: id(1))?.attainedMicroseconds == now)
      #expect(scheduler.progress(of: id(1))?.checkpoint?.shotsDone == UInt64(now))
    }
    #expect(scheduler.preemptions == 0)
  }

  @Test("a slice is never shorter than twenty switches")
  func leastSlice() {
    var policy = FairPolicy()
    policy.switchCost = 1_000_000
    for lane in Lane.allCases {
      for slices in 0...40 { #expect(policy.slice(slices, in: lane) >= 20_000_000) }
    }
  }

  @Test("an interactive job displaces a batch job at its next border and keeps its turn")
  func preemption() throws {
    var policy = FairPolicy()
    policy.switchCost = 1000
    var scheduler = try FairScheduler(policy: policy, cores: 1)
    try scheduler.apply(.submitted(fair(1, expected: 0, preemptible: true)), now: 0)
    _ = scheduler.decide(now: 0)
    try scheduler.apply(.submitted(fair(2, "b", lane: .interactive, at: 1000)), now: 1000)
    #expect(scheduler.decide(now: 1000) == [])
    #expect(scheduler.nextTime == 20_000)
    #expect(scheduler.decide(now: 20_000) == [.yield(id(1))])
    #expect(scheduler.decide(now: 20_001) == [])
    // One that comes later does not pass it, though its tenant has used nothing either.
    try scheduler.apply(.submitted(fair(3, "c", lane: .reserved, at: 21_000)), now: 21_000)
    try scheduler.apply(.yielded(id(1), nil), now: 25_000)
    #expect(started(scheduler.decide(now: 25_000)) == [id(2)])
    #expect(scheduler.preemptions == 1)
    try scheduler.apply(.finished(id(2)), now: 26_000)
    #expect(started(scheduler.decide(now: 26_000)) == [id(3)])
    try scheduler.apply(.finished(id(3)), now: 27_000)
    #expect(started(scheduler.decide(now: 27_000)) == [id(1)])
    try scheduler.apply(.canceled(id(9)), now: 0, expecting: .invalidRequest)
  }

  @Test("a batch job displaces nobody")
  func noPreemption() throws {
    var scheduler = try FairScheduler(cores: 1)
    try scheduler.apply(.submitted(fair(1, expected: 0, preemptible: true)), now: 0)
    _ = scheduler.decide(now: 0)
    try scheduler.apply(.submitted(fair(2, "b", at: 1)), now: 1)
    #expect(scheduler.decide(now: 900_000) == [])
  }

  @Test("a job goes before all others of its lane once it is overdue, the earliest due first")
  func overdue() throws {
    var policy = FairPolicy()
    policy.stretch = 1e6
    policy.overdueAfter = [.batch: 1_000_000]
    var scheduler = try FairScheduler(policy: policy, cores: 1)
    try scheduler.apply(.submitted(fair(1)), now: 0)
    _ = scheduler.decide(now: 0)
    try scheduler.apply(.submitted(fair(2, expected: 1_000_000)), now: 0)
    // To end at 900,000 it must start at 400,000.
    try scheduler.apply(
      .submitted(fair(3, expected: 500_000, deadline: 900_000)), now: 0)
    for number in 10..<20 {
      try scheduler.apply(.submitted(fair(number, at: 500_000, expected: 10)), now: 500_000)
    }
    #expect(scheduler.nextTime == 400_000 || scheduler.nextTime == 1_000_000)
    var order: [Identifier] = []
    var running = 1
    for time in stride(from: Microseconds(1_000_000), to: 1_900_000, by: 100_000) {
      try scheduler.apply(.finished(id(running)), now: time)
      let next = started(scheduler.decide(now: time))
      order += next
      running = Int(next[0].low)
    }
    let places = [3, 2].map { order.firstIndex(of: id($0)) }
    #expect(places[0] != nil && places[1] != nil)
    #expect((places[0] ?? 99) < (places[1] ?? 99))
  }

  @Test("a job of an earlier life of the service comes back with its time, slices and checkpoint")
  func restoredJob() throws {
    var policy = FairPolicy()
    policy.defaultFirstSlice = 100_000
    var scheduler = try FairScheduler(policy: policy, cores: 1)
    var restored = fair(1, expected: 0, preemptible: true)
    restored.attainedMicroseconds = 300_000
    restored.checkpoint = Checkpoint(shotsDone: 77, streamPosition: 5, calibrationEpoch: 3)
    try scheduler.apply(.submitted(restored), now: 10)
    #expect(scheduler.progress(of: id(1))?.checkpoint == restored.checkpoint)
    // After slices of 100 and 200 ms comes one of 400.
    #expect(scheduler.decide(now: 10) == [.start(id(1), until: 400_010)])
    #expect(scheduler.progress(of: id(1))?.checkpoint == restored.checkpoint)
    try scheduler.apply(.yielded(id(1), nil), now: 400_010)
    #expect(scheduler.progress(of: id(1))?.attainedMicroseconds == 700_000)
    #expect(scheduler.progress(of: id(1))?.checkpoint == restored.checkpoint)
    #expect(scheduler.progress(of: id(2)) == nil)
  }

  @Test("use of an earlier life of the service counts on")
  func restoredUse() throws {
    var scheduler = try FairScheduler(cores: 1)
    let heavy = AccountPath(tenant: "a", project: "p", principal: "u")
    scheduler.restoreUse([heavy: 1000], now: 0)
    #expect(abs(scheduler.used(by: AccountPath(tenant: "a")) - 1000) < 1e-9)
    try scheduler.apply(.submitted(fair(1, "a")), now: 0)
    try scheduler.apply(.submitted(fair(2, "b")), now: 0)
    var order: [Identifier] = []
    for number in 3..<43 {
      try scheduler.apply(.submitted(fair(number, number % 2 == 1 ? "a" : "b")), now: 0)
    }
    for time in 1...20 as ClosedRange<Microseconds> {
      let next = started(scheduler.decide(now: time * 1000))
      order += next
      try scheduler.apply(.finished(next[0]), now: time * 1000 + 1000)
    }
    let ofHeavy = order.filter { $0.low % 2 == 1 }.count
    #expect((3...6).contains(ofHeavy), "4 : 1 by the past, got \(ofHeavy) of 20")
  }
}

extension FairScheduler {
  /// Applies what must be refused and changes nothing.
  mutating func apply(
    _ event: FairEvent, now: Microseconds, expecting code: ErrorCode,
    location: Testing.SourceLocation = #_sourceLocation
  ) throws {
    let before = (queuedCount, runningCount, freeCores, self.now)
    let error = #expect(throws: QubusError.self, sourceLocation: location) {
      try apply(event, now: now)
    }
    #expect(error?.code == code, sourceLocation: location)
    #expect((queuedCount, runningCount, freeCores, self.now) == before, sourceLocation: location)
  }
}
