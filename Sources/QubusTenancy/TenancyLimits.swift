/// Bounds of administration; errors name them.
package enum TenancyLimits {
  /// Bytes of the reason of a change.
  package static let reasonBytes = 1024
  /// Grants that a principal is created with.
  package static let grantsAtCreation = 16
  /// Keys of one principal that are valid at one time, invitations included.
  package static let keysPerPrincipal = 16
  /// Names on one page of a list, and when nothing is said.
  package static let pageSize = 1000
  package static let usualPageSize = 100
  /// Seconds.
  package static let keyOverlap = 90.0 * 86_400
  package static let keyValidity = 3650.0 * 86_400
  package static let invitationValidity = 30.0 * 86_400
  package static let usualInvitationValidity = 7.0 * 86_400
  package static let tokenValidity: Int64 = 900
}
