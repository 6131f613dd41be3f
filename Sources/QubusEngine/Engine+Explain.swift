package import QubusCore
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

extension Engine {
  package func explain(
    _ id: Identifier, context: CallContext
  ) throws(QubusError) -> JobExplanation {
    let record = try record(id, .readJobs, context)
    return JobExplanation(job: view(record), constraints: constraints(on: record, context))
  }

  private func constraints(
    on record: JobRecord, _ context: CallContext
  ) -> [WaitConstraint] {
    guard record.status == .queued else { return [] }
    let dependency = dependencyConstraint(on: record, context)
    // The scheduler hears of a job when it was approved.
    if let waiting = waitingApprovals.withLock({ $0[record.id] }) {
      return [approval(waiting)] + (dependency.map { [$0] } ?? [])
    }
    let now = clock.now()
    let found = scheduler.withScheduler { $0.explain(record.id, now: now) }
    // It knows that others have to end, not which.
    return found.map { $0.kind == .dependency ? dependency ?? $0 : $0 }
  }

  private func approval(_ waiting: WaitingApproval) -> WaitConstraint {
    WaitConstraint(
      kind: .approval, since: waiting.since,
      detail: "an approver has to decide over it: \(waiting.causes.joined(separator: "; "))",
      remedy: "an approver's word before \(TimeText.rfc3339(expiry(waiting))), when it expires")
  }
}
