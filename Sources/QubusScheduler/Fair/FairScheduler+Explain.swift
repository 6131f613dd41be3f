package import QubusCore

extension FairScheduler {
  /// Everything that keeps a waiting job from running now; empty for one that runs or is not known.
  package func explain(_ id: Identifier) -> [WaitConstraint] {
    guard let place = queue.jobs.place(of: id) else { return [] }
    let job = queue.jobs[place]
    return [offline, turn(of: job, at: place), room(for: job, at: place), stops(of: job)]
      .compactMap { $0 }
  }

  private var offline: WaitConstraint? {
    drainedSince.map {
      WaitConstraint(
        kind: .deviceOffline, since: $0, detail: "the device is drained and starts nothing",
        remedy: "an operator ends the drain")
    }
  }

  private func turn(of job: QueuedJob, at place: UInt32) -> WaitConstraint? {
    let (_, overall, microseconds) = queue.position(of: place)
    guard overall > 1, queue.head != place else { return nil }
    let seconds = (microseconds * 1e-6 * 10).rounded() / 10
    let remedy =
      job.isOverdue
      ? "it is overdue: only jobs that were due earlier go before it"
      : "its share, or its wait: it is overdue at \(job.overdueAt) µs and goes first then"
    return WaitConstraint(
      kind: .shareTurn, since: job.submittedAt,
      detail: "about \(overall - 1) jobs with \(seconds) core-seconds have their turn before it",
      remedy: remedy, delay: Microseconds(microseconds / Double(occupancy.cores)))
  }

  private func room(for job: QueuedJob, at place: UInt32) -> WaitConstraint? {
    guard occupancy.takes(job) else {
      return WaitConstraint(
        kind: .tooLarge, since: job.submittedAt,
        detail: "it takes \(job.cores) cores and \(job.memoryBytes) bytes; "
          + "\(occupancy.freeCores) and \(occupancy.freeMemoryBytes) are free",
        remedy: "fewer cores or less memory, or others that end",
        delay: occupancy.room(beside: job, now: queue.now).window)
    }
    guard let head = queue.head, head != place, !occupancy.takes(queue.jobs[head]) else {
      return nil
    }
    let room = occupancy.room(beside: queue.jobs[head], now: queue.now)
    guard !room.takes(job) else { return nil }
    return WaitConstraint(
      kind: .reserved, since: job.submittedAt,
      detail: "what is free is kept for a job whose turn is earlier",
      remedy: "a run time of at most \(room.window) µs, or \(max(0, room.spareCores)) cores",
      delay: room.window)
  }

  private func stops(of job: QueuedJob) -> WaitConstraint? {
    guard job.attained > 0 else { return nil }
    return WaitConstraint(
      kind: .preempted, since: job.submittedAt,
      detail: "it ran \(job.attained) µs and stopped at a border; it goes on from there",
      remedy: "its next turn")
  }
}
