import QubusCore
import Testing

@testable import QubusScheduler

@Suite struct SchedulerTests {
  func scheduler(
    slots: Int = 2, memory: UInt64 = 1000, queued: Int = 100, lanes: [Lane: Int] = [:]
  ) -> Scheduler {
    Scheduler(
      capacity: SchedulerCapacity(
        computeSlots: slots, memoryBytes: memory, expressMemoryBytes: 100, jobsQueued: queued,
        jobsQueuedPerLane: lanes))
  }

  @Test("small jobs run side by side up to the slots")
  func sideBySide() {
    var scheduler = scheduler()
    for number in 1...3 { scheduler.apply(.queued(job(number)), now: 0) }
    #expect(scheduler.decide(now: 0) == [.start(id(1), .compute), .start(id(2), .compute)])
    #expect(scheduler.decide(now: 0) == [])
    scheduler.apply(.finished(id(1)), now: 1)
    #expect(scheduler.decide(now: 1) == [.start(id(3), .compute)])
  }

  @Test("an interactive job takes the extra slot while a large job holds all cores")
  func express() {
    var scheduler = scheduler()
    scheduler.apply(.queued(job(1, cores: .all)), now: 0)
    scheduler.apply(.queued(job(2)), now: 0)
    #expect(scheduler.decide(now: 0) == [.start(id(1), .compute)])
    scheduler.apply(.queued(job(3, .interactive)), now: 0)
    #expect(scheduler.decide(now: 0) == [.start(id(3), .express)])
  }

  @Test("a job starts at once only when nothing waits and a slot is free")
  func startNow() throws {
    var scheduler = scheduler(slots: 1)
    try scheduler.admit(lane: .batch, now: 0)
    #expect(scheduler.startNow(job(1), now: 0) == .compute)
    #expect(scheduler.runningCount == 1 && scheduler.promisedCount == 0)
    try scheduler.admit(lane: .batch, now: 0)
    let before = scheduler
    #expect(scheduler.startNow(job(2), now: 0) == nil)
    #expect(scheduler.promisedCount == before.promisedCount && scheduler.queuedCount == 0)
    scheduler.apply(.queued(job(2)), now: 0)
    scheduler.apply(.finished(id(1)), now: 0)
    try scheduler.admit(lane: .batch, now: 0)
    #expect(scheduler.startNow(job(3), now: 0) == nil)
    #expect(scheduler.decide(now: 0) == [.start(id(2), .compute)])
    scheduler.apply(.drained(true), now: 0)
    scheduler.apply(.finished(id(2)), now: 0)
    #expect(scheduler.startNow(job(3), now: 0) == nil)
  }

  @Test("a large job collects the slots that fall free; small ones behind it do not pass")
  func largeIsNotStarved() {
    var scheduler = scheduler()
    scheduler.apply(.queued(job(1)), now: 0)
    scheduler.apply(.queued(job(2)), now: 0)
    _ = scheduler.decide(now: 0)
    scheduler.apply(.queued(job(3, cores: .all)), now: 0)
    for number in 4...20 { scheduler.apply(.queued(job(number)), now: 0) }
    scheduler.apply(.finished(id(1)), now: 1)
    #expect(scheduler.decide(now: 1) == [])
    scheduler.apply(.finished(id(2)), now: 2)
    #expect(scheduler.decide(now: 2) == [.start(id(3), .compute)])
  }

  @Test("batch gets its turn after eight interactive starts in a row")
  func burst() {
    var scheduler = scheduler(slots: 1)
    scheduler.apply(.queued(job(100)), now: 0)
    for number in 1...30 { scheduler.apply(.queued(job(number, .interactive)), now: 0) }
    var computeStarts: [Identifier] = []
    for _ in 0..<30 {
      for case .start(let id, let slot) in scheduler.decide(now: 0) {
        if slot == .compute { computeStarts.append(id) }
        scheduler.apply(.finished(id), now: 0)
      }
    }
    #expect(computeStarts.firstIndex(of: id(100)) == 8)
  }

  @Test("memory keeps jobs apart that would not fit together")
  func memory() {
    var scheduler = scheduler()
    scheduler.apply(.queued(job(1, memory: 600)), now: 0)
    scheduler.apply(.queued(job(2, memory: 600)), now: 0)
    #expect(scheduler.decide(now: 0) == [.start(id(1), .compute)])
    scheduler.apply(.finished(id(1)), now: 1)
    #expect(scheduler.decide(now: 1) == [.start(id(2), .compute)])
  }

  @Test("a full queue refuses with the limit and a retry-after; promised places count")
  func bounded() throws {
    var scheduler = scheduler(queued: 2)
    scheduler.apply(.drained(true), now: 0)
    try scheduler.admit(lane: .batch, now: 0)
    try scheduler.admit(lane: .interactive, now: 0)
    let error = #expect(throws: QubusError.self) { try scheduler.admit(lane: .batch, now: 0) }
    #expect(error?.code == .queueCapacityExceeded)
    #expect(error?.details["limit"] == "2")
    #expect((error?.retryAfterMilliseconds ?? 0) >= 100)
    scheduler.apply(.withdrawn(.interactive), now: 0)
    try scheduler.admit(lane: .batch, now: 0)
  }

  @Test("a lane has its own limit")
  func laneLimit() throws {
    var scheduler = scheduler(lanes: [.batch: 1])
    scheduler.apply(.drained(true), now: 0)
    try scheduler.admit(lane: .batch, now: 0)
    scheduler.apply(.queued(job(1)), now: 0)
    #expect(throws: QubusError.self) { try scheduler.admit(lane: .batch, now: 0) }
    try scheduler.admit(lane: .interactive, now: 0)
  }

  @Test("the retry-after follows the rate at which jobs leave")
  func retryAfter() throws {
    var slow = scheduler(slots: 1, queued: 1)
    for number in 1...20 {
      slow.apply(.restored(job(number)), now: Microseconds(number) * 3_000_000)
      _ = slow.decide(now: Microseconds(number) * 3_000_000)
      slow.apply(.finished(id(number)), now: Microseconds(number) * 3_000_000)
    }
    slow.apply(.drained(true), now: 60_000_000)
    try slow.admit(lane: .batch, now: 60_000_000)
    let error = #expect(throws: QubusError.self) {
      try slow.admit(lane: .batch, now: 60_000_000)
    }
    let milliseconds = try #require(error?.retryAfterMilliseconds)
    #expect((2000...4000).contains(milliseconds))
  }

  @Test("a waiting job expires at its time, once, and leaves its place")
  func expiry() {
    var scheduler = scheduler(slots: 1)
    scheduler.apply(.queued(job(1)), now: 0)
    _ = scheduler.decide(now: 0)
    scheduler.apply(.queued(job(2, expiresAt: 100)), now: 0)
    scheduler.apply(.queued(job(3)), now: 0)
    #expect(scheduler.nextDeadline == 100)
    #expect(scheduler.decide(now: 99) == [])
    #expect(scheduler.decide(now: 100) == [.expire(id(2))])
    #expect(scheduler.decide(now: 200) == [])
    #expect(scheduler.position(of: id(3))?.overall == 1)
  }

  @Test("a running job is told to stop at its expiry or run limit, once")
  func stop() {
    var scheduler = scheduler()
    scheduler.apply(.queued(job(1, expiresAt: 500, runLimit: 100)), now: 0)
    _ = scheduler.decide(now: 10)
    #expect(scheduler.decide(now: 110) == [.stop(id(1), .runLimit)])
    #expect(scheduler.decide(now: 600) == [])
    #expect(scheduler.runningCount == 1)
  }

  @Test("drained devices start nothing, keep order, and go on")
  func drained() {
    var scheduler = scheduler()
    scheduler.apply(.drained(true), now: 0)
    scheduler.apply(.queued(job(1)), now: 0)
    #expect(scheduler.decide(now: 0) == [])
    #expect(scheduler.isDrained)
    scheduler.apply(.drained(false), now: 1)
    #expect(scheduler.decide(now: 1) == [.start(id(1), .compute)])
  }

  @Test("positions count interactive jobs before batch ones")
  func overall() {
    var scheduler = scheduler()
    scheduler.apply(.drained(true), now: 0)
    for number in 1...3 { scheduler.apply(.queued(job(number)), now: 0) }
    scheduler.apply(.queued(job(4, .interactive)), now: 0)
    #expect(scheduler.position(of: id(3))?.inLane == 3)
    #expect(scheduler.position(of: id(3))?.overall == 4)
    #expect(scheduler.position(of: id(4))?.overall == 1)
    #expect(scheduler.estimatedStart(of: id(3), now: 0) == 1_500_000)
    scheduler.apply(.canceled(id(1)), now: 0)
    #expect(scheduler.position(of: id(1)) == nil)
    #expect(scheduler.position(of: id(3))?.inLane == 2)
  }

  @Test("a million waiting jobs cost microseconds each, in the middle and at the ends")
  func million() throws {
    var scheduler = scheduler(queued: 1_000_000)
    scheduler.apply(.drained(true), now: 0)
    let clock = ContinuousClock()
    let fill = try clock.measure {
      for number in 1...1_000_000 {
        try scheduler.admit(lane: .batch, now: 0)
        scheduler.apply(.queued(job(number, expiresAt: 1 << 60)), now: 0)
      }
    }
    #expect(throws: QubusError.self) { try scheduler.admit(lane: .batch, now: 0) }
    #expect(scheduler.position(of: id(999_999))?.inLane == 999_999)
    let work = clock.measure {
      for number in 0..<10_000 {
        scheduler.apply(.canceled(id(500_000 + number * 7)), now: 0)
        _ = scheduler.position(of: id(1_000_000 - number))
      }
      scheduler.apply(.drained(false), now: 1)
      for _ in 0..<5000 {
        for case .start(let id, _) in scheduler.decide(now: 1) {
          scheduler.apply(.finished(id), now: 1)
        }
      }
    }
    #expect(scheduler.queuedCount == 1_000_000 - 20_000)
    // A scan of the queue for each of the 25,000 calls would take minutes.
    #expect(work < .seconds(2), "filled in \(fill)")
  }
}
