internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Who can still run the service. Its last operator is neither removed nor disabled nor locked out:
/// nobody could undo that.
struct OperatorCensus {
  private let directory: Directory
  private let now: Microseconds

  init(_ directory: Directory, now: Microseconds) {
    self.directory = directory
    self.now = now
  }

  /// - Throws: `permission_denied` when the changes would leave the service without an operator who
  ///   can connect.
  func check(_ changes: [TenancyChange]) throws(QubusError) {
    let candidates = directory.principals().map(\.principal)
    let before = candidates.filter { isOperator($0, after: []) }
    guard !before.isEmpty, !before.contains(where: { isOperator($0, after: changes) }) else {
      return
    }
    throw QubusError(
      .permissionDenied,
      "\(before.map(\.text).joined(separator: ", ")) would be the last operator to go: grant "
        + "operator to somebody else first",
      details: ["action": Action.managePrincipals.rawValue, "scope": Scope().text])
  }

  /// Of everything, enabled, and with a lasting way in.
  private func isOperator(_ principal: Principal, after changes: [TenancyChange]) -> Bool {
    let everything = Grant(.operator, Scope())
    let isGranted =
      directory.grants(of: principal).contains(everything)
      && !changes.contains(.revokeGrant(GrantRecord(principal: principal, grant: everything)))
    guard isGranted, let record = directory.principal(principal), !record.isDisabled,
      !changes.contains(.setPrincipalDisabled(principal, true)),
      directory.tenant(principal.tenant)?.isDisabled == false,
      !changes.contains(.setTenantDisabled(principal.tenant, true))
    else { return false }
    return hasWayIn(record, after: changes)
  }

  private func hasWayIn(_ record: PrincipalRecord, after changes: [TenancyChange]) -> Bool {
    var uid = record.uid
    var revoked: Set<String> = []
    for change in changes {
      if case .setPrincipalUser(record.principal, let new) = change { uid = new }
      if case .revokeKey(let key, _) = change { revoked.insert(key) }
    }
    if uid != nil { return true }
    return directory.keys(of: record.principal).contains {
      !$0.isInvitation && $0.expiresAt == nil && $0.revokedAt == nil && !revoked.contains($0.key)
    }
  }
}
