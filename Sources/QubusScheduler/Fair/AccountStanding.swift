/// What an account counts beside its siblings now.
package struct AccountStanding: Sendable, Hashable {
  package var account: AccountPath
  package var weight: Double
  /// What the past multiplies it by.
  package var factor: Double
  /// Device-seconds, worth what their age left of them.
  package var used: Double

  package init(account: AccountPath, weight: Double, factor: Double, used: Double) {
    self.account = account
    self.weight = weight
    self.factor = factor
    self.used = used
  }
}
