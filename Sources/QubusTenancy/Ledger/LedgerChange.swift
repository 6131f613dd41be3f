package import QubusCore
package import QubusJobs

/// A change of prices, credit or budgets; written with its audit entry in one transaction.
package enum LedgerChange: Sendable, Hashable {
  /// Nil: the device is free.
  case setPrice(device: String, Price?)
  case grant(Entitlement)
  /// Without caps it is removed.
  case setBudget(Budget)
  /// Nil: the device is everybody's.
  case dedicate(device: String, tenant: String?)
  /// What came with time.
  case turn(LedgerTurn)
}

/// The end of an entitlement, or of its period.
package struct LedgerTurn: Sendable, Hashable {
  package var entitlement: Int64
  package var project: LedgerProject
  package var lapsed: Int64
  package var granted: Int64
  /// End of the period that began; nil: there is none.
  package var expiresAt: Microseconds?

  package init(
    entitlement: Int64, project: LedgerProject, lapsed: Int64, granted: Int64,
    expiresAt: Microseconds?
  ) {
    self.entitlement = entitlement
    self.project = project
    self.lapsed = lapsed
    self.granted = granted
    self.expiresAt = expiresAt
  }
}

/// What was taken for a job or session that runs.
package struct LedgerDraw: Sendable, Hashable {
  package var parts: [CostPart] = []
  /// What came with time; has to be written.
  package var turns: [LedgerTurn] = []
  /// Soft caps that were passed.
  package var alerts: [BudgetAlert] = []

  package init() {}
}

/// A soft cap that the use went past.
package struct BudgetAlert: Sendable, Hashable {
  package var budget: Budget
  package var cap: Int64
  package var used: Int64
  /// True for the first beyond it.
  package var isCrossing: Bool

  package var text: String {
    "the budget of \(budget.text) is past its soft cap of \(cap) micro-units: \(used) are held or"
      + " spent"
  }
}

/// The credit of a project.
package struct CreditReport: Sendable, Hashable {
  package struct Entry: Sendable, Hashable {
    package var entitlement: Entitlement
    package var balance: Int64

    package init(entitlement: Entitlement, balance: Int64) {
      self.entitlement = entitlement
      self.balance = balance
    }
  }

  package var project: LedgerProject
  package var isPrepaid: Bool
  /// Left to spend; means nothing for a project that pays later.
  package var credit: Int64
  package var owed: Int64
  package var held: Int64
  /// In the order of spending.
  package var entitlements: [Entry]

  package init(
    project: LedgerProject, isPrepaid: Bool, credit: Int64, owed: Int64, held: Int64,
    entitlements: [Entry]
  ) {
    self.project = project
    self.isPrepaid = isPrepaid
    self.credit = credit
    self.owed = owed
    self.held = held
    self.entitlements = entitlements
  }
}

/// What a session used and was charged for.
package struct ChargedUsage: Sendable, Hashable {
  /// Of its first charge; nil: it was charged nothing yet.
  package var price: Price?
  package var cost: Int64 = 0
  package var shots: UInt64 = 0
  package var deviceMicroseconds: Microseconds = 0

  package init() {}
}

/// Everything that the ledger is made of at start.
package struct LedgerSnapshot: Sendable {
  /// What was held or spent on a day.
  package struct Usage: Sendable, Hashable {
    package var project: LedgerProject
    package var experimentClass: String
    package var day: Int64
    package var amount: Int64

    package init(project: LedgerProject, experimentClass: String, day: Int64, amount: Int64) {
      self.project = project
      self.experimentClass = experimentClass
      self.day = day
      self.amount = amount
    }
  }

  package var prices: [String: Price] = [:]
  /// Tenants by the devices that are theirs alone.
  package var dedicated: [String: String] = [:]
  package var entitlements: [(Entitlement, balance: Int64)] = []
  package var invoices: [(LedgerProject, balance: Int64)] = []
  package var budgets: [Budget] = []
  package var usage: [Usage] = []
  package var holds: [(Identifier, Principal, CostHold)] = []
  /// What open sessions were charged.
  package var sessions: [Identifier: ChargedUsage] = [:]

  package init() {}
}
