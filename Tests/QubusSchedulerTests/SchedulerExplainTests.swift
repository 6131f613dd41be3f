import QubusCore
import Testing

@testable import QubusScheduler

/// Why a job waits, behind the engine's scheduler.
@Suite struct SchedulerExplainTests {
  func scheduler() throws -> Scheduler {
    let capacity = SchedulerCapacity(
      computeSlots: 2, memoryBytes: 1000, expressMemoryBytes: 100, jobsQueued: 100)
    return Scheduler(capacity: capacity, policy: try FairOrder(capacity: capacity))
  }

  func owned(_ number: Int, seconds: Double = 1) -> SchedulerJob {
    var new = job(number, seconds: seconds)
    (new.tenant, new.project, new.principal) = ("t", "p", "u")
    return new
  }

  @Test("turn and room are told apart, each with the time that it costs")
  func kinds() throws {
    var scheduler = try scheduler()
    scheduler.apply(.queued(job(1, cores: .all, seconds: 10)), now: 0)
    _ = scheduler.decide(now: 0)
    scheduler.apply(.queued(job(2, seconds: 4)), now: 0)
    scheduler.apply(.queued(job(3, seconds: 4)), now: 0)
    #expect(scheduler.decide(now: 0) == [])
    // One runs, one is not known.
    #expect(scheduler.explain(id(1), now: 0) == [] && scheduler.explain(id(9), now: 0) == [])
    let first = scheduler.explain(id(2), now: 1_000_000)
    #expect(first.map(\.kind) == [.tooLarge] && first.map(\.delay) == [9_000_000])
    let second = scheduler.explain(id(3), now: 1_000_000)
    #expect(second.map(\.kind) == [.shareTurn, .tooLarge])
    // Four core-seconds of the one before it on two cores.
    #expect(second.map(\.delay) == [2_000_000, 9_000_000])
    #expect(second[0].detail == "about 1 job with 4.0 core-seconds has its turn before it")
    // What ran past its prediction is expected to run as long again.
    #expect(scheduler.explain(id(2), now: 15_000_000).map(\.delay) == [15_000_000])
    scheduler.apply(.finished(id(1)), now: 15_000_000)
    #expect(scheduler.explain(id(2), now: 15_000_000) == [])
  }

  @Test("a drain is told since its beginning")
  func drained() throws {
    var scheduler = try scheduler()
    scheduler.apply(.queued(job(1)), now: 0)
    scheduler.apply(.drained(true), now: 7)
    scheduler.apply(.drained(true), now: 9)
    let found = scheduler.explain(id(1), now: 20)
    #expect(found.map(\.kind) == [.deviceOffline] && found.map(\.since) == [7])
    scheduler.apply(.drained(false), now: 30)
    #expect(scheduler.explain(id(1), now: 30) == [])
  }

  @Test("an account that has as much running as it may is named with its figures")
  func quota() throws {
    var scheduler = try scheduler()
    scheduler.apply(.capped([AccountPath(tenant: "t"): SchedulerCap(jobs: 1)]), now: 0)
    scheduler.apply(.queued(owned(1, seconds: 3)), now: 5)
    #expect(scheduler.decide(now: 5) == [.start(id(1), .compute)])
    scheduler.apply(.queued(owned(2)), now: 5)
    #expect(scheduler.decide(now: 5) == [.hold(id(2))])
    let found = scheduler.explain(id(2), now: 1_000_005)
    #expect(found.map(\.kind) == [.quota] && found.map(\.since) == [5])
    #expect(found.map(\.detail) == ["t has running what it may at one time: 1 of 1 jobs"])
    #expect(found.map(\.delay) == [2_000_000])
    scheduler.apply(.finished(id(1)), now: 2_000_000)
    #expect(scheduler.explain(id(2), now: 2_000_000) == [])
  }
}
