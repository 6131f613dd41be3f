import QubusCore
import QubusSchedulerTraces
import Testing

@Suite("Replaying, on random traces")
struct ReplayPropertyTests {
  private static let seeds: [UInt64] = Array(1...150)
  private static let settings = Replay.Settings(chunk: 3_000_000, switchCost: 500_000)

  private func replay(_ trace: Trace, _ policy: ReplayPolicy) throws -> ReplayResult {
    try Replay.run(
      trace, through: try policy.scheduler(for: trace, settings: Self.settings),
      settings: Self.settings)
  }

  @Test("no processor is given twice", arguments: allPolicies)
  func processorsAreNotOversubscribed(policy: ReplayPolicy) throws {
    for seed in Self.seeds {
      let trace = try randomTrace(seed: seed)
      var changes: [(time: Microseconds, processors: Int)] = []
      for span in try replay(trace, policy).spans {
        changes.append((span.start, trace.jobs[span.job].processors))
        changes.append((span.end, -trace.jobs[span.job].processors))
      }
      // At one instant the ends come first.
      changes.sort { ($0.time, $0.processors) < ($1.time, $1.processors) }
      var used = 0
      for change in changes {
        used += change.processors
        #expect(used <= trace.processors, "seed \(seed)")
      }
      #expect(used == 0, "seed \(seed)")
    }
  }

  @Test(
    "every job gets its run time exactly, after it came, in spans that do not overlap",
    arguments: allPolicies)
  func workIsConserved(policy: ReplayPolicy) throws {
    for seed in Self.seeds {
      let trace = try randomTrace(seed: seed)
      let result = try replay(trace, policy)
      var served = Array(repeating: Microseconds(0), count: trace.jobs.count)
      var lastEnd = trace.jobs.map(\.submitted)
      var spanCounts = Array(repeating: 0, count: trace.jobs.count)
      for span in result.spans {
        #expect(span.start >= lastEnd[span.job], "seed \(seed), job \(span.job)")
        served[span.job] += span.end - span.start - span.switching
        lastEnd[span.job] = span.end
        spanCounts[span.job] += 1
      }
      #expect(served == trace.jobs.map(\.runTime), "seed \(seed)")
      #expect(lastEnd == result.outcomes.map(\.end), "seed \(seed)")
      #expect(spanCounts == result.outcomes.map { $0.preemptions + 1 }, "seed \(seed)")
    }
  }

  @Test("the same trace gives the same result", arguments: allPolicies)
  func isDeterministic(policy: ReplayPolicy) throws {
    for seed in Self.seeds.prefix(40) {
      let result = try replay(randomTrace(seed: seed), policy)
      #expect(try replay(randomTrace(seed: seed), policy) == result, "seed \(seed)")
    }
  }

  @Test("preemption happens, at whole chunks after the processors were taken")
  func preemptionIsAtBorders() throws {
    let policy = try #require(allPolicies.last)
    var preemptions = 0
    for seed in Self.seeds {
      let result = try replay(randomTrace(seed: seed), policy)
      for span in result.spans where span.end != result.outcomes[span.job].end {
        let service = span.end - span.start - span.switching
        #expect(service > 0 && service % Self.settings.chunk == 0, "seed \(seed)")
        preemptions += 1
      }
    }
    #expect(preemptions > 100)
  }

  @Test("first come, first served starts jobs in the order in which they came")
  func arrivalOrderHolds() throws {
    for seed in Self.seeds {
      let starts = try replay(randomTrace(seed: seed), .fifo).outcomes.map(\.firstStart)
      #expect(starts == starts.sorted(), "seed \(seed)")
    }
  }

  @Test("EASY never starts the first job later than it was promised, if estimates hold")
  func headIsNeverDelayed() throws {
    var promised = 0
    for seed in Self.seeds {
      let trace = try randomTrace(seed: seed, estimatesHold: true)
      let promises = PromiseLog()
      let result = try Replay.run(
        trace,
        through: PromiseSpy(
          scheduler: BackfillScheduler(
            order: ArrivalOrder(), processors: trace.processors, chunk: 1), log: promises))
      for (job, start) in promises.first {
        #expect(result.outcomes[job].firstStart <= start, "seed \(seed), job \(job)")
        promised += 1
      }
    }
    #expect(promised > 1000)
  }

  @Test("EASY answers as the slow, obvious reference does")
  func agreesWithReference() throws {
    for seed in Self.seeds {
      let trace = try randomTrace(seed: seed)
      let result = try Replay.run(
        trace, through: try ReplayPolicy.easy.scheduler(for: trace, settings: Replay.Settings()))
      #expect(
        result.outcomes.map(\.firstStart) == referenceBackfillStarts(trace), "seed \(seed)")
    }
  }
}

/// The first start that each job was promised.
final class PromiseLog: @unchecked Sendable {
  // One replay on one thread writes, and the test reads after it.
  var first: [Int: Microseconds] = [:]
}

/// Notes what a backfilling scheduler promises to the first job of its queue.
struct PromiseSpy: ReplayScheduler {
  var scheduler: BackfillScheduler<ArrivalOrder>
  let log: PromiseLog

  mutating func apply(_ event: ReplayEvent, now: Microseconds) {
    scheduler.apply(event, now: now)
  }
  mutating func decide(now: Microseconds) -> [ReplayDecision] {
    let decisions = scheduler.decide(now: now)
    if let (job, start) = scheduler.reservation, log.first[job] == nil { log.first[job] = start }
    return decisions
  }
}
