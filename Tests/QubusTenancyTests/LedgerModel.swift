import QubusCore
import QubusJobs
import QubusTenancy

/// The rows of a store, as movements leave them: what survives a kill.
struct LedgerModel {
  struct Charge {
    var principal: Principal
    var hold: CostHold
    var cost: Int64?
  }

  private(set) var balances: [LedgerAccount: Int64] = [:]
  private(set) var charges: [Identifier: Charge] = [:]
  private(set) var movements = 0
  var entitlements: [Int64: Entitlement] = [:]
  var budgets: [Budget] = []
  var prices: [String: Price] = [:]
  /// Movements that do not sum to zero.
  private(set) var unbalanced = 0

  mutating func write(_ movement: LedgerMovement) {
    var sum: Int64 = 0
    for posting in movement.postings {
      balances[posting.account, default: 0] += posting.amount
      sum += posting.amount
    }
    movements += 1
    if sum != 0 { unbalanced += 1 }
  }

  mutating func write(_ turns: [LedgerTurn]) {
    for turn in turns {
      write(.lapse(turn.lapsed, entitlement: turn.entitlement, of: turn.project))
      write(.grant(turn.granted, entitlement: turn.entitlement, to: turn.project))
      if turn.granted > 0 { entitlements[turn.entitlement]?.expiresAt = turn.expiresAt }
    }
  }

  mutating func grant(_ entitlement: Entitlement) {
    entitlements[entitlement.number] = entitlement
    write(
      .grant(entitlement.amount, entitlement: entitlement.number, to: entitlement.project))
  }

  mutating func accept(_ id: Identifier, _ hold: CostHold, of principal: Principal) {
    charges[id] = Charge(principal: principal, hold: hold)
    write(.hold(hold.parts, of: LedgerProject(principal)))
  }

  mutating func end(_ id: Identifier, _ settlement: CostSettlement) {
    guard var charge = charges[id], charge.cost == nil else { return }
    let project = LedgerProject(charge.principal)
    write(.hold(settlement.extension, of: project))
    charge.hold.parts += settlement.extension
    charge.cost = settlement.charge
    charges[id] = charge
    write(.settle(charge.hold.parts, charge: settlement.charge, of: project))
  }

  var snapshot: LedgerSnapshot {
    var snapshot = LedgerSnapshot()
    snapshot.prices = prices
    snapshot.budgets = budgets
    for entitlement in entitlements.values.sorted(by: { $0.number < $1.number }) {
      snapshot.entitlements.append((entitlement, balances[.credit(entitlement.number)] ?? 0))
    }
    for (account, balance) in balances {
      if case .invoice(let project) = account { snapshot.invoices.append((project, balance)) }
    }
    for (id, charge) in charges {
      snapshot.usage.append(
        LedgerSnapshot.Usage(
          project: LedgerProject(charge.principal),
          experimentClass: charge.hold.experimentClass,
          day: BudgetPeriod.day(of: charge.hold.heldAt), amount: charge.cost ?? charge.hold.amount))
      if charge.cost == nil { snapshot.holds.append((id, charge.principal, charge.hold)) }
    }
    return snapshot
  }

  /// Held and spent by jobs that a budget counts, in the period of `now`.
  func used(_ budget: Budget, now: Microseconds) -> Int64 {
    let days = budget.period.days(of: BudgetPeriod.day(of: now))
    return charges.values.reduce(0) { sum, charge in
      guard LedgerProject(charge.principal) == budget.project,
        days.contains(BudgetPeriod.day(of: charge.hold.heldAt)),
        budget.experimentClass.map({ $0.rawValue == charge.hold.experimentClass }) ?? true
      else { return sum }
      return sum + (charge.cost ?? charge.hold.amount)
    }
  }
}
