package import QubusCore

/// What a tenant, a project in it or a principal in that counts beside its siblings in the fair
/// queue.
package struct ShareWeight: Sendable, Hashable {
  package static let range = 0.001...1_000_000.0

  /// Of all devices.
  package var scope: QuotaScope
  package var weight: Double

  package init(scope: QuotaScope, weight: Double) {
    self.scope = scope
    self.weight = weight
  }

  /// Why a number is no weight; nil when it is one.
  package static func refusal(of weight: Double) -> QubusError? {
    range.contains(weight)
      ? nil
      : .field(.invalidRequest, "weight", "is \(weight)", limit: "0.001 to 1000000")
  }
}
