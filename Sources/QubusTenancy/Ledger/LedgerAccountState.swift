internal import QubusCore
internal import QubusJobs

/// What a project held and spent, by class of experiment and by day.
struct UsageByDay: Sendable, Hashable {
  private var total: Int64 = 0
  private var days: [Int64: Int64] = [:]

  /// More than the longest period with an end has. By number and not by age: a clock that was far
  /// ahead for a moment makes nobody forget the present month.
  static let daysKept = 64

  mutating func add(_ amount: Int64, day: Int64) {
    total += amount
    days[day, default: 0] += amount
    if days.count > Self.daysKept, let oldest = days.keys.min() { days[oldest] = nil }
  }

  func sum(in period: BudgetPeriod, of day: Int64) -> Int64 {
    if period == .always { return total }
    let range = period.days(of: day)
    return days.reduce(0) { range.contains($1.key) ? $0 + $1.value : $0 }
  }
}

/// The money of one project.
struct LedgerAccountState: Sendable, Hashable {
  struct Lot: Sendable, Hashable {
    var entitlement: Entitlement
    var balance: Int64
  }

  /// In the order of spending.
  private(set) var lots: [Lot] = []
  /// Below zero by what is owed.
  var invoice: Int64 = 0
  var budgets: [Budget] = []
  var usage: [String: UsageByDay] = [:]

  /// A project that was ever granted credit spends no more than it has; one that never was pays
  /// later.
  var isPrepaid: Bool { !lots.isEmpty }

  mutating func insert(_ lot: Lot) {
    lots.append(lot)
    lots.sort { Entitlement.isSpentBefore($0.entitlement, $1.entitlement) }
  }

  func isValid(_ lot: Lot, at now: Microseconds) -> Bool {
    now < lot.entitlement.expiresAt ?? .max
  }

  /// What is left to spend of credit.
  func credit(at now: Microseconds) -> Int64 {
    lots.reduce(min(0, invoice)) { isValid($1, at: now) ? $0 + $1.balance : $0 }
  }

  /// When credit comes again by itself.
  func nextRenewal(at now: Microseconds) -> Microseconds? {
    lots.compactMap { lot in
      lot.entitlement.periodSeconds == nil || !isValid(lot, at: now)
        ? nil : lot.entitlement.expiresAt
    }.min()
  }

  /// Takes from what may be spent, in order; what is not covered is owed.
  mutating func draw(_ amount: Int64, at now: Microseconds) -> [CostPart] {
    var rest = amount
    var parts: [CostPart] = []
    for index in lots.indices where rest > 0 && isValid(lots[index], at: now) {
      let taken = min(rest, lots[index].balance)
      guard taken > 0 else { continue }
      lots[index].balance -= taken
      rest -= taken
      parts.append(CostPart(entitlement: lots[index].entitlement.number, amount: taken))
    }
    if rest > 0 {
      invoice -= rest
      parts.append(CostPart(entitlement: 0, amount: rest))
    }
    return parts
  }

  /// Gives back what was drawn. What comes from an earlier period of a subscription lapses, as it
  /// would have if it had never been drawn; credit that has expired otherwise does so with the next
  /// turn.
  /// - Returns: what has to be written.
  mutating func putBack(_ parts: [(CostPart, drawnAt: Microseconds)]) -> [LedgerTurn] {
    var turns: [LedgerTurn] = []
    for (part, drawnAt) in parts where part.amount > 0 {
      if part.entitlement == 0 {
        invoice += part.amount
      } else if let index = lots.firstIndex(where: { $0.entitlement.number == part.entitlement }) {
        let entitlement = lots[index].entitlement
        guard let start = entitlement.periodStart, drawnAt < start else {
          lots[index].balance += part.amount
          continue
        }
        turns.append(
          LedgerTurn(
            entitlement: entitlement.number, project: entitlement.project, lapsed: part.amount,
            granted: 0, expiresAt: entitlement.expiresAt))
      }
    }
    return turns
  }

  /// Ends what has expired and begins the next period of subscriptions.
  /// - Returns: what has to be written.
  mutating func turnOver(at now: Microseconds) -> [LedgerTurn] {
    var turns: [LedgerTurn] = []
    for index in lots.indices where !isValid(lots[index], at: now) {
      let next = lots[index].entitlement.nextExpiry(at: now)
      let lapsed = max(0, lots[index].balance)
      guard next != nil || lapsed > 0 else { continue }
      let granted = next == nil ? 0 : lots[index].entitlement.amount
      lots[index].balance += granted - lapsed
      if let next { lots[index].entitlement.expiresAt = next }
      turns.append(
        LedgerTurn(
          entitlement: lots[index].entitlement.number, project: lots[index].entitlement.project,
          lapsed: lapsed, granted: granted, expiresAt: next))
    }
    if !turns.isEmpty {
      lots.sort { Entitlement.isSpentBefore($0.entitlement, $1.entitlement) }
    }
    return turns
  }

  func used(_ budget: Budget, day: Int64) -> Int64 {
    usage.reduce(0) {
      budget.counts($1.key) ? $0 + $1.value.sum(in: budget.period, of: day) : $0
    }
  }

  /// What a hold may still grow by.
  func room(for hold: CostHold, at now: Microseconds) -> Int64 {
    let day = BudgetPeriod.day(of: hold.heldAt)
    var room = isPrepaid ? credit(at: now) : Ledger.sumLimit + invoice
    for budget in budgets where budget.counts(hold.experimentClass) {
      if let cap = budget.hardCap { room = min(room, cap - used(budget, day: day)) }
    }
    return room
  }

  /// Soft caps that the use is beyond with `amount` more.
  func alerts(_ hold: CostHold, adding amount: Int64) -> [BudgetAlert] {
    let day = BudgetPeriod.day(of: hold.heldAt)
    return budgets.compactMap { budget in
      guard budget.counts(hold.experimentClass), let cap = budget.softCap else { return nil }
      let used = used(budget, day: day)
      guard used + amount > cap else { return nil }
      return BudgetAlert(budget: budget, cap: cap, used: used + amount, isCrossing: used <= cap)
    }
  }
}
