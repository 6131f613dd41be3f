import QubusCore
import Testing

@testable import QubusScheduler

/// Jobs that are not to have their turn.
@Suite struct SchedulerWithheldTests {
  private func scheduler(slots: Int = 1) -> Scheduler {
    Scheduler(
      capacity: SchedulerCapacity(computeSlots: slots, memoryBytes: 1000, jobsQueued: 100))
  }

  @Test("one lets others before it, counts as waiting, and has its turn when it is released")
  func waits() {
    var scheduler = scheduler()
    scheduler.apply(.queued(job(1)), now: 0)
    scheduler.apply(.queued(job(2)), now: 0)
    scheduler.apply(.withheld(id(1), .paused, since: 5), now: 6)
    #expect(scheduler.queuedCount == 2 && scheduler.position(of: id(1)) == nil)
    #expect(scheduler.decide(now: 7) == [.start(id(2), .compute)])
    let found = scheduler.explain(id(1), now: 8)
    #expect(found.map(\.kind) == [.paused] && found.map(\.since) == [5])
    scheduler.apply(.finished(id(2)), now: 9)
    #expect(scheduler.decide(now: 9) == [])
    scheduler.apply(.released(id(1), .paused), now: 10)
    #expect(scheduler.decide(now: 10) == [.start(id(1), .compute)])
    #expect(scheduler.queuedCount == 0)
  }

  @Test("what is noted before the job comes, holds; a release or a cancel takes it away")
  func before() {
    var scheduler = scheduler()
    scheduler.apply(.withheld(id(1), .paused, since: 0), now: 0)
    scheduler.apply(.restored(job(1)), now: 1)
    #expect(scheduler.decide(now: 1) == [] && scheduler.queuedCount == 1)
    scheduler.apply(.canceled(id(1)), now: 2)
    #expect(scheduler.queuedCount == 0)
    scheduler.apply(.withheld(id(2), .paused, since: 3), now: 3)
    scheduler.apply(.released(id(2), .paused), now: 4)
    scheduler.apply(.queued(job(2)), now: 5)
    #expect(scheduler.decide(now: 5) == [.start(id(2), .compute)])
  }

  @Test("it has its turn when the last of its causes is gone, each told with its own time")
  func causes() {
    var scheduler = scheduler()
    scheduler.apply(.withheld(id(1), .dependency, since: 2), now: 2)
    scheduler.apply(.queued(job(1)), now: 2)
    scheduler.apply(.withheld(id(1), .paused, since: 5), now: 5)
    let found = scheduler.explain(id(1), now: 6)
    #expect(found.map(\.kind) == [.paused, .dependency] && found.map(\.since) == [5, 2])
    scheduler.apply(.released(id(1), .paused), now: 7)
    #expect(scheduler.decide(now: 7) == [] && scheduler.queuedCount == 1)
    #expect(scheduler.explain(id(1), now: 7).map(\.kind) == [.dependency])
    // A cause that does not hold takes no other away.
    scheduler.apply(.released(id(1), .paused), now: 8)
    #expect(scheduler.decide(now: 8) == [])
    scheduler.apply(.released(id(1), .dependency), now: 9)
    #expect(scheduler.decide(now: 9) == [.start(id(1), .compute)])
  }

  @Test("one that was just given a slot waits when it has left it, unless it is canceled before")
  func returns() {
    var scheduler = scheduler()
    scheduler.apply(.queued(job(1)), now: 0)
    #expect(scheduler.decide(now: 0) == [.start(id(1), .compute)])
    scheduler.apply(.withheld(id(1), .paused, since: 1), now: 1)
    #expect(scheduler.queuedCount == 0)
    scheduler.apply(.finished(id(1)), now: 2)
    #expect(scheduler.queuedCount == 1 && scheduler.decide(now: 2) == [])
    scheduler.apply(.released(id(1), .paused), now: 3)
    #expect(scheduler.decide(now: 3) == [.start(id(1), .compute)])
    // Released before it has left its slot.
    scheduler.apply(.withheld(id(1), .paused, since: 4), now: 4)
    scheduler.apply(.released(id(1), .paused), now: 4)
    scheduler.apply(.finished(id(1)), now: 5)
    #expect(scheduler.decide(now: 5) == [.start(id(1), .compute)])
    scheduler.apply(.withheld(id(1), .paused, since: 6), now: 6)
    scheduler.apply(.canceled(id(1)), now: 6)
    scheduler.apply(.finished(id(1)), now: 7)
    #expect(scheduler.queuedCount == 0 && scheduler.runningCount == 0)
  }

  @Test("its time to live goes on, and it counts for the limit of the queue")
  func bounds() throws {
    var scheduler = Scheduler(
      capacity: SchedulerCapacity(computeSlots: 1, memoryBytes: 1000, jobsQueued: 1))
    try scheduler.admit(lane: .batch, now: 0)
    scheduler.apply(.queued(job(1, expiresAt: 10)), now: 0)
    scheduler.apply(.withheld(id(1), .paused, since: 0), now: 0)
    let error = #expect(throws: QubusError.self) { try scheduler.admit(lane: .batch, now: 1) }
    #expect(error?.code == .queueCapacityExceeded)
    #expect(scheduler.decide(now: 9) == [] && scheduler.nextDeadline == 10)
    #expect(scheduler.decide(now: 10) == [.expire(id(1))])
    #expect(scheduler.queuedCount == 0)
    scheduler.apply(.released(id(1), .paused), now: 11)
    #expect(scheduler.queuedCount == 0)
  }

  @Test("in any order of events none starts while it is withheld, and all start once at the end")
  func property() {
    for seed in UInt64(1)...40 {
      var random = SeededGenerator(state: seed)
      var scheduler = scheduler(slots: 2)
      var (withheld, running): (Set<Int>, Set<Int>) = ([], [])
      var starts = [Int](repeating: 0, count: 60)
      func settle(_ now: Microseconds) {
        for case .start(let id, _) in scheduler.decide(now: now) {
          let number = Int(id.low)
          #expect(!withheld.contains(number), "seed \(seed)")
          starts[number] += 1
          running.insert(number)
        }
      }
      for step in 0..<600 {
        let (number, now) = (Int.random(in: 0..<60, using: &random), Microseconds(step))
        if step % 10 == 0 { scheduler.apply(.queued(job(step / 10)), now: now) }
        switch Int.random(in: 0..<3, using: &random) {
        case 0 where !running.contains(number) && starts[number] == 0:
          withheld.insert(number)
          scheduler.apply(.withheld(id(number), .paused, since: now), now: now)
        case 1:
          withheld.remove(number)
          scheduler.apply(.released(id(number), .paused), now: now)
        default:
          if let ended = running.min() {
            running.remove(ended)
            scheduler.apply(.finished(id(ended)), now: now)
          }
        }
        settle(now)
      }
      for number in withheld.sorted() {
        withheld.remove(number)
        scheduler.apply(.released(id(number), .paused), now: 600)
      }
      settle(600)
      while let ended = running.min() {
        running.remove(ended)
        scheduler.apply(.finished(id(ended)), now: 601)
        settle(601)
      }
      #expect(starts.allSatisfy { $0 == 1 } && scheduler.queuedCount == 0, "seed \(seed)")
    }
  }

  @Test("one that is taken out for a change has no turn, and comes back as it is then")
  func takenOut() throws {
    let capacity = SchedulerCapacity(computeSlots: 1, memoryBytes: 1000, jobsQueued: 2)
    var scheduler = Scheduler(capacity: capacity, policy: try FairOrder(capacity: capacity))
    scheduler.apply(.queued(job(1)), now: 0)
    scheduler.apply(.queued(job(2)), now: 0)
    #expect(try scheduler.takeOut(id(1), for: .batch, now: 0)?.id == id(1))
    #expect(try scheduler.takeOut(id(1), for: .batch, now: 0) == nil)
    #expect(scheduler.queuedCount == 1 && scheduler.promisedCount == 1)
    #expect(scheduler.decide(now: 1) == [.start(id(2), .compute)])
    // One that runs is not taken.
    #expect(try scheduler.takeOut(id(2), for: .batch, now: 1) == nil)
    scheduler.apply(.queued(job(1, .batch)), now: 2)
    #expect(scheduler.queuedCount(in: .batch) == 1 && scheduler.promisedCount == 0)
    scheduler.apply(.withheld(id(1), .paused, since: 3), now: 3)
    #expect(try scheduler.takeOut(id(1), for: .long, now: 4) != nil)
    scheduler.apply(.queued(job(1, .long)), now: 5)
    scheduler.apply(.finished(id(2)), now: 6)
    #expect(scheduler.decide(now: 6) == [])
    #expect(scheduler.explain(id(1), now: 6).map(\.kind) == [.paused])
    #expect(scheduler.queuedCount(in: .long) == 1 && scheduler.queuedCount == 1)
    scheduler.apply(.released(id(1), .paused), now: 7)
    #expect(scheduler.decide(now: 7) == [.start(id(1), .compute)])
  }

  @Test("a full lane leaves it where it is")
  func fullLane() throws {
    let capacity = SchedulerCapacity(
      computeSlots: 1, memoryBytes: 1000, jobsQueued: 2, jobsQueuedPerLane: [.long: 1])
    var scheduler = Scheduler(capacity: capacity, policy: try FairOrder(capacity: capacity))
    scheduler.apply(.queued(job(1, .long)), now: 0)
    scheduler.apply(.queued(job(2, .batch)), now: 0)
    let error = #expect(throws: QubusError.self) {
      try scheduler.takeOut(id(2), for: .long, now: 0)
    }
    #expect(error?.code == .queueCapacityExceeded)
    #expect(scheduler.queuedCount(in: .batch) == 1 && scheduler.promisedCount == 0)
    // Its own place is one that it may have again, however full the queue is.
    #expect(try scheduler.takeOut(id(2), for: .batch, now: 0) != nil)
  }
}
