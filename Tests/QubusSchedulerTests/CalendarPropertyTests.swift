import QubusCore
import Testing

@testable import QubusScheduler

/// Random calendars of three devices over a random load, with changes while it runs.
@Suite struct CalendarPropertyTests {
  static let seeds: [UInt64] = (0..<60).map { $0 &* 0x9E37_79B9_7F4A_7C15 &+ 3 }
  private static let tenants = ["a", "b", "c"]

  private struct Run {
    var job: SchedulerJob
    var startedAt: Microseconds
    var endsAt: Microseconds
  }

  /// One life: every run ends within its p90. Windows are made far enough ahead that no run which
  /// was started before reaches into one, as of today's rules nothing stops it.
  private struct Life {
    var decisions: [SchedulerDecision] = []
    var runs: [Run] = []
    /// As they were in the end; canceled ones as far as they were in force.
    var windows: [CalendarWindow] = []
    var overtaken = 0
    var left = 0

    init(seed: UInt64) throws {
      var random = SeededGenerator(state: seed)
      let capacity = SchedulerCapacity(
        computeSlots: Int.random(in: 1...3, using: &random), memoryBytes: 1000,
        expressMemoryBytes: 100, jobsQueued: 100_000)
      var scheduler = Scheduler(capacity: capacity, policy: try FairOrder(capacity: capacity))
      var running: [Run] = []
      var active: [CalendarWindow] = []
      var jobs: [Identifier: SchedulerJob] = [:]
      var (now, number): (Microseconds, Int) = (0, 0)
      for step in 0..<3000 {
        now += Microseconds.random(in: 0...60, using: &random)
        for index in running.indices.reversed() where running[index].endsAt <= now {
          scheduler.apply(.finished(running[index].job.id), now: now)
          runs.append(running.remove(at: index))
        }
        switch Int.random(in: 0..<12, using: &random) {
        case 0..<7 where step < 2500:
          number += 1
          let predicted = Microseconds.random(in: 1...200, using: &random)
          let new = SchedulerJob(
            id: id(number), tenant: CalendarPropertyTests.tenants.randomElement(using: &random)!,
            project: "p", principal: Bool.random(using: &random) ? "u" : "v",
            lane: [.interactive, .batch, .long].randomElement(using: &random)!,
            cores: Int.random(in: 0..<6, using: &random) == 0 ? .all : .one,
            predictedMicroseconds: predicted, device: UInt16.random(in: 0..<3, using: &random))
          jobs[new.id] = new
          scheduler.apply(.queued(new), now: now)
        case 7 where step < 2500:
          let startsAt = now + Microseconds.random(in: 400...2000, using: &random)
          let new = CalendarWindow(
            id: id(1_000_000 + step), device: UInt16.random(in: 0..<3, using: &random),
            kind: CalendarWindow.Kind.allCases.randomElement(using: &random)!,
            startsAt: startsAt,
            endsAt: startsAt + Microseconds.random(in: 50...1500, using: &random))
          var window = new
          if window.kind == .reserved {
            window.isShared = Bool.random(using: &random)
            window.holder = AccountPath(
              tenant: CalendarPropertyTests.tenants.randomElement(using: &random)!, project: "p",
              principal: Bool.random(using: &random) ? "u" : nil)
          }
          let isFree = !active.contains {
            $0.device == window.device && $0.startsAt < window.endsAt
              && window.startsAt < $0.endsAt
          }
          if isFree { active.append(window) }
          scheduler.apply(.scheduled(active), now: now)
        case 8 where !active.isEmpty && Int.random(in: 0..<4, using: &random) == 0:
          var gone = active.remove(at: Int.random(in: 0..<active.count, using: &random))
          gone.endsAt = min(gone.endsAt, now)
          if gone.startsAt < gone.endsAt { windows.append(gone) }
          scheduler.apply(.scheduled(active), now: now)
        default: break
        }
        var made = scheduler.decide(now: now)
        if Int.random(in: 0..<20, using: &random) == 0 {
          // A clock that goes back for a moment.
          let earlier = max(0, now - Microseconds.random(in: 0...500, using: &random))
          made += scheduler.decide(now: earlier)
        }
        decisions += made
        for case .start(let started, _) in made {
          guard let job = jobs[started] else { continue }
          if let open = scheduler.calendar.openReservation(of: job.device), open.isShared,
            !open.isHeld(by: job), scheduler.policy.nextReserved(for: .compute) != nil,
            scheduler.policy.reservedCount(on: job.device) > 0, job.lane != .interactive
          {
            overtaken += 1
          }
          let long = job.longMicroseconds
          running.append(
            Run(
              job: job, startedAt: now,
              endsAt: now + Microseconds.random(in: 1...max(1, long), using: &random)))
        }
      }
      runs += running
      windows += active
      left = scheduler.queuedCount
    }
  }

  @Test(
    "no job of somebody else runs in an exclusive window while p90s hold, and none before holders",
    arguments: seeds)
  func exclusive(seed: UInt64) throws {
    let life = try Life(seed: seed)
    #expect(life.runs.count > 300 && life.windows.count > 20, "seed \(seed)")
    #expect(Set(life.runs.map(\.job.id)).count == life.runs.count, "seed \(seed)")
    var own = 0
    for window in life.windows where !window.isShared {
      for run in life.runs
      where run.job.device == window.device && run.startedAt < window.endsAt
        && window.startsAt < run.endsAt
      {
        #expect(window.isHeld(by: run.job), "seed \(seed): \(run.job.id) in \(window)")
        own += 1
      }
    }
    #expect(own > 0, "seed \(seed)")
    #expect(life.overtaken == 0, "seed \(seed)")
  }

  @Test("the same seed gives the same decisions", arguments: seeds.prefix(8))
  func determinism(seed: UInt64) throws {
    let (first, second) = (try Life(seed: seed), try Life(seed: seed))
    #expect(first.decisions == second.decisions && first.decisions.count > 500, "seed \(seed)")
  }
}
