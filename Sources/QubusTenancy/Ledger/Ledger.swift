package import QubusCore
package import QubusJobs

/// Prices, credit, budgets and what is held: a value, without time, disk or locks.
///
/// Every amount is in micro-units. A hold takes from credit at submit, a settlement charges what
/// was used and gives the rest back; in between a running job may extend its hold.
package struct Ledger: Sendable, Hashable {
  struct OpenHold: Sendable, Hashable {
    var project: LedgerProject
    var hold: CostHold
  }

  package private(set) var prices: [String: Price]
  var accounts: [LedgerProject: LedgerAccountState] = [:]
  private(set) var holds: [Identifier: OpenHold] = [:]
  /// Of all sums in one project, so that they stay within 64 bits.
  static let sumLimit: Int64 = 1 << 61

  package init(_ snapshot: LedgerSnapshot = LedgerSnapshot()) {
    prices = snapshot.prices
    for (entitlement, balance) in snapshot.entitlements {
      accounts[entitlement.project, default: LedgerAccountState()].insert(
        LedgerAccountState.Lot(entitlement: entitlement, balance: balance))
    }
    for (project, balance) in snapshot.invoices {
      accounts[project, default: LedgerAccountState()].invoice = balance
    }
    for budget in snapshot.budgets {
      accounts[budget.project, default: LedgerAccountState()].budgets.append(budget)
    }
    for usage in snapshot.usage {
      count(usage.amount, of: usage.project, usage.experimentClass, day: usage.day)
    }
    for (id, principal, hold) in snapshot.holds {
      holds[id] = OpenHold(project: LedgerProject(principal), hold: hold)
    }
  }

  package func hold(of id: Identifier) -> CostHold? { holds[id]?.hold }

  mutating func count(_ amount: Int64, of project: LedgerProject, _ name: String, day: Int64) {
    accounts[project, default: LedgerAccountState()]
      .usage[name, default: UsageByDay()].add(amount, day: day)
  }

  // MARK: Holds

  /// Sets aside what a job is expected to cost.
  /// - Parameters:
  ///   - hold: without its parts.
  ///   - amount: micro-units.
  /// - Returns: the hold, what expired or was renewed on the way, and soft caps that were passed.
  /// - Throws: `budget_exceeded`, `insufficient_credit`, both with cap, current value and reset.
  package mutating func hold(
    _ id: Identifier, _ hold: CostHold, amount: Int64, for principal: Principal
  ) throws(QubusError) -> (hold: CostHold, turns: [LedgerTurn], alerts: [BudgetAlert]) {
    let (project, now) = (LedgerProject(principal), hold.heldAt)
    var account = accounts[project] ?? LedgerAccountState()
    let turns = account.turnOver(at: now)
    try check(account, hold.experimentClass, amount, project, now)
    let day = BudgetPeriod.day(of: now)
    let alerts = account.budgets.compactMap { budget -> BudgetAlert? in
      guard budget.counts(hold.experimentClass), let cap = budget.softCap else { return nil }
      let used = account.used(budget, day: day)
      guard used + amount > cap else { return nil }
      return BudgetAlert(
        budget: budget, cap: cap, used: used + amount, isCrossing: used <= cap)
    }
    var hold = hold
    hold.parts = account.draw(amount, at: now)
    accounts[project] = account
    holds[id] = OpenHold(project: project, hold: hold)
    count(amount, of: project, hold.experimentClass, day: day)
    return (hold, turns, alerts)
  }

  /// Holds and charges at once what was used already, whatever caps say: sessions.
  /// - Returns: the parts, and why no more may be used.
  package mutating func charge(
    _ hold: CostHold, amount: Int64, for principal: Principal
  ) -> (hold: CostHold, turns: [LedgerTurn], refusal: QubusError?) {
    let (project, now) = (LedgerProject(principal), hold.heldAt)
    var account = accounts[project] ?? LedgerAccountState()
    let turns = account.turnOver(at: now)
    var refusal: QubusError?
    do throws(QubusError) {
      try check(account, hold.experimentClass, amount, project, now)
    } catch {
      refusal = error
    }
    var hold = hold
    hold.parts = account.draw(amount, at: now)
    accounts[project] = account
    count(amount, of: project, hold.experimentClass, day: BudgetPeriod.day(of: now))
    return (hold, turns, refusal)
  }

  /// - Throws: as `hold`, which it does not do.
  package func check(
    _ amount: Int64, class name: String, for principal: Principal, now: Microseconds
  ) throws(QubusError) {
    let project = LedgerProject(principal)
    var account = accounts[project] ?? LedgerAccountState()
    _ = account.turnOver(at: now)
    try check(account, name, amount, project, now)
  }

  private func check(
    _ account: LedgerAccountState, _ name: String, _ amount: Int64, _ project: LedgerProject,
    _ now: Microseconds
  ) throws(QubusError) {
    let day = BudgetPeriod.day(of: now)
    for budget in account.budgets where budget.counts(name) {
      guard let cap = budget.hardCap else { continue }
      let used = account.used(budget, day: day)
      guard used + amount <= cap else {
        throw .budgetExceeded(
          BudgetReport(budget: budget, used: used, resetsAt: budget.period.end(of: day)),
          needs: amount, now: now)
      }
    }
    let credit = account.credit(at: now)
    guard !account.isPrepaid || amount <= credit else {
      throw .insufficientCredit(
        project, credit: credit, needs: amount, renewsAt: account.nextRenewal(at: now), now: now)
    }
    guard account.invoice - amount > -Self.sumLimit else {
      throw .insufficientCredit(
        project, credit: Self.sumLimit + account.invoice, needs: amount, renewsAt: nil, now: now)
    }
  }

  /// Sets aside more for a job that runs: `wanted` if there is as much, else what there is.
  /// - Returns: what was set aside; below what was wanted, a cap is reached.
  package mutating func extend(
    _ id: Identifier, by wanted: Int64, now: Microseconds
  ) -> [CostPart] {
    guard let open = holds[id] else { return [] }
    let room = room(of: open, now: now)
    return take(min(wanted, max(0, room)), id, open, now: now)
  }

  /// The same without regard to caps, for what has been used already: at most a chunk.
  package mutating func cover(
    _ id: Identifier, by amount: Int64, now: Microseconds
  ) -> [CostPart] {
    guard let open = holds[id] else { return [] }
    return take(amount, id, open, now: now)
  }

  private mutating func take(
    _ amount: Int64, _ id: Identifier, _ open: OpenHold, now: Microseconds
  ) -> [CostPart] {
    guard amount > 0 else { return [] }
    var open = open
    let parts =
      accounts[open.project, default: LedgerAccountState()].draw(amount, at: now)
    open.hold.parts += parts
    holds[id] = open
    count(
      amount, of: open.project, open.hold.experimentClass,
      day: BudgetPeriod.day(of: open.hold.heldAt))
    return parts
  }

  /// What a running job may still add to its hold.
  private func room(of open: OpenHold, now: Microseconds) -> Int64 {
    guard let account = accounts[open.project] else { return Self.sumLimit }
    let day = BudgetPeriod.day(of: open.hold.heldAt)
    var room = account.isPrepaid ? account.credit(at: now) : Self.sumLimit + account.invoice
    for budget in account.budgets where budget.counts(open.hold.experimentClass) {
      if let cap = budget.hardCap { room = min(room, cap - account.used(budget, day: day)) }
    }
    return room
  }

  /// Ends a hold: charges, and gives the rest back to where it came from.
  /// - Parameter charge: at most what is held.
  package mutating func settle(_ id: Identifier, charge: Int64) {
    guard let open = holds.removeValue(forKey: id) else { return }
    let charge = min(max(0, charge), open.hold.amount)
    let refund = LedgerMovement.refund(open.hold.parts, charge: charge)
    accounts[open.project, default: LedgerAccountState()].putBack(refund)
    count(
      charge - open.hold.amount, of: open.project, open.hold.experimentClass,
      day: BudgetPeriod.day(of: open.hold.heldAt))
  }

  // MARK: Changes

  /// Takes over a change that was written.
  package mutating func apply(_ change: LedgerChange) {
    switch change {
    case .setPrice(let device, let price): prices[device] = price
    case .grant(let entitlement):
      accounts[entitlement.project, default: LedgerAccountState()].insert(
        LedgerAccountState.Lot(entitlement: entitlement, balance: entitlement.amount))
    case .setBudget(let budget):
      var account = accounts[budget.project] ?? LedgerAccountState()
      account.budgets.removeAll { $0.experimentClass == budget.experimentClass }
      if budget.softCap != nil || budget.hardCap != nil { account.budgets.append(budget) }
      accounts[budget.project] = account
    // Made by this ledger: in it already.
    case .turn: break
    }
  }

  // MARK: Reports

  package func budgets(of project: LedgerProject, now: Microseconds) -> [BudgetReport] {
    guard let account = accounts[project] else { return [] }
    let day = BudgetPeriod.day(of: now)
    return account.budgets.map {
      BudgetReport(
        budget: $0, used: account.used($0, day: day), resetsAt: $0.period.end(of: day))
    }.sorted { $0.budget.text < $1.budget.text }
  }

  package func credit(of project: LedgerProject, now: Microseconds) -> CreditReport {
    let account = accounts[project] ?? LedgerAccountState()
    return CreditReport(
      project: project, isPrepaid: account.isPrepaid, credit: account.credit(at: now),
      owed: -account.invoice,
      held: holds.values.reduce(0) { $1.project == project ? $0 + $1.hold.amount : $0 },
      entitlements: account.lots.map {
        CreditReport.Entry(entitlement: $0.entitlement, balance: $0.balance)
      })
  }

  package var nextEntitlement: Int64 {
    1 + accounts.values.reduce(0) { max($0, $1.lots.map(\.entitlement.number).max() ?? 0) }
  }

  package var projects: [LedgerProject] {
    accounts.keys.sorted { $0.text < $1.text }
  }
}
