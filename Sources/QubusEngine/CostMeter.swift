internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Watches what a running job costs against what is held for it.
struct CostMeter {
  private let ledger: LedgerBook
  private let id: Identifier
  private let price: Price
  private let maxCost: Int64?
  private var held: Int64
  /// Set aside since the start of the attempt.
  private var extensions: [CostPart] = []
  /// Soft caps that were passed by that.
  private(set) var alerts: [BudgetAlert] = []

  /// Nil when nothing is held.
  init?(_ ledger: LedgerBook?, _ record: JobRecord, _ prepared: PreparedJob) {
    guard let ledger, let hold = ledger.hold(of: record.id) else { return nil }
    self.ledger = ledger
    id = record.id
    price = hold.price
    held = hold.amount
    maxCost = prepared.spec.execution.maxCost
  }

  /// At the border of a chunk: holds more when more is used than was thought, half as much again or
  /// what there is.
  /// - Returns: why the job must stop here.
  mutating func check(shots: UInt64, device: Microseconds, now: Microseconds) -> QubusError? {
    let cost = price.cost(shots: shots, deviceMicroseconds: device)
    guard cost > held else { return nil }
    let wanted = cost - held + held / 2
    let allowed = min(wanted, (maxCost ?? .max) - held)
    take(ledger.extend(id, by: allowed, now: now))
    guard cost > held else { return nil }
    let details = [
      "cap": String(held), "current": String(cost), "shots_done": String(shots),
    ]
    if let maxCost, held >= maxCost {
      return QubusError(
        .costLimitExceeded,
        "the job reached its max_cost (limit: \(maxCost) micro-units) and was stopped",
        details: details)
    }
    return QubusError(
      .budgetExceeded,
      "the budget or the credit of the project is used up: the job was stopped at \(cost) "
        + "micro-units, \(held) were set aside", details: details)
  }

  /// The charge. What the last chunk used beyond what is held is covered whatever caps say.
  mutating func settle(
    shots: UInt64, device: Microseconds, now: Microseconds
  ) -> CostSettlement {
    let cost = price.cost(shots: shots, deviceMicroseconds: device)
    if cost > held {
      take(ledger.cover(id, by: cost - held, now: now))
    }
    return CostSettlement(charge: min(cost, held), extension: extensions)
  }

  private mutating func take(_ draw: LedgerDraw) {
    held += draw.parts.total
    extensions += draw.parts
    alerts += draw.alerts
  }
}
