internal import QubusCore
internal import QubusTenancy

/// A change that was allowed: what is to be written and what the audit says of it.
struct TenancyPlan: Sendable {
  let action: Action
  /// That allowed it; nil: everybody may, to themselves.
  let grant: Grant?
  /// Kind and name.
  let subject: String
  /// Empty: the service's.
  let tenant: String
  let changes: [TenancyChange]
  /// Made when the changes are in force.
  let answer: @Sendable () throws(QubusError) -> TenancyAnswer
}
