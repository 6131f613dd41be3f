internal import QubusCore
internal import QubusJobs

/// What a directory knows, and the identities that were made of it.
struct DirectoryState: Sendable {
  var tenants: [String: TenantRecord] = [:]
  var projects: [String: [String: ProjectRecord]] = [:]
  var principals: [Principal: PrincipalRecord] = [:]
  var users: [UInt32: Principal] = [:]
  var keys: [String: ClientKeyRecord] = [:]
  var grants: [Principal: [Grant]] = [:]
  var tokens: [String: TokenRecord] = [:]
  var allowances: [String: TokenAllowance] = [:]
  /// Of the present version.
  var identities: [Credential: Identity] = [:]

  /// Enough for every key and user in use; beyond, identities are made again.
  static let identityLimit = 16_384

  mutating func apply(_ change: TenancyChange) {
    switch change {
    case .createTenant(let record): tenants[record.name] = record
    case .setTenantDisabled(let name, let isDisabled): tenants[name]?.isDisabled = isDisabled
    case .eraseTenant: break
    case .createProject(let record): projects[record.tenant, default: [:]][record.name] = record
    case .setProjectDisabled(let tenant, let name, let isDisabled):
      projects[tenant]?[name]?.isDisabled = isDisabled
    case .setProjectOwner(let tenant, let name, let owner): projects[tenant]?[name]?.owner = owner
    case .createPrincipal(let record): add(record)
    case .setPrincipalDisabled(let principal, let isDisabled):
      principals[principal]?.isDisabled = isDisabled
    case .setPrincipalUser(let principal, let uid): setUser(principal, uid)
    case .addKey(let record): if keys[record.key] == nil { keys[record.key] = record }
    case .revokeKey(let key, let time):
      // What was revoked stays so: a later time comes too late.
      let earliest = Swift.min(keys[key]?.revokedAt ?? time, time)
      keys[key]?.revokedAt = earliest
    case .grant(let record): add(record)
    case .revokeGrant(let record): grants[record.principal]?.removeAll { $0 == record.grant }
    case .issueToken(let record): tokens[record.id] = record
    case .revokeToken(let id, let time):
      let earliest = Swift.min(tokens[id]?.revokedAt ?? time, time)
      tokens[id]?.revokedAt = earliest
    // Counted already by whoever spent them (`TokenAllowance`).
    case .spendToken: break
    case .ledger: break
    // Kept by those who judge by them (`QuotaKeeper`, `ShareWeights`, `ApprovalPolicies`,
    // `ExportPolicies`, `DeviceDrains`, `ReservationBook`).
    case .setQuota, .setWeight, .setApprovalPolicy, .removeApprovalPolicy, .setExportPolicy,
      .removeExportPolicy, .drain, .endDrain, .calendar:
      break
    }
  }

  mutating func add(_ record: PrincipalRecord) {
    principals[record.principal] = record
    if let uid = record.uid { users[uid] = record.principal }
  }

  private mutating func setUser(_ principal: Principal, _ uid: UInt32?) {
    guard principals[principal] != nil else { return }
    if let old = principals[principal]?.uid, users[old] == principal { users[old] = nil }
    principals[principal]?.uid = uid
    if let uid { users[uid] = principal }
  }

  mutating func add(_ record: GrantRecord) {
    // Beyond its reach a role would be another one; the store may hold what an older rule allowed.
    guard record.grant.role.isGrantable(for: record.grant.scope) else { return }
    if grants[record.principal]?.contains(record.grant) == true { return }
    grants[record.principal, default: []].append(record.grant)
  }

  /// False for a principal that can do nothing: unknown, disabled, or of a disabled tenant.
  func isServed(_ principal: Principal) -> Bool {
    principals[principal]?.isDisabled == false && tenants[principal.tenant]?.isDisabled == false
  }

  func isSuspended(_ principal: Principal) -> Bool {
    projects[principal.tenant]?[principal.project]?.isDisabled ?? true
  }

  /// When the next key, token or revocation takes effect by itself, after `now`.
  func nextChange(after now: Microseconds) -> Microseconds {
    var next = Microseconds.max
    for key in keys.values {
      for time in [key.expiresAt, key.revokedAt] { next = min(next, time ?? .max, after: now) }
    }
    for token in tokens.values {
      for time in [token.expiresAt, token.revokedAt] { next = min(next, time ?? .max, after: now) }
    }
    return next
  }

  private func min(
    _ next: Microseconds, _ time: Microseconds, after now: Microseconds
  ) -> Microseconds {
    time > now ? Swift.min(next, time) : next
  }

  mutating func forgetTokens(expiredAt now: Microseconds) {
    tokens = tokens.filter { $0.value.expiresAt > now }
    allowances = allowances.filter { tokens[$0.key] != nil }
  }
}
