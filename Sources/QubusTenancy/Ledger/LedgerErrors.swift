internal import QubusCore
internal import QubusJobs

extension QubusError {
  static func budgetExceeded(
    _ report: BudgetReport, needs: Int64, now: Microseconds
  ) -> QubusError {
    let cap = report.budget.hardCap ?? 0
    return QubusError(
      .budgetExceeded,
      "the budget of \(report.budget.text) has \(cap - report.used) of \(cap) micro-units left, "
        + "\(needs) are needed",
      retryAfterMilliseconds: report.resetsAt.map { Self.milliseconds(until: $0, now) },
      details: details(cap: cap, current: report.used, needs: needs, report.resetsAt))
  }

  static func insufficientCredit(
    _ project: LedgerProject, credit: Int64, needs: Int64, renewsAt: Microseconds?,
    now: Microseconds
  ) -> QubusError {
    QubusError(
      .insufficientCredit,
      "\(project.text) has \(credit) micro-units of credit left, \(needs) are needed",
      retryAfterMilliseconds: renewsAt.map { Self.milliseconds(until: $0, now) },
      details: details(cap: nil, current: credit, needs: needs, renewsAt))
  }

  private static func details(
    cap: Int64?, current: Int64, needs: Int64, _ resetsAt: Microseconds?
  ) -> [String: String] {
    var details = ["current": String(current), "needs": String(needs)]
    if let cap { details["cap"] = String(cap) }
    if let resetsAt { details["resets_at"] = String(resetsAt) }
    return details
  }

  private static func milliseconds(until time: Microseconds, _ now: Microseconds) -> UInt64 {
    UInt64(clamping: max(0, time - now) / 1000 + 1)
  }
}
