package import QubusCore
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

extension Engine {
  package func explain(
    _ id: Identifier, context: CallContext
  ) throws(QubusError) -> JobExplanation {
    let record = try record(id, .readJobs, context)
    return JobExplanation(job: view(record), constraints: constraints(on: record))
  }

  private func constraints(on record: JobRecord) -> [WaitConstraint] {
    guard record.status == .queued else { return [] }
    // The scheduler hears of a job when it was approved.
    if let waiting = waitingApprovals.withLock({ $0[record.id] }) { return [approval(waiting)] }
    let now = clock.now()
    return scheduler.withScheduler { $0.explain(record.id, now: now) }
  }

  private func approval(_ waiting: WaitingApproval) -> WaitConstraint {
    WaitConstraint(
      kind: .approval, since: waiting.since,
      detail: "an approver has to decide over it: \(waiting.causes.joined(separator: "; "))",
      remedy: "an approver's word before \(TimeText.rfc3339(expiry(waiting))), when it expires")
  }
}
