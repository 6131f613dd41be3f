package import QubusCore

/// Decides which jobs run when on one device. A pure value: it learns from events and answers
/// decisions, and given the same log of calls it answers the same. No threads, storage, circuits.
///
/// Every call is O(log n) in waiting jobs and O(r) in running ones, besides what it answers; behind
/// a head that does not fit a bounded number of jobs is looked at.
/// - Source: docs/scheduling.md.
package struct FairScheduler: Sendable {
  var queue: FairQueue
  var occupancy: Occupancy
  var checkpoints: [Identifier: Checkpoint] = [:]
  /// The one that others were asked to make room for: whatever falls free is kept for it.
  var pledge: Identifier?
  /// Since when the device starts nothing; nil while it does.
  package private(set) var drainedSince: Microseconds?
  package var isDrained: Bool { drainedSince != nil }
  /// Times that a job made room for another.
  package private(set) var preemptions = 0

  /// - Parameter memoryBytes: 0 when jobs are not bound by memory.
  /// - Throws: `invalid_configuration` naming the rule and its limit.
  package init(
    policy: FairPolicy = FairPolicy(), cores: Int, memoryBytes: UInt64 = 0
  ) throws(QubusError) {
    queue = try FairQueue(policy: policy, cores: cores, memoryBytes: memoryBytes)
    occupancy = Occupancy(cores: cores, memoryBytes: memoryBytes)
  }

  package var policy: FairPolicy { queue.policy }
  package var queuedCount: Int { queue.count }
  package var runningCount: Int { occupancy.running.count }
  package var freeCores: Int { occupancy.freeCores }
  /// Latest time seen; nothing may be told with an earlier one.
  package var now: Microseconds { queue.now }

  /// Device-seconds of an account, worth what its half-life left of them.
  package func used(by account: AccountPath) -> Double { queue.used(by: account) }

  /// What the store kept of an earlier life: use of principals, as `used(by:)` told it, already
  /// aged.
  package mutating func restoreUse(_ use: [AccountPath: Double], now: Microseconds) {
    queue.advance(to: now)
    queue.restore(use)
  }

  /// - Throws: `invalid_request` for what cannot be, with the state as it was: a time before the
  ///   last one, a job that waits or runs already, a deadline before the submit;
  ///   `no_acceptable_device` for a job that is larger than the device; `job_not_found`;
  ///   `illegal_transition`;
  ///   `invalid_configuration` for a weight that is not above 0.
  package mutating func apply(_ event: FairEvent, now: Microseconds) throws(QubusError) {
    guard now >= queue.now else {
      throw QubusError(
        .invalidRequest, "the clock went back from \(queue.now) to \(now) µs; nothing was changed")
    }
    switch event {
    case .submitted(let job):
      try check(job, now: now)
      queue.advance(to: now)
      submit(job)
    case .canceled(let id):
      guard let place = queue.jobs.place(of: id) else { throw notWaiting(id) }
      queue.advance(to: now)
      _ = queue.take(place)
      checkpoints[id] = nil
      if pledge == id { pledge = nil }
    case .finished(let id):
      guard occupancy.running[id] != nil else { throw notRunning(id) }
      queue.advance(to: now)
      _ = end(id, now: now)
    case .yielded(let id, let checkpoint):
      guard let running = occupancy.running[id], running.job.isPreemptible else {
        throw notRunning(id)
      }
      queue.advance(to: now)
      putBack(id, checkpoint, now: now)
    case .weighted(let path, let weight):
      try queue.setWeight(weight, of: path)
      queue.advance(to: now)
    case .drained(let drained):
      queue.advance(to: now)
      drainedSince = drained ? drainedSince ?? now : nil
    }
  }

  private func check(_ job: FairJob, now: Microseconds) throws(QubusError) {
    guard queue.jobs.place(of: job.id) == nil, occupancy.running[job.id] == nil else {
      throw QubusError(.invalidRequest, "the job \(job.id) waits or runs already")
    }
    guard job.cores > 0, job.submittedAt <= now, job.attainedMicroseconds >= 0,
      job.expectedMicroseconds >= 0
    else {
      throw QubusError(
        .invalidRequest,
        "the job \(job.id) takes \(job.cores) cores, was submitted at \(job.submittedAt) of \(now) "
          + "µs, ran \(job.attainedMicroseconds) of \(job.expectedMicroseconds) µs: cores must be "
          + "above 0, times at least 0 and its submit in the past")
    }
    if let deadline = job.deadline, deadline < job.submittedAt {
      throw QubusError(
        .invalidRequest,
        "the deadline \(deadline) of the job \(job.id) lies before its submit \(job.submittedAt)",
        violations: [FieldViolation(field: "deadline", explanation: "before the submit")])
    }
    guard job.cores <= occupancy.cores,
      occupancy.memoryBytes == 0 || job.memoryBytes <= occupancy.memoryBytes
    else {
      throw QubusError(
        .noAcceptableDevice,
        "the job \(job.id) takes \(job.cores) cores and \(job.memoryBytes) bytes; the device has "
          + "\(occupancy.cores) and \(occupancy.memoryBytes)")
    }
  }

  private func notWaiting(_ id: Identifier) -> QubusError {
    occupancy.running[id] == nil
      ? QubusError(.jobNotFound, "the job \(id) neither waits nor runs")
      : QubusError(.illegalTransition, "the job \(id) runs; it is to be stopped, then finished")
  }

  private func notRunning(_ id: Identifier) -> QubusError {
    queue.jobs.place(of: id) == nil
      && occupancy.running[id] == nil
      ? QubusError(.jobNotFound, "the job \(id) neither waits nor runs")
      : QubusError(.illegalTransition, "the job \(id) does not run, or not in slices")
  }

  private mutating func submit(_ job: FairJob) {
    let leaf = queue.leaf(of: job.account, in: job.lane)
    let overdueAt = queue.overdueTime(
      job.lane, expected: job.expectedMicroseconds, submittedAt: job.submittedAt,
      deadline: job.deadline, left: job.longMicroseconds - job.attainedMicroseconds)
    var queued = QueuedJob(
      id: job.id, submittedAt: job.submittedAt, overdueAt: overdueAt,
      expected: job.expectedMicroseconds,
      long: job.longMicroseconds > 0 ? job.longMicroseconds : .max / 4,
      attained: job.attainedMicroseconds,
      memoryBytes: occupancy.memoryBytes == 0 ? 0 : job.memoryBytes, cores: UInt32(job.cores),
      leaf: leaf, lane: job.lane, isPreemptible: job.isPreemptible)
    if job.isPreemptible {
      // As many slices as it would have had by now.
      let first = queue.policy.slice(0, in: job.lane)
      var attained = job.attainedMicroseconds
      while attained >= queue.policy.slice(Int(queued.slices), in: job.lane), queued.slices < 32 {
        attained -= queue.policy.slice(Int(queued.slices), in: job.lane)
        queued.slices += 1
      }
      queued.long = min(
        queued.long, max(first, queue.policy.slice(Int(queued.slices), in: job.lane)))
    }
    if let checkpoint = job.checkpoint { checkpoints[job.id] = checkpoint }
    queue.add(queued)
  }

  private mutating func end(_ id: Identifier, now: Microseconds) -> RunningJob? {
    guard let ended = occupancy.end(id) else { return nil }
    let used = queue.demand(ended.job) * Double(now - ended.startedAt) * 1e-6
    queue.settle(ended.charge, used: used)
    return ended
  }

  private mutating func putBack(
    _ id: Identifier, _ checkpoint: Checkpoint?, now: Microseconds
  ) {
    guard let ended = end(id, now: now) else { return }
    var job = ended.job
    job.attained += now - ended.startedAt
    if let end = ended.sliceEndsAt, now >= end { job.slices = min(32, job.slices + 1) }
    job.long = queue.policy.slice(Int(job.slices), in: job.lane)
    checkpoints[id] = checkpoint ?? ended.checkpoint
    if ended.isYielding { preemptions += 1 }
    queue.add(job)
  }
}
