internal import HeapModule
package import QubusCore

/// Replays a trace through a policy in virtual time: N processors shared in space by rigid jobs.
///
/// Deterministic, O(log n) per event besides the policy. What happens at one instant is told first
/// (ends, borders, arrivals, each in order of the trace), then the policy decides once.
package struct Replay {
  package struct Settings: Sendable, Hashable {
    package enum Estimates: String, Sendable, CaseIterable {
      /// What the users asked for; the run time where they did not.
      case requested
      case actual
    }
    package var estimates: Estimates
    /// A job can make room after a whole number of these since it took its processors.
    package var chunk: Microseconds
    /// What a preempted job costs when it comes back, in time on its processors.
    package var switchCost: Microseconds

    package init(
      estimates: Estimates = .requested, chunk: Microseconds = 1_000_000,
      switchCost: Microseconds = 0
    ) {
      self.estimates = estimates
      self.chunk = chunk
      self.switchCost = switchCost
    }
  }

  private struct Job {
    /// Up to the last stop.
    var served: Microseconds = 0
    var isWaiting = false
    /// Start of the span that runs now, and the time that it lost to bringing the job back.
    var start: Microseconds?
    var switching: Microseconds = 0
    /// When the slice that runs now began to serve.
    var began: Microseconds = 0
    /// Served time at which that slice ends.
    var stopAt: Microseconds = 0
    var generation = 0
    var stoppedAt: Microseconds?
    var firstStart: Microseconds?
    var end: Microseconds = 0
    var preemptions = 0
  }

  /// The end of a slice.
  private struct Event: Comparable {
    var time: Microseconds
    var job: Int
    var generation: Int

    static func < (a: Event, b: Event) -> Bool {
      a.time != b.time ? a.time < b.time : a.job < b.job
    }
  }

  private let trace: Trace
  private let settings: Settings
  private var jobs: [Job]
  private var events = Heap<Event>()
  private var nextArrival = 0
  private var freeProcessors: Int
  private var unfinishedCount: Int
  /// Jobs that stopped at this instant: their span goes on if they start again before time does.
  private var stopped: [Int] = []
  private var spans: [RunSpan] = []
  private var decisionCount = 0

  private init(_ trace: Trace, _ settings: Settings) {
    self.trace = trace
    self.settings = settings
    jobs = Array(repeating: Job(), count: trace.jobs.count)
    freeProcessors = trace.processors
    unfinishedCount = trace.jobs.count
    spans.reserveCapacity(trace.jobs.count)
  }

  /// - Throws: `invalid_request` for settings without sense; `internal_error` when the policy
  ///   starts what does not wait, takes more processors than are free, or leaves jobs waiting for
  ///   ever.
  package static func run(
    _ trace: Trace, through scheduler: any ReplayScheduler, settings: Settings = Settings()
  ) throws(QubusError) -> ReplayResult {
    guard settings.chunk > 0, settings.switchCost >= 0 else {
      throw .field(
        .invalidRequest, settings.chunk > 0 ? "switch cost" : "chunk", "is too small",
        limit: settings.chunk > 0 ? "0 µs or more" : "1 µs or more")
    }
    var replay = Replay(trace, settings)
    var scheduler = scheduler
    try replay.run(through: &scheduler)
    return ReplayResult(
      outcomes: replay.jobs.map {
        JobOutcome(firstStart: $0.firstStart ?? 0, end: $0.end, preemptions: $0.preemptions)
      }, spans: replay.spans, decisionCount: replay.decisionCount)
  }

  private mutating func run(through scheduler: inout any ReplayScheduler) throws(QubusError) {
    var now: Microseconds = 0
    while unfinishedCount > 0 {
      guard let next = nextTime(scheduler.nextDecision, now: now) else {
        throw QubusError(
          .internalError, "the policy leaves \(unfinishedCount) jobs waiting with nothing running")
      }
      now = next
      try applyDue(now, to: &scheduler)
      for decision in scheduler.decide(now: now) { try carryOut(decision, now: now) }
      closeStopped()
    }
  }

  private func nextTime(_ decision: Microseconds?, now: Microseconds) -> Microseconds? {
    var next = events.min?.time
    if nextArrival < trace.jobs.count {
      next = min(next ?? .max, trace.jobs[nextArrival].submitted)
    }
    if let decision, decision > now { next = min(next ?? .max, decision) }
    return next
  }

  private mutating func applyDue(
    _ now: Microseconds, to scheduler: inout any ReplayScheduler
  ) throws(QubusError) {
    while let event = events.min, event.time <= now {
      _ = events.removeMin()
      guard jobs[event.job].generation == event.generation else { continue }
      try scheduler.apply(release(event.job, now: now), now: now)
    }
    while nextArrival < trace.jobs.count, trace.jobs[nextArrival].submitted <= now {
      jobs[nextArrival].isWaiting = true
      try scheduler.apply(.arrived(replayJob(nextArrival)), now: now)
      nextArrival += 1
    }
  }

  private func replayJob(_ index: Int) -> ReplayJob {
    let job = trace.jobs[index]
    let estimate =
      switch settings.estimates {
      case .requested: job.requestedTime ?? job.runTime
      case .actual: job.runTime
      }
    return ReplayJob(
      index: index, submitted: job.submitted, processors: job.processors, user: job.user,
      estimate: estimate, runTime: job.runTime)
  }

  /// A job gives its processors back.
  private mutating func release(_ index: Int, now: Microseconds) -> ReplayEvent {
    freeProcessors += trace.jobs[index].processors
    jobs[index].served = jobs[index].stopAt
    jobs[index].generation += 1
    if jobs[index].served == trace.jobs[index].runTime {
      closeSpan(index, at: now)
      jobs[index].end = now
      unfinishedCount -= 1
      return .finished(index)
    }
    jobs[index].isWaiting = true
    jobs[index].stoppedAt = now
    stopped.append(index)
    return .stopped(index, served: jobs[index].served)
  }

  /// Spans of jobs that stopped and did not go on are over, and the jobs are preempted.
  private mutating func closeStopped() {
    for index in stopped {
      guard let at = jobs[index].stoppedAt else { continue }
      closeSpan(index, at: at)
      jobs[index].stoppedAt = nil
      jobs[index].preemptions += 1
    }
    stopped.removeAll(keepingCapacity: true)
  }

  private mutating func closeSpan(_ index: Int, at end: Microseconds) {
    guard let start = jobs[index].start else { return }
    spans.append(
      RunSpan(job: index, start: start, end: end, switching: jobs[index].switching))
    jobs[index].start = nil
  }

  private mutating func carryOut(
    _ decision: ReplayDecision, now: Microseconds
  ) throws(QubusError) {
    decisionCount += 1
    switch decision {
    case .start(let index, let slice): try start(index, slice: slice, now: now)
    case .preempt(let index):
      guard jobs.indices.contains(index), !jobs[index].isWaiting, jobs[index].start != nil else {
        throw QubusError(.internalError, "the policy preempts job \(index), which does not run")
      }
      preempt(index, now: now)
    }
  }

  private mutating func start(
    _ index: Int, slice: Microseconds?, now: Microseconds
  ) throws(QubusError) {
    guard jobs.indices.contains(index), jobs[index].isWaiting else {
      throw QubusError(.internalError, "the policy starts job \(index), which does not wait")
    }
    guard trace.jobs[index].processors <= freeProcessors, (slice ?? 1) > 0 else {
      throw QubusError(
        .internalError,
        "the policy starts job \(index) on \(trace.jobs[index].processors) processors for "
          + "\(slice ?? 0) µs while \(freeProcessors) are free")
    }
    freeProcessors -= trace.jobs[index].processors
    jobs[index].isWaiting = false
    jobs[index].began = now
    if jobs[index].stoppedAt == nil {
      jobs[index].start = now
      jobs[index].switching = jobs[index].firstStart == nil ? 0 : settings.switchCost
      jobs[index].began += jobs[index].switching
      jobs[index].firstStart = jobs[index].firstStart ?? now
    }
    jobs[index].stoppedAt = nil
    let left = trace.jobs[index].runTime - jobs[index].served
    stop(index, after: min(left, slice ?? left))
  }

  /// The end of the slice moves to the next chunk border.
  private mutating func preempt(_ index: Int, now: Microseconds) {
    let chunks = max(1, (now - jobs[index].began + settings.chunk - 1) / settings.chunk)
    if jobs[index].served + chunks * settings.chunk < jobs[index].stopAt {
      stop(index, after: chunks * settings.chunk)
    }
  }

  private mutating func stop(_ index: Int, after service: Microseconds) {
    jobs[index].stopAt = jobs[index].served + service
    jobs[index].generation += 1
    events.insert(
      Event(
        time: jobs[index].began + service, job: index,
        generation: jobs[index].generation))
  }
}
