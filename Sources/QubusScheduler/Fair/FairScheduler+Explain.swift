package import QubusCore

extension FairScheduler {
  /// Everything that keeps a waiting job from running now; empty for one that runs or is not known.
  package func explain(_ id: Identifier) -> [WaitConstraint] {
    guard let place = queue.jobs.place(of: id) else { return [] }
    let job = queue.jobs[place]
    return [
      drainedSince.map { WaitConstraint.deviceOffline(since: $0) }, queue.turn(of: place),
      room(for: job, at: place), stops(of: job),
    ].compactMap { $0 }
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
