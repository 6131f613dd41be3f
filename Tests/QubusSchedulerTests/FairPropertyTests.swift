import Foundation
import QubusCore
import Testing

@testable import QubusScheduler

/// Random lives of a device. `scripts/soak scheduler` runs a million of them; here are enough to
/// find a mistake in seconds.
@Suite struct FairPropertyTests {
  static let runs = ProcessInfo.processInfo.environment["QUBUS_SCHEDULER_RUNS"].flatMap { Int($0) }
  static let firstSeed =
    ProcessInfo.processInfo.environment["QUBUS_SCHEDULER_SEED"].flatMap { UInt64($0) } ?? 1

  /// - Parameter part: of the runs that were asked for; `count` of them when none were.
  static func seeds(_ count: Int, part: Double = 1) -> Range<UInt64> {
    firstSeed..<firstSeed + UInt64(runs.map { max(1, Int(Double($0) * part)) } ?? count)
  }

  @Test("no job starts twice, nothing is oversubscribed, every job ends, waits keep their bound")
  func lives() throws {
    var (preemptions, starts, overdue, closest) = (0, 0, 0, 0.0)
    for seed in Self.seeds(4000) {
      var run = try FairRun(seed: seed)
      run.run()
      let sound = run.violations.isEmpty
      #expect(sound, "seed \(seed): \(run.violations.prefix(3))")
      for life in run.lives.values {
        guard let start = life.firstStart else { continue }
        starts += 1
        let wait = Double(start - life.arrivesAt) * 1e-6
        let bound = run.bound(of: life)
        let isBounded = wait <= bound
        #expect(isBounded, "seed \(seed), job \(life.job.id): \(wait) s of \(bound)")
        // A run between two stops is a slice, and slices are not shorter than they may be.
        let most = Int(life.runTime / run.scheduler.policy.leastSlice)
        let isFinite = life.preemptions <= most
        #expect(isFinite, "seed \(seed), job \(life.job.id): \(life.preemptions) stops")
        preemptions += life.preemptions
        if wait > run.patience(of: life) { overdue += 1 }
        closest = max(closest, wait / bound)
      }
      #expect(run.slicesShort == 0, "seed \(seed)")
    }
    print(
      "scheduler lives: \(starts) starts, \(preemptions) stops, \(overdue) overdue, the longest "
        + "wait \(closest) of its bound")
    #expect(preemptions > 0 && overdue > 0, "the random lives are too easy")
  }

  @Test("the same seed gives the same decisions")
  func determinism() throws {
    for seed in Self.seeds(200, part: 0.05) {
      var first = try FairRun(seed: seed)
      var second = try FairRun(seed: seed)
      first.run()
      second.run()
      let isSame = first.decisions == second.decisions && !first.decisions.isEmpty
      #expect(isSame, "seed \(seed)")
    }
  }

  @Test("a clock that goes back changes nothing, whatever happens then")
  func clockGoesBack() throws {
    for seed in Self.seeds(200, part: 0.05) {
      var plain = try FairRun(seed: seed)
      var disturbed = try FairRun(seed: seed)
      plain.run()
      for end in stride(from: Microseconds(100_000), through: 1_000_000, by: 100_000) {
        disturbed.run(until: end)
        guard disturbed.scheduler.now > .min else { continue }
        let before = disturbed.scheduler.now - 1
        let isSilent = disturbed.scheduler.decide(now: before).isEmpty
        #expect(isSilent, "seed \(seed)")
        let late = FairJob(
          id: id(99_999), account: AccountPath(tenant: "t0"), submittedAt: 0)
        for event in [FairEvent.submitted(late), .drained(true)] {
          #expect(throws: QubusError.self, "seed \(seed)") {
            try disturbed.scheduler.apply(event, now: before)
          }
        }
      }
      disturbed.run()
      let isSame = plain.decisions == disturbed.decisions
      #expect(isSame, "seed \(seed)")
    }
  }
}
