import QubusCore
import Testing

@testable import QubusScheduler

/// Jobs of devices that start nothing.
@Suite struct SchedulerOfflineTests {
  private static let outage = DeviceOutage(
    since: 5, detail: "root drained it: a leak", remedy: "its end")

  private func scheduler(slots: Int = 1) throws -> Scheduler {
    let capacity = SchedulerCapacity(computeSlots: slots, memoryBytes: 1000, jobsQueued: 100_000)
    return Scheduler(capacity: capacity, policy: try FairOrder(capacity: capacity))
  }

  private func job(
    _ number: Int, on device: UInt16, lane: Lane = .batch, expiresAt: Microseconds? = nil
  ) -> SchedulerJob {
    SchedulerJob(
      id: id(number), tenant: "t", project: "p", principal: "a", lane: lane,
      predictedMicroseconds: 10, expiresAt: expiresAt, device: device)
  }

  @Test("they wait, the jobs of other devices do not, and their turn comes when it starts again")
  func waits() throws {
    var scheduler = try scheduler()
    scheduler.apply(.offline([1: Self.outage]), now: 6)
    scheduler.apply(.queued(job(1, on: 1)), now: 6)
    scheduler.apply(.queued(job(2, on: 0)), now: 7)
    #expect(scheduler.decide(now: 8) == [.start(id(2), .compute)])
    #expect(scheduler.queuedCount == 1 && scheduler.queuedCount(in: .batch) == 1)
    #expect(scheduler.position(of: id(1)) == nil)
    let found = scheduler.explain(id(1), now: 9)
    #expect(found.map(\.kind) == [.deviceOffline] && found.map(\.since) == [5])
    #expect(found.map(\.detail) == ["root drained it: a leak"])
    scheduler.apply(.finished(id(2)), now: 10)
    #expect(scheduler.decide(now: 10) == [])
    scheduler.apply(.offline([:]), now: 11)
    #expect(scheduler.decide(now: 11) == [.start(id(1), .compute)])
    #expect(scheduler.queuedCount == 0 && scheduler.explain(id(1), now: 12) == [])
  }

  @Test("one that runs goes on; one whose turn has not come yet is told so too")
  func running() throws {
    var scheduler = try scheduler()
    scheduler.apply(.queued(job(1, on: 1)), now: 0)
    scheduler.apply(.queued(job(2, on: 1)), now: 0)
    #expect(scheduler.decide(now: 0) == [.start(id(1), .compute)])
    scheduler.apply(.offline([1: Self.outage]), now: 6)
    #expect(scheduler.explain(id(2), now: 6).map(\.kind) == [.deviceOffline])
    #expect(scheduler.position(of: id(2)) == nil)
    #expect(scheduler.estimatedStart(of: id(2), now: 6) == nil)
    #expect(scheduler.decide(now: 6) == [] && scheduler.runningCount == 1)
    scheduler.apply(.finished(id(1)), now: 7)
    #expect(scheduler.decide(now: 7) == [])
    #expect(scheduler.startNow(job(3, on: 1), now: 8) == nil)
    #expect(scheduler.startNow(job(4, on: 0), now: 8) == .compute)
  }

  @Test("it can be canceled, withheld and released, and it expires meanwhile")
  func leaves() throws {
    var scheduler = try scheduler(slots: 4)
    scheduler.apply(.offline([1: Self.outage]), now: 0)
    for number in 1...3 {
      scheduler.apply(
        .queued(job(number, on: 1, expiresAt: number == 3 ? 50 : nil)), now: 0)
    }
    #expect(scheduler.decide(now: 0) == [] && scheduler.queuedCount == 3)
    scheduler.apply(.canceled(id(1)), now: 1)
    #expect(scheduler.queuedCount == 2)
    scheduler.apply(.withheld(id(2), .paused, since: 2), now: 2)
    #expect(scheduler.explain(id(2), now: 2).map(\.kind) == [.paused, .deviceOffline])
    #expect(scheduler.decide(now: 50) == [.expire(id(3))])
    scheduler.apply(.offline([:]), now: 60)
    #expect(scheduler.decide(now: 60) == [])
    scheduler.apply(.offline([1: Self.outage]), now: 61)
    scheduler.apply(.released(id(2), .paused), now: 62)
    #expect(scheduler.decide(now: 62) == [] && scheduler.queuedCount == 1)
    scheduler.apply(.offline([:]), now: 63)
    #expect(scheduler.decide(now: 63) == [.start(id(2), .compute)])
    #expect(scheduler.queuedCount == 0)
  }

  @Test("one that waits for its quota is taken aside too, and starts when both allow it")
  func parked() throws {
    var scheduler = try scheduler()
    let tenant = AccountPath(tenant: "t")
    scheduler.apply(.capped([tenant: SchedulerCap(jobs: 0)]), now: 0)
    scheduler.apply(.queued(job(1, on: 1)), now: 0)
    scheduler.apply(.queued(job(2, on: 0)), now: 0)
    #expect(Set(scheduler.decide(now: 0)) == [.hold(id(1)), .hold(id(2))])
    scheduler.apply(.offline([1: Self.outage]), now: 1)
    #expect(scheduler.explain(id(1), now: 1).map(\.kind) == [.deviceOffline, .quota])
    // What waits behind it in its line, and may run, is not kept by it.
    scheduler.apply(.capped([:]), now: 2)
    #expect(scheduler.decide(now: 2) == [.start(id(2), .compute)])
    scheduler.apply(.finished(id(2)), now: 3)
    scheduler.apply(.offline([:]), now: 3)
    #expect(scheduler.decide(now: 3) == [.start(id(1), .compute)])
  }

  @Test("however many there are, one call moves some and the next goes on at once")
  func many() throws {
    var scheduler = try scheduler()
    let count = 3 * Scheduler.movesPerCall
    scheduler.apply(.offline([1: Self.outage]), now: 0)
    for number in 1...count { scheduler.apply(.queued(job(number, on: 1)), now: 0) }
    scheduler.apply(.queued(job(count + 1, on: 0)), now: 0)
    var calls = 0
    func settle(at now: Microseconds) -> [SchedulerDecision] {
      var decisions: [SchedulerDecision] = []
      repeat {
        decisions += scheduler.decide(now: now)
        calls += 1
      } while scheduler.nextDeadline == now && calls < 100
      return decisions
    }
    #expect(settle(at: 1) == [.start(id(count + 1), .compute)])
    #expect(calls == 3 && scheduler.nextDeadline == nil)
    #expect(scheduler.queuedCount == count)
    // A service that is drained besides has nothing left to do.
    scheduler.apply(.finished(id(count + 1)), now: 2)
    scheduler.apply(.offline([:]), now: 2)
    #expect(scheduler.decide(now: 2) != [] && scheduler.nextDeadline == 2)
    scheduler.apply(.drained(true), now: 3)
    #expect(scheduler.decide(now: 3) == [] && scheduler.nextDeadline == nil)
    scheduler.apply(.drained(false), now: 4)
    #expect(settle(at: 4) == [] && scheduler.nextDeadline == nil)
    #expect(scheduler.queuedCount == count - 1)
  }
}
