package import QubusCore
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

extension Engine {
  package func explain(
    _ id: Identifier, context: CallContext
  ) throws(QubusError) -> JobExplanation {
    let record = try record(id, .readJobs, context)
    let forecast = forecast(record)
    let late = deadlineConstraint(on: record, forecast).map { [$0] } ?? []
    return JobExplanation(
      job: view(record, forecast: forecast), constraints: constraints(on: record, context) + late)
  }

  private func constraints(
    on record: JobRecord, _ context: CallContext
  ) -> [WaitConstraint] {
    guard record.status == .queued else { return [] }
    let dependency = dependencyConstraint(on: record, context)
    let now = clock.now()
    let found: [WaitConstraint]
    if let waiting = waitingApprovals.withLock({ $0[record.id] }) {
      // The scheduler has a job when it was approved.
      found = [approval(waiting)] + scheduler.withScheduler { $0.withholding(record.id) }
    } else {
      found = scheduler.withScheduler { $0.explain(record.id, now: now) }
    }
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
