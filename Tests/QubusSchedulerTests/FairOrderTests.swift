import QubusCore
import Testing

@testable import QubusScheduler

/// The fair queue behind the engine's scheduler.
@Suite struct FairOrderTests {
  static let capacity = SchedulerCapacity(
    computeSlots: 2, memoryBytes: 1000, expressMemoryBytes: 100, jobsQueued: 10_000)

  func scheduler(_ policy: FairPolicy = FairPolicy()) throws -> Scheduler {
    Scheduler(capacity: Self.capacity, policy: try FairOrder(policy, capacity: Self.capacity))
  }

  func owned(_ number: Int, _ tenant: String, _ lane: Lane = .batch) -> SchedulerJob {
    var new = job(number, lane, seconds: 0.001)
    (new.tenant, new.project, new.principal) = (tenant, "p", "u")
    return new
  }

  /// Starts in order while every job that starts ends at once.
  func drain(_ scheduler: inout Scheduler, from now: Microseconds, _ count: Int) -> [Identifier] {
    var order: [Identifier] = []
    var time = now
    while order.count < count {
      let decisions = scheduler.decide(now: time)
      time += 1000
      for case .start(let id, _) in decisions {
        order.append(id)
        scheduler.apply(.finished(id), now: time)
      }
      if decisions.isEmpty { break }
    }
    return order
  }

  @Test("tenants share by their weights, whoever came first")
  func tenants() throws {
    var policy = FairPolicy()
    policy.weights[AccountPath(tenant: "b")] = 3
    var scheduler = try scheduler(policy)
    for number in 1...100 { scheduler.apply(.queued(owned(number, "a")), now: 0) }
    for number in 101...200 { scheduler.apply(.queued(owned(number, "b")), now: 0) }
    let first = drain(&scheduler, from: 0, 80)
    let ofSecond = first.filter { $0.low > 100 }.count
    #expect((57...63).contains(ofSecond), "\(ofSecond) of 80")
  }

  @Test("a priority orders the jobs of one principal, before their length, and nobody else's")
  func priorities() throws {
    var scheduler = try scheduler()
    func add(_ number: Int, _ tenant: String, _ priority: Int8, seconds: Double = 0.001) {
      var new = owned(number, tenant)
      new.priority = priority
      new.predictedMicroseconds = Microseconds(seconds * 1e6)
      scheduler.apply(.queued(new), now: 0)
    }
    for (number, priority) in [0, -10, 10, 1, -1, 9].enumerated() {
      add(number + 1, "a", Int8(priority), seconds: priority > 0 ? 60 : 0.001)
    }
    for number in 11...16 { add(number, "b", 0) }
    // Sixty seconds cost no more here: every job that starts ends at once.
    let order = drain(&scheduler, from: 0, 12).map { Int($0.low) }
    #expect(order.filter { $0 < 10 } == [3, 6, 4, 1, 5, 2])
    #expect(order.filter { $0 > 10 } == [11, 12, 13, 14, 15, 16])
    // The other tenant has its turns, however high the priorities of the first.
    #expect(order.prefix(6).filter { $0 > 10 }.count >= 2)
  }

  @Test("one that waited as long as it may goes first, whatever its priority")
  func overduePriority() throws {
    var policy = FairPolicy()
    policy.overdueStretch = nil
    policy.overdueAfter[.batch] = 1000
    var scheduler = try scheduler(policy)
    var low = owned(1, "a")
    low.priority = -10
    scheduler.apply(.queued(low), now: 0)
    var high = owned(2, "a")
    high.priority = 10
    scheduler.apply(.queued(high), now: 900)
    #expect(scheduler.decide(now: 1000).first == .start(id(1), .compute))
  }

  @Test("what is known of a waiting job is what was told")
  func description() throws {
    var order = try FairOrder(capacity: Self.capacity)
    var told = owned(7, "tenant", .interactive)
    (told.cores, told.memoryBytes) = (.all, 123)
    (told.expiresAt, told.runLimitMicroseconds) = (456, 789)
    (told.device, told.priority) = (3, -4)
    (told.longMicroseconds, told.deadline) = (5000, 321)
    order.insert(told)
    #expect(order.waiting(id(7)) == told)
    #expect(order.next(for: .compute) == told)
    #expect(order.next(for: .express) == told)
    #expect(order.count(in: .interactive) == 1 && order.count(in: .batch) == 0)
    #expect(order.remove(id(7)) == told)
    #expect(order.remove(id(7)) == nil && order.next(for: .compute) == nil)
    let plain = job(8, .batch)
    order.insert(plain)
    #expect(order.waiting(id(8)) == plain)
    #expect(order.next(for: .express) == nil)
  }

  @Test("positions of one principal are exact; those of others follow the weights")
  func positions() throws {
    var order = try FairOrder(capacity: Self.capacity)
    for number in 1...50 { order.insert(owned(number, "a")) }
    for number in 1...50 {
      let position = try #require(order.position(of: id(number)))
      #expect(position.inLane == UInt64(number) && position.overall == UInt64(number))
      #expect(position.microsecondsAhead == Microseconds(number - 1) * 1000)
    }
    for number in 101...200 { order.insert(owned(number, "b")) }
    let last = try #require(order.position(of: id(50)))
    #expect(last.inLane == 99)
    let farthest = try #require(order.position(of: id(200)))
    #expect(farthest.overall == 150)
    #expect(order.position(of: id(999)) == nil)
  }

  @Test("an interactive job goes first while its lane is within its share")
  func interactive() throws {
    var scheduler = try scheduler()
    scheduler.apply(.queued(job(1, cores: .all)), now: 0)
    _ = scheduler.decide(now: 0)
    for number in 2...10 { scheduler.apply(.queued(owned(number, "a")), now: 0) }
    scheduler.apply(.queued(owned(99, "a", .interactive)), now: 0)
    #expect(scheduler.decide(now: 0) == [.start(id(99), .express)])
    #expect(scheduler.position(of: id(2))?.overall == 1)
  }

  @Test("a job starts at once only when nothing waits; what was refused leaves no trace")
  func startNow() throws {
    var scheduler = try scheduler()
    try scheduler.admit(lane: .batch, now: 0)
    #expect(scheduler.startNow(job(1, cores: .all), now: 0) == .compute)
    try scheduler.admit(lane: .batch, now: 0)
    #expect(scheduler.startNow(owned(2, "a"), now: 0) == nil)
    #expect(scheduler.queuedCount == 0 && scheduler.promisedCount == 1)
    scheduler.apply(.queued(owned(2, "a")), now: 0)
    #expect(scheduler.promisedCount == 0)
    scheduler.apply(.finished(id(1)), now: 1)
    #expect(scheduler.decide(now: 1) == [.start(id(2), .compute)])
    try scheduler.admit(lane: .interactive, now: 1)
    #expect(scheduler.startNow(job(3, .interactive, expiresAt: 1), now: 1) == nil)
    #expect(scheduler.startNow(job(3, .interactive, expiresAt: 2), now: 1) == .express)
    #expect(scheduler.decide(now: 2) == [.stop(id(3), .expired)])
  }

  @Test("jobs that must start now to keep their deadline go first, the earliest to start before")
  func deadlines() throws {
    var scheduler = try scheduler()
    scheduler.apply(.queued(job(1, cores: .all)), now: 0)
    _ = scheduler.decide(now: 0)
    for number in 10..<200 { scheduler.apply(.queued(owned(number, "b")), now: 0) }
    for (number, deadline) in [(302, 5_000_000), (303, 4_000_000), (304, 900_000_000)] {
      var new = owned(number, "b")
      new.deadline = Microseconds(deadline)
      new.longMicroseconds = 3_000_000
      scheduler.apply(.queued(new), now: 0)
    }
    // Job 303 has to be on its way at 1 s, job 302 at 2 s; job 304 has time and is the last.
    scheduler.apply(.finished(id(1)), now: 2_000_000)
    let order = drain(&scheduler, from: 2_000_000, 193)
    #expect(order.count == 193)
    let places = [303, 302, 304].compactMap { order.firstIndex(of: id($0)) }
    #expect(places.count == 3 && places[0] < places[1] && places[1] < 30 && places[2] == 192)
  }

  @Test("what a lane may wait is kept behind the engine's scheduler as well")
  func overdue() throws {
    var policy = FairPolicy()
    policy.overdueAfter = [.batch: 1_000_000]
    var scheduler = try scheduler(policy)
    scheduler.apply(.queued(job(1, cores: .all)), now: 0)
    _ = scheduler.decide(now: 0)
    scheduler.apply(.queued(owned(2, "a")), now: 0)
    for number in 10..<1000 {
      scheduler.apply(.queued(owned(number, "b", .batch)), now: 900_000)
    }
    scheduler.apply(.finished(id(1)), now: 1_000_000)
    let order = drain(&scheduler, from: 1_000_000, 40)
    #expect(order.prefix(4).contains(id(2)))
  }
}
