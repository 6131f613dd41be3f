internal import Logging
internal import QubusCore
internal import QubusDevices
internal import QubusJobs
internal import QubusTenancy

/// What jobs are thought to cost, and what is held for them.
extension Engine {
  /// The time that nine of ten jobs stay below, as a multiple of the prediction; see docs/costs.md.
  static let timeMargin = 1.5

  /// Nil: the device is free.
  func cost(of prepared: PreparedJob) -> CostForecast? {
    ledger?.price(of: prepared.device.name).map { forecast(prepared, $0) }
  }

  private func forecast(_ prepared: PreparedJob, _ price: Price) -> CostForecast {
    let (shots, seconds) = (prepared.shotsTotal, min(prepared.estimatedSeconds, 1e9))
    return CostForecast(
      expected: price.cost(
        shots: shots, deviceMicroseconds: Microseconds((seconds * 1e6).rounded(.up))),
      held: price.cost(
        shots: shots,
        deviceMicroseconds: Microseconds((seconds * 1e6 * Self.timeMargin).rounded(.up))))
  }

  /// Sets aside what the job may cost, before it is accepted.
  /// Soft caps that are passed become notices of the job.
  /// - Throws: `cost_limit_exceeded`, `budget_exceeded`, `insufficient_credit`.
  func holdCost(
    of prepared: PreparedJob, for record: inout JobRecord, _ submission: inout Submission
  ) throws(QubusError) {
    guard let ledger, let price = ledger.price(of: prepared.device.name) else { return }
    let forecast = forecast(prepared, price)
    let maxCost = prepared.spec.execution.maxCost
    if let maxCost, forecast.expected > maxCost {
      throw .costLimitExceeded(expected: forecast.expected, maxCost: maxCost)
    }
    let experiment = prepared.spec.experiment
    let request = CostHold(
      price: price, experimentClass: experiment.experimentClass,
      experiment: experiment.id.isEmpty ? experiment.name : experiment.id,
      heldAt: record.phases.acceptedAt ?? clock.now(), parts: [])
    let (id, principal) = (record.id, record.principal)
    let (hold, alerts) = try ledger.hold(
      id, request, amount: min(forecast.held, maxCost ?? .max), for: principal)
    submission.release = { ledger.release(id) }
    record.costAcceptance = .held(hold)
    record.costHeld = hold.amount
    record.notices += alerts.map(\.text)
    logger(record).tell(alerts)
  }
}

extension Logger {
  /// Soft caps that were crossed; one that was passed before is no news.
  func tell(_ alerts: [BudgetAlert]) {
    for alert in alerts where alert.isCrossing {
      warning(
        "a budget is past its soft cap",
        metadata: [
          "project": "\(alert.budget.text)", "cap": "\(alert.cap)", "used": "\(alert.used)",
        ])
    }
  }
}

extension QubusError {
  static func costLimitExceeded(expected: Int64, maxCost: Int64) -> QubusError {
    var error = QubusError.field(
      .costLimitExceeded, "execution.max_cost",
      "the job is expected to cost \(expected) micro-units", limit: "\(maxCost)")
    error.details = ["cap": String(maxCost), "needs": String(expected)]
    return error
  }
}
