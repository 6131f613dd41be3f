internal import QubusCore
package import QubusJobs

/// A project as the ledger knows it.
package struct LedgerProject: Sendable, Hashable {
  package var tenant: String
  package var project: String

  package init(tenant: String, project: String) {
    self.tenant = tenant
    self.project = project
  }

  package init(_ principal: Principal) {
    self.init(tenant: principal.tenant, project: principal.project)
  }

  package var text: String { "\(tenant)/\(project)" }
}

/// One side of a movement.
package enum LedgerAccount: Sendable, Hashable {
  /// Where credit comes from: below zero by all that was granted.
  case issued(LedgerProject)
  /// What is left of an entitlement.
  case credit(Int64)
  /// Spent without credit: below zero by what is owed.
  case invoice(LedgerProject)
  case held(LedgerProject)
  case spent(LedgerProject)
  /// Credit that expired.
  case lapsed(LedgerProject)

  /// Where a part of a sum comes from.
  package init(_ part: CostPart, of project: LedgerProject) {
    self = part.entitlement == 0 ? .invoice(project) : .credit(part.entitlement)
  }

  /// As the store keeps it.
  package var text: String {
    switch self {
    case .issued(let project): "issued \(project.text)"
    case .credit(let number): "credit \(number)"
    case .invoice(let project): "invoice \(project.text)"
    case .held(let project): "held \(project.text)"
    case .spent(let project): "spent \(project.text)"
    case .lapsed(let project): "lapsed \(project.text)"
    }
  }
}

/// A movement of money between accounts: its postings sum to zero.
package struct LedgerMovement: Sendable, Hashable {
  package enum Kind: String, Sendable, Hashable {
    case grant, hold, settle, lapse
  }

  package struct Posting: Sendable, Hashable {
    package var account: LedgerAccount
    package var amount: Int64
  }

  package var kind: Kind
  /// Without those of nothing.
  package var postings: [Posting]

  private init(_ kind: Kind, _ postings: [(LedgerAccount, Int64)]) {
    self.kind = kind
    self.postings = postings.filter { $0.1 != 0 }.map { Posting(account: $0.0, amount: $0.1) }
  }

  /// Credit comes into being.
  package static func grant(
    _ amount: Int64, entitlement: Int64, to project: LedgerProject
  ) -> Self {
    Self(.grant, [(.issued(project), -amount), (.credit(entitlement), amount)])
  }

  /// Credit expires.
  package static func lapse(
    _ amount: Int64, entitlement: Int64, of project: LedgerProject
  ) -> Self {
    Self(.lapse, [(.credit(entitlement), -amount), (.lapsed(project), amount)])
  }

  package static func hold(_ parts: [CostPart], of project: LedgerProject) -> Self {
    Self(
      .hold,
      parts.map { (LedgerAccount($0, of: project), -$0.amount) } + [
        (.held(project), parts.total)
      ])
  }

  /// What was held is charged in its order; the rest goes back to where it came from.
  /// - Parameter charge: at most the sum of the parts.
  package static func settle(
    _ parts: [CostPart], charge: Int64, of project: LedgerProject
  ) -> Self {
    Self(
      .settle,
      [(.held(project), -parts.total), (.spent(project), charge)]
        + refund(parts, charge: charge).map { (LedgerAccount($0, of: project), $0.amount) })
  }

  /// What is left of the parts when `charge` was taken of them from the first on.
  package static func refund(_ parts: [CostPart], charge: Int64) -> [CostPart] {
    rests(parts, charge: charge).filter { $0.amount > 0 }
  }

  /// The same with those of which nothing is left: one for each part.
  static func rests(_ parts: [CostPart], charge: Int64) -> [CostPart] {
    precondition(charge >= 0 && charge <= parts.total, "a charge is within what is held")
    var rest = charge
    return parts.map { part in
      let taken = min(rest, part.amount)
      rest -= taken
      return CostPart(entitlement: part.entitlement, amount: part.amount - taken)
    }
  }
}
