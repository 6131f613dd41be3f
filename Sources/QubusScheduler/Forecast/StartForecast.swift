internal import HeapModule
package import QubusCore

/// A job as a rollout knows it.
package struct RolloutJob: Sendable, Hashable {
  package var id: Identifier
  /// Of the run under way, or the one that begins.
  package var startedAt: Microseconds
  /// Of its run time; 0 when nothing is known.
  package var median: Microseconds
  package var long: Microseconds
}

/// A scheduler that can be carried on alone to see what it will do: the very value that decides.
/// Jobs run to their end in it.
package protocol RolloutScheduler: Sendable {
  var rolloutRunning: [RolloutJob] { get }
  /// A job that waits for its turn; nil for one that does not, or that somebody keeps from it.
  func rolloutWaiting(_ id: Identifier) -> RolloutJob?
  /// How long it will wait, by the work before it alone.
  func rolloutRoughWait(_ id: Identifier) -> Microseconds?
  /// Places of waiting jobs, taken or not: what a copy of it costs.
  var rolloutSize: Int { get }
  /// What may have to be decided though nothing ends before.
  var rolloutNextTime: Microseconds? { get }
  /// Decides, and answers what starts.
  mutating func rolloutDecide(now: Microseconds) -> [RolloutJob]
  mutating func rolloutEnd(_ id: Identifier, now: Microseconds)
}

/// When a waiting job will start and end, before any correction by experience.
package struct StartForecast: Sendable, Hashable {
  package var start: TimeBand
  package var end: TimeBand
  /// 0: by the work before it alone.
  package var rollouts: Int

  /// What a forecast may cost.
  package struct Bounds: Sendable, Hashable {
    package var rollouts = 8...48
    /// Starts that are carried out in all rollouts together, as far as `rollouts` lets it.
    package var starts = 8000
    /// Starts after which a rollout goes on by the work before the job alone.
    package var depth = 1000
    /// Places of waiting jobs up to which the scheduler is copied at all.
    package var size = 8192

    package init() {}
  }

  /// Carries copies of the scheduler on, each with run times of its own drawn from the learned
  /// ones, until the job starts. Nobody else comes meanwhile; what that changes, experience has to
  /// correct (`ConformalBand`). The same seed gives the same forecast.
  /// - Returns: nil for a job that does not wait for its turn, or waits for what nobody foresees.
  package init?(
    of id: Identifier, in scheduler: some RolloutScheduler, now: Microseconds, seed: UInt64,
    bounds: Bounds = Bounds()
  ) {
    guard let job = scheduler.rolloutWaiting(id), let rough = scheduler.rolloutRoughWait(id) else {
      return nil
    }
    let law = RunTimeLaw(median: job.median, long: job.long)
    guard scheduler.rolloutSize <= bounds.size else {
      let start = TimeBand(p10: now + rough / 2, p50: now + rough, p90: now + 2 * rough)
      let runs = TimeBand([0.1, 0.5, 0.9].map { law.time(longerThan: 0, $0) })
      self.start = start
      end = TimeBand(
        p10: start.p10 + runs.p10, p50: start.p50 + runs.p50, p90: start.p90 + runs.p90)
      rollouts = 0
      return
    }
    var random = RolloutRandom(state: seed)
    var (starts, ends): ([Microseconds], [Microseconds]) = ([], [])
    var carriedOut = 0
    while starts.count < bounds.rollouts.lowerBound
      || starts.count < bounds.rollouts.upperBound && carriedOut < bounds.starts
    {
      var rollout = Rollout(scheduler, now: now)
      guard let start = rollout.start(of: id, depth: bounds.depth, &random) else { return nil }
      carriedOut += 1 + rollout.starts
      starts.append(start)
      ends.append(start + law.time(longerThan: 0, random.uniform()))
    }
    start = TimeBand(starts)
    end = TimeBand(ends)
    rollouts = starts.count
  }
}

/// SplitMix64.
/// - Source: Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators".
struct RolloutRandom: Sendable {
  var state: UInt64

  /// In (0, 1).
  mutating func uniform() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return (Double((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53
  }
}

/// One way in which it may go.
private struct Rollout<Scheduler: RolloutScheduler> {
  private struct End: Comparable {
    var time: Microseconds
    var id: Identifier

    static func < (a: End, b: End) -> Bool {
      a.time != b.time ? a.time < b.time : a.id < b.id
    }
  }
  private var scheduler: Scheduler
  private var ends = Heap<End>()
  private var now: Microseconds
  /// Jobs that started so far.
  private(set) var starts = 0

  init(_ scheduler: Scheduler, now: Microseconds) {
    self.scheduler = scheduler
    self.now = now
  }

  /// Nil when it never starts.
  mutating func start(
    of id: Identifier, depth: Int, _ random: inout RolloutRandom
  ) -> Microseconds? {
    for job in scheduler.rolloutRunning.sorted(by: { $0.id < $1.id }) { run(job, &random) }
    while true {
      for job in scheduler.rolloutDecide(now: now) {
        if job.id == id { return now }
        starts += 1
        run(job, &random)
      }
      // It left unstarted: it expired.
      guard let rough = scheduler.rolloutRoughWait(id) else { return now }
      if starts >= depth { return now + rough }
      // With nothing left to end, it waits for somebody's word.
      guard let next = [ends.min?.time, scheduler.rolloutNextTime].compactMap({ $0 }).min() else {
        return nil
      }
      now = max(now, next)
      while let end = ends.min, end.time <= now {
        ends.removeMin()
        scheduler.rolloutEnd(end.id, now: now)
      }
    }
  }

  private mutating func run(_ job: RolloutJob, _ random: inout RolloutRandom) {
    let law = RunTimeLaw(median: job.median, long: job.long)
    let time = law.time(longerThan: max(0, now - job.startedAt), random.uniform())
    ends.insert(End(time: job.startedAt + time, id: job.id))
  }
}
