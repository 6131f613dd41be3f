import QubusCore
import Testing

@testable import QubusScheduler

/// A job that was taken out while its slot was already given to it.
@Suite struct SchedulerReturnTests {
  @Test("it waits again when it has left its slot, unless it is canceled before")
  func returns() {
    var scheduler = Scheduler(
      capacity: SchedulerCapacity(computeSlots: 1, memoryBytes: 1000, jobsQueued: 10))
    scheduler.apply(.queued(job(1)), now: 0)
    #expect(scheduler.decide(now: 0) == [.start(id(1), .compute)])
    scheduler.apply(.restored(job(1)), now: 1)
    #expect(scheduler.queuedCount == 0 && scheduler.decide(now: 1) == [])
    scheduler.apply(.finished(id(1)), now: 2)
    #expect(scheduler.queuedCount == 1)
    #expect(scheduler.decide(now: 2) == [.start(id(1), .compute)])
    scheduler.apply(.restored(job(1)), now: 3)
    scheduler.apply(.canceled(id(1)), now: 4)
    scheduler.apply(.finished(id(1)), now: 5)
    #expect(scheduler.queuedCount == 0 && scheduler.runningCount == 0)
  }
}
