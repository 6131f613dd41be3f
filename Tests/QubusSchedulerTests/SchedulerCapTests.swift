import QubusCore
import Testing

@testable import QubusScheduler

@Suite("Caps of what runs at one time")
struct SchedulerCapTests {
  private func scheduler(slots: Int = 4) -> Scheduler {
    Scheduler(
      capacity: SchedulerCapacity(
        computeSlots: slots, memoryBytes: 10_000, expressMemoryBytes: 100, jobsQueued: 1000))
  }

  private func job(
    _ number: Int, of principal: String, in project: String = "p", _ lane: Lane = .batch,
    memory: UInt64 = 0, expiresAt: Microseconds? = nil
  ) -> SchedulerJob {
    SchedulerJob(
      id: id(number), tenant: "t", project: project, principal: principal, lane: lane,
      memoryBytes: memory, expiresAt: expiresAt)
  }

  private let tenant = AccountPath(tenant: "t")
  private let project = AccountPath(tenant: "t", project: "p")
  private let alice = AccountPath(tenant: "t", project: "p", principal: "alice")

  @Test("a job over the cap waits, is told so once, and keeps nobody behind it waiting")
  func holds() {
    var scheduler = scheduler()
    scheduler.apply(.capped([alice: SchedulerCap(jobs: 1)]), now: 0)
    for number in 1...3 { scheduler.apply(.queued(job(number, of: "alice")), now: 0) }
    scheduler.apply(.queued(job(4, of: "bob")), now: 0)
    #expect(
      scheduler.decide(now: 0) == [
        .start(id(1), .compute), .hold(id(2)), .hold(id(3)), .start(id(4), .compute),
      ])
    #expect(scheduler.decide(now: 0) == [])
    #expect(scheduler.queuedCount == 2 && scheduler.queuedCount(in: .batch) == 2)
    scheduler.apply(.finished(id(1)), now: 1)
    #expect(scheduler.decide(now: 1) == [.start(id(2), .compute)])
    scheduler.apply(.finished(id(2)), now: 2)
    #expect(scheduler.decide(now: 2) == [.start(id(3), .compute)])
    #expect(scheduler.queuedCount == 0)
  }

  @Test("one that is held and changes lanes leaves nobody behind its old place")
  func changesLanes() throws {
    var scheduler = scheduler()
    scheduler.apply(.capped([alice: SchedulerCap(jobs: 1)]), now: 0)
    for number in 1...4 { scheduler.apply(.queued(job(number, of: "alice")), now: 0) }
    #expect(
      scheduler.decide(now: 0) == [
        .start(id(1), .compute), .hold(id(2)), .hold(id(3)), .hold(id(4)),
      ])
    var moved = try #require(try scheduler.takeOut(id(3), for: .long, now: 1))
    moved.lane = .long
    scheduler.apply(.queued(moved), now: 1)
    #expect(scheduler.decide(now: 1) == [.hold(id(3))])
    for (ended, next) in [(1, 2), (2, 4), (4, 3)] {
      scheduler.apply(.finished(id(ended)), now: 2)
      #expect(scheduler.decide(now: 2) == [.start(id(next), .compute)])
    }
    #expect(scheduler.queuedCount == 0)
  }

  @Test("those that had their turn go before those that wait, whatever came meanwhile")
  func order() {
    var scheduler = scheduler(slots: 1)
    scheduler.apply(.capped([alice: SchedulerCap(jobs: 0)]), now: 0)
    scheduler.apply(.queued(job(1, of: "alice")), now: 0)
    scheduler.apply(.queued(job(2, of: "bob")), now: 0)
    scheduler.apply(.queued(job(3, of: "bob")), now: 0)
    #expect(scheduler.decide(now: 0) == [.hold(id(1)), .start(id(2), .compute)])
    scheduler.apply(.capped([:]), now: 1)
    scheduler.apply(.finished(id(2)), now: 1)
    #expect(scheduler.decide(now: 1) == [.start(id(1), .compute)])
    scheduler.apply(.finished(id(1)), now: 2)
    #expect(scheduler.decide(now: 2) == [.start(id(3), .compute)])
  }

  @Test("caps of project and tenant count all of theirs; a cap that is set counts what runs")
  func nested() {
    var scheduler = scheduler()
    scheduler.apply(.queued(job(1, of: "alice")), now: 0)
    #expect(scheduler.decide(now: 0) == [.start(id(1), .compute)])
    scheduler.apply(
      .capped([project: SchedulerCap(jobs: 1), tenant: SchedulerCap(jobs: 2)]), now: 0)
    scheduler.apply(.queued(job(2, of: "bob")), now: 0)
    scheduler.apply(.queued(job(3, of: "nina", in: "q")), now: 0)
    scheduler.apply(.queued(job(4, of: "nina", in: "q")), now: 0)
    #expect(
      scheduler.decide(now: 0) == [.hold(id(2)), .start(id(3), .compute), .hold(id(4))])
    scheduler.apply(.finished(id(3)), now: 1)
    #expect(scheduler.decide(now: 1) == [.start(id(4), .compute)])
    scheduler.apply(.finished(id(1)), now: 2)
    #expect(scheduler.decide(now: 2) == [.start(id(2), .compute)])
  }

  @Test("memory is a cap too; a job that is larger by itself runs alone")
  func memory() {
    var scheduler = scheduler()
    scheduler.apply(.capped([alice: SchedulerCap(memoryBytes: 100)]), now: 0)
    scheduler.apply(.queued(job(1, of: "alice", memory: 60)), now: 0)
    scheduler.apply(.queued(job(2, of: "alice", memory: 60)), now: 0)
    scheduler.apply(.queued(job(3, of: "alice", memory: 500)), now: 0)
    #expect(
      scheduler.decide(now: 0) == [.start(id(1), .compute), .hold(id(2)), .hold(id(3))])
    scheduler.apply(.finished(id(1)), now: 1)
    #expect(scheduler.decide(now: 1) == [.start(id(2), .compute)])
    scheduler.apply(.finished(id(2)), now: 2)
    #expect(scheduler.decide(now: 2) == [.start(id(3), .compute)])
    #expect(scheduler.queuedCount == 0)
  }

  @Test("parked jobs are canceled and expire; others still start at once beside them")
  func leaving() throws {
    var scheduler = scheduler()
    scheduler.apply(.capped([alice: SchedulerCap(jobs: 0)]), now: 0)
    scheduler.apply(.queued(job(1, of: "alice")), now: 0)
    scheduler.apply(.queued(job(2, of: "alice", expiresAt: 10)), now: 0)
    #expect(scheduler.decide(now: 0) == [.hold(id(1)), .hold(id(2))])
    try scheduler.admit(lane: .batch, now: 0)
    #expect(scheduler.startNow(job(3, of: "bob"), now: 0) == .compute)
    try scheduler.admit(lane: .batch, now: 0)
    #expect(scheduler.startNow(job(4, of: "alice"), now: 0) == nil)
    scheduler.apply(.withdrawn(.batch), now: 0)
    scheduler.apply(.canceled(id(1)), now: 1)
    #expect(scheduler.decide(now: 10) == [.expire(id(2))])
    #expect(scheduler.queuedCount == 0)
    scheduler.apply(.capped([:]), now: 11)
    #expect(scheduler.decide(now: 11) == [])
  }

  @Test("caps are never passed and every job has its turn, in any history", arguments: 1...60)
  func property(seed: UInt64) throws {
    var random = SeededGenerator(state: seed)
    var scheduler = scheduler(slots: 3)
    let accounts = [tenant, project, alice]
    var caps: [AccountPath: SchedulerCap] = [:]
    var jobs: [Identifier: SchedulerJob] = [:]
    var running: Set<Identifier> = []
    var (finished, now): (Set<Identifier>, Microseconds) = ([], 0)
    func decide() {
      for decision in scheduler.decide(now: now) {
        guard case .start(let started, _) = decision, let job = jobs[started] else { continue }
        running.insert(started)
        for account in job.accounts {
          guard let limit = caps[account]?.jobs else { continue }
          let count = running.count { jobs[$0]?.accounts.contains(account) == true }
          #expect(count <= limit, "seed \(seed)")
        }
      }
    }
    for step in 0..<600 {
      now += 1
      switch Int.random(in: 0..<8, using: &random) {
      case 0:
        let account = accounts.randomElement(using: &random) ?? tenant
        caps[account] =
          Bool.random(using: &random)
          ? SchedulerCap(jobs: Int.random(in: 0...2, using: &random)) : nil
        scheduler.apply(.capped(caps), now: now)
      case 1...4:
        let new = job(
          step, of: ["alice", "bob"].randomElement(using: &random) ?? "bob",
          in: ["p", "q"].randomElement(using: &random) ?? "p",
          Bool.random(using: &random) ? .interactive : .batch)
        jobs[new.id] = new
        scheduler.apply(.queued(new), now: now)
      default:
        guard let done = running.sorted().randomElement(using: &random) else { continue }
        running.remove(done)
        finished.insert(done)
        scheduler.apply(.finished(done), now: now)
      }
      // A cap that was lowered stops nothing that runs.
      decide()
    }
    caps = [:]
    scheduler.apply(.capped([:]), now: now)
    decide()
    while let done = running.first {
      running.remove(done)
      finished.insert(done)
      scheduler.apply(.finished(done), now: now)
      decide()
    }
    #expect(finished == Set(jobs.keys), "seed \(seed)")
    #expect(scheduler.queuedCount == 0 && scheduler.runningCount == 0, "seed \(seed)")
  }
}
