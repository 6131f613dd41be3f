package import QubusCore
internal import Synchronization

/// The shots of one token, counted in memory at once, so that calls side by side do not spend the
/// same ones twice, and told to the store behind them.
package final class TokenAllowance: Sendable {
  package let tokenID: String
  package let limit: UInt64
  private let spent: Atomic<UInt64>
  private let wasSpent: @Sendable (TenancyChange) -> Void

  /// - Parameter wasSpent: told of shots that were spent for good.
  package init(
    tokenID: String, limit: UInt64, used: UInt64,
    wasSpent: @escaping @Sendable (TenancyChange) -> Void
  ) {
    self.tokenID = tokenID
    self.limit = limit
    spent = Atomic(used)
    self.wasSpent = wasSpent
  }

  package var used: UInt64 { spent.load(ordering: .relaxed) }

  /// Takes shots for work that is about to be accepted; then either `keep` or `giveBack` them.
  /// - Throws: `token_expired` when fewer are left.
  package func take(_ shots: UInt64) throws(QubusError) {
    var now = used
    while true {
      let left = limit - min(limit, now)
      // Once they are used up, nothing is begun any more, exact work neither.
      guard left > 0, shots <= left else {
        throw .tokenExpired("\(shots) shots are asked for, \(left) of its \(limit) are left")
      }
      let result = spent.weakCompareExchange(
        expected: now, desired: now + shots, ordering: .relaxed)
      if result.exchanged { return }
      now = result.original
    }
  }

  /// The work was accepted: the shots are spent for good.
  package func keep(_ shots: UInt64) {
    if shots > 0 { wasSpent(.spendToken(tokenID, shots: shots)) }
  }

  /// The work was refused.
  package func giveBack(_ shots: UInt64) { spent.subtract(shots, ordering: .relaxed) }
}
