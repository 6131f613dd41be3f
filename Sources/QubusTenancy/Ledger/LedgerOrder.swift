package import QubusJobs

/// A change of prices, credit or budgets that administration asks for.
package enum LedgerOrder: Sendable, Hashable {
  /// Nil: the device is free.
  case setPrice(device: String, Price?)
  /// - Parameters:
  ///   - periodSeconds: nil: once.
  ///   - validSeconds: nil: for ever.
  case grantCredit(LedgerProject, amount: Int64, periodSeconds: Int64?, validSeconds: Double?)
  case setBudget(Budget)
  /// Nil: the device is everybody's.
  case dedicateDevice(String, tenant: String?)

  var method: String {
    switch self {
    case .setPrice: "SetPrice"
    case .grantCredit: "GrantCredit"
    case .setBudget: "SetBudget"
    case .dedicateDevice: "DedicateDevice"
    }
  }
}

/// What is to be seen of the ledger.
package enum LedgerQuery: Sendable, Hashable {
  case budgets(LedgerScope)
  /// The query's own place is left empty; the scope decides.
  case usage(UsageQuery, LedgerScope)

  var method: String {
    switch self {
    case .budgets: "ListBudgets"
    case .usage: "GetUsage"
    }
  }
}

/// Whose charges and budgets.
package enum LedgerScope: Sendable, Hashable {
  /// The caller's own project, or its token's.
  case own
  case project(LedgerProject)
  case tenant(String)
  case everything
}

/// Bounds; errors name them.
package enum LedgerLimits {
  package static let periodSeconds: Int64 = 366 * 86_400
  package static let validSeconds = 3650.0 * 86_400
  package static let usageRows: UInt32 = 10_000
  package static let usualUsageRows: UInt32 = 1000
}
