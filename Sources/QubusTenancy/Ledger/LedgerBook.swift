package import QubusCore
package import QubusJobs
internal import Synchronization

/// The ledger of the running service: a value behind a lock, made of the store's rows at start and
/// changed beside them.
///
/// What is held here is a moment ahead of the rows (an acceptance that is still being written),
/// what is given back a moment behind them; caps are therefore never passed for want of a write.
package final class LedgerBook: Sendable {
  private let ledger: Lock<Ledger>
  /// Whether any device has a price: all that a service without prices asks.
  private let hasPrices: Atomic<Bool>
  private let hasDedicated: Atomic<Bool>
  private let sessions: [Identifier: ChargedUsage]
  /// Writes what came with time.
  private let turned: @Sendable ([LedgerTurn], Microseconds) -> Void

  package init(
    _ snapshot: LedgerSnapshot = LedgerSnapshot(),
    turned: @escaping @Sendable ([LedgerTurn], Microseconds) -> Void = { _, _ in }
  ) {
    ledger = Lock(Ledger(snapshot))
    sessions = snapshot.sessions
    hasPrices = Atomic(!snapshot.prices.isEmpty)
    hasDedicated = Atomic(!snapshot.dedicated.isEmpty)
    self.turned = turned
  }

  /// Nil: the device is free.
  package func price(of device: String) -> Price? {
    guard hasPrices.load(ordering: .relaxed) else { return nil }
    return ledger.withLock { $0.prices[device] }
  }

  /// Tenants by the devices that are theirs alone.
  package var dedicated: [String: String] {
    guard hasDedicated.load(ordering: .relaxed) else { return [:] }
    return ledger.withLock { $0.dedicated }
  }

  package var prices: [String: Price] { ledger.withLock { $0.prices } }

  /// - Throws: `budget_exceeded`, `insufficient_credit`.
  package func hold(
    _ id: Identifier, _ hold: CostHold, amount: Int64, for principal: Principal
  ) throws(QubusError) -> (hold: CostHold, alerts: [BudgetAlert]) {
    let (hold, turns, alerts) = try ledger.withLock { (ledger) throws(QubusError) in
      try ledger.hold(id, hold, amount: amount, for: principal)
    }
    tell(turns, at: hold.heldAt)
    return (hold, alerts)
  }

  private func tell(_ turns: [LedgerTurn], at time: Microseconds) {
    if !turns.isEmpty { turned(turns, time) }
  }

  package func hold(of id: Identifier) -> CostHold? { ledger.withLock { $0.hold(of: id) } }

  /// See `Ledger.extend`.
  package func extend(
    _ id: Identifier, by wanted: Int64, now: Microseconds
  ) -> LedgerDraw {
    let draw = ledger.withLock { $0.extend(id, by: wanted, now: now) }
    tell(draw.turns, at: now)
    return draw
  }

  /// See `Ledger.cover`.
  package func cover(_ id: Identifier, by amount: Int64, now: Microseconds) -> LedgerDraw {
    let draw = ledger.withLock { $0.cover(id, by: amount, now: now) }
    tell(draw.turns, at: now)
    return draw
  }

  /// See `Ledger.settle`; the settlement is written.
  package func settle(_ id: Identifier, charge: Int64) {
    let (turns, time) = ledger.withLock { ($0.settle(id, charge: charge), $0.latest) }
    tell(turns, at: time)
  }

  /// See `Ledger.charge`.
  package func charge(
    _ hold: CostHold, amount: Int64, for principal: Principal
  ) -> (hold: CostHold, alerts: [BudgetAlert], refusal: QubusError?) {
    let (draw, hold, refusal) = ledger.withLock {
      $0.charge(hold, amount: amount, for: principal)
    }
    tell(draw.turns, at: hold.heldAt)
    return (hold, draw.alerts, refusal)
  }

  /// See `Ledger.takeBack`.
  package func takeBack(_ hold: CostHold, of principal: Principal) {
    let (turns, time) = ledger.withLock { ($0.takeBack(hold, of: principal), $0.latest) }
    tell(turns, at: time)
  }

  /// - Throws: `budget_exceeded`, `insufficient_credit`.
  package func check(
    _ amount: Int64, class name: String, for principal: Principal, now: Microseconds
  ) throws(QubusError) {
    try ledger.withLock { (ledger) throws(QubusError) in
      try ledger.check(amount, class: name, for: principal, now: now)
    }
  }

  /// What a session of an earlier life was charged.
  package func charged(_ session: Identifier) -> ChargedUsage {
    sessions[session] ?? ChargedUsage()
  }

  /// The job never came to be.
  package func release(_ id: Identifier) { settle(id, charge: 0) }

  package func apply(_ changes: [TenancyChange]) {
    for case .ledger(let change) in changes {
      ledger.withLock { ledger in
        ledger.apply(change)
        hasPrices.store(!ledger.prices.isEmpty, ordering: .relaxed)
        hasDedicated.store(!ledger.dedicated.isEmpty, ordering: .relaxed)
      }
    }
  }

  /// For the entitlement that is granted next; changes go one at a time.
  package var nextEntitlement: Int64 { ledger.withLock { $0.nextEntitlement } }

  package func budgets(of project: LedgerProject, now: Microseconds) -> [BudgetReport] {
    ledger.withLock { $0.budgets(of: project, now: now) }
  }

  package func credit(of project: LedgerProject, now: Microseconds) -> CreditReport {
    ledger.withLock { $0.credit(of: project, now: now) }
  }

  package var projects: [LedgerProject] { ledger.withLock { $0.projects } }
}
