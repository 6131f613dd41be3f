internal import QubusCore

extension FairQueue {
  /// Others have their turn before a waiting job; nil for the one whose turn it is.
  func turn(of place: UInt32) -> WaitConstraint? {
    let (_, overall, microseconds) = position(of: place)
    guard overall > 1, head != place else { return nil }
    let job = jobs[place]
    let seconds = (microseconds * 1e-6 * 10).rounded() / 10
    let ahead = "about \(overall - 1) \(overall == 2 ? "job" : "jobs")"
    let turn = overall == 2 ? "has its turn" : "have their turn"
    return WaitConstraint(
      kind: .shareTurn, since: job.submittedAt,
      detail: "\(ahead) with \(seconds) core-seconds \(turn) before it",
      remedy: remedy(job), delay: Microseconds(microseconds / Double(cores)))
  }

  private func remedy(_ job: QueuedJob) -> String {
    if job.isOverdue { return "nothing: it is overdue, and only jobs due earlier go before it" }
    guard job.overdueAt < .max else { return "its share of the device" }
    return "its share of the device, or its wait: it is overdue at "
      + "\(TimeText.rfc3339(job.overdueAt)) and goes first then"
  }
}
