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
    /// When each part of the hold was drawn.
    var drawnAt: [Microseconds]
  }

  package private(set) var prices: [String: Price]
  /// Tenants by the devices that are theirs alone.
  package private(set) var dedicated: [String: String]
  /// The latest time that was seen. A clock that is set back begins no period of a budget again.
  package private(set) var latest: Microseconds = 0
  var accounts: [LedgerProject: LedgerAccountState] = [:]
  private(set) var holds: [Identifier: OpenHold] = [:]
  /// Of all sums in one project, so that they stay within 64 bits.
  static let sumLimit: Int64 = 1 << 61

  package init(_ snapshot: LedgerSnapshot = LedgerSnapshot()) {
    prices = snapshot.prices
    dedicated = snapshot.dedicated
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
      holds[id] = OpenHold(
        project: LedgerProject(principal), hold: hold,
        drawnAt: hold.parts.map { _ in hold.heldAt })
    }
  }

  package func hold(of id: Identifier) -> CostHold? { holds[id]?.hold }

  private mutating func advance(to time: Microseconds) -> Microseconds {
    latest = max(latest, time)
    return latest
  }

  mutating func count(_ amount: Int64, of project: LedgerProject, _ name: String, day: Int64) {
    accounts[project, default: LedgerAccountState()]
      .usage[name, default: UsageByDay()].add(amount, day: day)
  }

  // MARK: Holds

  /// The time by which a hold counts: its own, unless its day is over. Submits on two threads may
  /// come in another order than their times by microseconds, and keep them.
  private static func time(_ time: Microseconds, notBefore now: Microseconds) -> Microseconds {
    BudgetPeriod.day(of: time) < BudgetPeriod.day(of: now) ? now : time
  }

  /// Sets aside what a job is expected to cost.
  /// - Parameters:
  ///   - hold: without its parts.
  ///   - amount: micro-units.
  /// - Returns: the hold, what expired or was renewed on the way, and soft caps that were passed.
  /// - Throws: `budget_exceeded`, `insufficient_credit`, both with cap, current value and reset.
  package mutating func hold(
    _ id: Identifier, _ hold: CostHold, amount: Int64, for principal: Principal
  ) throws(QubusError) -> (hold: CostHold, turns: [LedgerTurn], alerts: [BudgetAlert]) {
    let (project, now) = (LedgerProject(principal), advance(to: hold.heldAt))
    var account = accounts[project] ?? LedgerAccountState()
    let turns = account.turnOver(at: now)
    try check(account, hold.experimentClass, amount, project, now)
    var hold = hold
    hold.heldAt = Self.time(hold.heldAt, notBefore: now)
    let alerts = account.alerts(hold, adding: amount)
    hold.parts = account.draw(amount, at: now)
    accounts[project] = account
    holds[id] = OpenHold(project: project, hold: hold, drawnAt: hold.parts.map { _ in now })
    count(amount, of: project, hold)
    return (hold, turns, alerts)
  }

  private mutating func count(_ amount: Int64, of project: LedgerProject, _ hold: CostHold) {
    count(amount, of: project, hold.experimentClass, day: BudgetPeriod.day(of: hold.heldAt))
  }

  /// Holds and charges at once what was used already, whatever caps say: sessions.
  /// - Returns: the parts, soft caps that were passed, and why no more may be used.
  package mutating func charge(
    _ hold: CostHold, amount: Int64, for principal: Principal
  ) -> (draw: LedgerDraw, hold: CostHold, refusal: QubusError?) {
    let (project, now) = (LedgerProject(principal), advance(to: hold.heldAt))
    var account = accounts[project] ?? LedgerAccountState()
    var draw = LedgerDraw()
    draw.turns = account.turnOver(at: now)
    var refusal: QubusError?
    do throws(QubusError) {
      try check(account, hold.experimentClass, amount, project, now)
    } catch {
      refusal = error
    }
    var hold = hold
    hold.heldAt = Self.time(hold.heldAt, notBefore: now)
    draw.alerts = account.alerts(hold, adding: amount)
    draw.parts = account.draw(amount, at: now)
    hold.parts = draw.parts
    accounts[project] = account
    count(amount, of: project, hold)
    return (draw, hold, refusal)
  }

  /// A charge that could not be written has not been.
  package mutating func takeBack(_ hold: CostHold, of principal: Principal) -> [LedgerTurn] {
    let project = LedgerProject(principal)
    count(-hold.amount, of: project, hold)
    return accounts[project, default: LedgerAccountState()]
      .putBack(hold.parts.map { ($0, drawnAt: hold.heldAt) })
  }

  /// - Throws: as `hold`, which it does not do.
  package func check(
    _ amount: Int64, class name: String, for principal: Principal, now: Microseconds
  ) throws(QubusError) {
    let (project, now) = (LedgerProject(principal), max(now, latest))
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
  ) -> LedgerDraw {
    add(to: id, at: advance(to: now)) { account, hold, now in
      min(wanted, max(0, account.room(for: hold, at: now)))
    }
  }

  /// The same without regard to caps, for what has been used already: at most a chunk.
  package mutating func cover(
    _ id: Identifier, by amount: Int64, now: Microseconds
  ) -> LedgerDraw {
    add(to: id, at: advance(to: now)) { _, _, _ in amount }
  }

  private mutating func add(
    to id: Identifier, at now: Microseconds,
    _ wanted: (LedgerAccountState, CostHold, Microseconds) -> Int64
  ) -> LedgerDraw {
    guard var open = holds[id] else { return LedgerDraw() }
    var account = accounts[open.project] ?? LedgerAccountState()
    var draw = LedgerDraw()
    draw.turns = account.turnOver(at: now)
    let amount = wanted(account, open.hold, now)
    if amount > 0 {
      draw.alerts = account.alerts(open.hold, adding: amount)
      draw.parts = account.draw(amount, at: now)
      open.hold.parts += draw.parts
      open.drawnAt += draw.parts.map { _ in now }
      holds[id] = open
    }
    accounts[open.project] = account
    count(draw.parts.total, of: open.project, open.hold)
    return draw
  }

  /// Ends a hold: charges, and gives the rest back to where it came from.
  /// - Parameter charge: at most what is held.
  /// - Returns: what lapses of the rest.
  package mutating func settle(_ id: Identifier, charge: Int64) -> [LedgerTurn] {
    guard let open = holds.removeValue(forKey: id) else { return [] }
    let charge = min(max(0, charge), open.hold.amount)
    let rests = LedgerMovement.rests(open.hold.parts, charge: charge)
    count(charge - open.hold.amount, of: open.project, open.hold)
    return accounts[open.project, default: LedgerAccountState()]
      .putBack(zip(rests, open.drawnAt).map { ($0, drawnAt: $1) })
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
    case .dedicate(let device, let tenant): dedicated[device] = tenant
    case .turn: break
    }
  }

  // MARK: Reports

  package func budgets(of project: LedgerProject, now: Microseconds) -> [BudgetReport] {
    guard let account = accounts[project] else { return [] }
    let day = BudgetPeriod.day(of: max(now, latest))
    return account.budgets.map {
      BudgetReport(
        budget: $0, used: account.used($0, day: day), resetsAt: $0.period.end(of: day))
    }.sorted { $0.budget.text < $1.budget.text }
  }

  package func credit(of project: LedgerProject, now: Microseconds) -> CreditReport {
    let account = accounts[project] ?? LedgerAccountState()
    return CreditReport(
      project: project, isPrepaid: account.isPrepaid,
      credit: account.credit(at: max(now, latest)),
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
