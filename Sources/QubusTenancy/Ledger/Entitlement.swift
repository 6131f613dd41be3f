package import QubusCore

/// The right of a project to spend: a grant, or a subscription that renews itself.
package struct Entitlement: Sendable, Hashable {
  /// Of the store, from 1 on; 0 before it is written.
  package var number: Int64
  package var project: LedgerProject
  /// Micro-units; of a subscription, for each period.
  package var amount: Int64
  /// Nil: a grant.
  package var periodSeconds: Int64?
  package var createdAt: Microseconds
  /// End of the present period, or of the grant; nil: never.
  package var expiresAt: Microseconds?
  /// From then on a subscription renews no more; nil: it always does.
  package var endsAt: Microseconds?

  package init(
    number: Int64 = 0, project: LedgerProject, amount: Int64, periodSeconds: Int64? = nil,
    createdAt: Microseconds, expiresAt: Microseconds? = nil, endsAt: Microseconds? = nil
  ) {
    self.number = number
    self.project = project
    self.amount = amount
    self.periodSeconds = periodSeconds
    self.createdAt = createdAt
    self.expiresAt = expiresAt
    self.endsAt = endsAt
  }

  /// The order of spending: what expires first goes first, then the older; what never expires comes
  /// last. A subscription expires with its period.
  package static func isSpentBefore(_ a: Entitlement, _ b: Entitlement) -> Bool {
    let (first, second) = (a.expiresAt ?? .max, b.expiresAt ?? .max)
    return first != second ? first < second : a.number < b.number
  }

  /// The end of the period that `now` lies in; nil for a grant and when it renews no more.
  func nextExpiry(at now: Microseconds) -> Microseconds? {
    guard let periodSeconds, let expiresAt, now < endsAt ?? .max else { return nil }
    let period = periodSeconds * 1_000_000
    let next = expiresAt + ((now - expiresAt) / period + 1) * period
    return min(next, endsAt ?? .max)
  }

  /// Of the present period; nil for a grant.
  var periodStart: Microseconds? {
    guard let periodSeconds, let expiresAt else { return nil }
    let period = periodSeconds * 1_000_000
    return createdAt + (expiresAt - 1 - createdAt) / period * period
  }
}
