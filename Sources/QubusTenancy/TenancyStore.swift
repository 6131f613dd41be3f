package import QubusCore
package import QubusJobs

/// Changes of who there is and what they may do. Each is written with its audit entry in one
/// transaction, all or nothing.
package enum TenancyChange: Sendable, Hashable {
  case createTenant(TenantRecord)
  case setTenantDisabled(String, Bool)
  /// Destroys the tenant's data key, and with it all that was encrypted. For ever.
  case eraseTenant(String, at: Microseconds)
  case createProject(ProjectRecord)
  case setProjectDisabled(tenant: String, name: String, Bool)
  case setProjectOwner(tenant: String, name: String, owner: String)
  case createPrincipal(PrincipalRecord)
  case setPrincipalDisabled(Principal, Bool)
  case setPrincipalUser(Principal, uid: UInt32?)
  case addKey(ClientKeyRecord)
  /// From the given time on; may lie ahead, for an overlap.
  case revokeKey(String, at: Microseconds)
  case grant(GrantRecord)
  case revokeGrant(GrantRecord)
  case issueToken(TokenRecord)
  case revokeToken(String, at: Microseconds)
  case spendToken(String, shots: UInt64)
  case ledger(LedgerChange)
  /// Nil: no limit from now on.
  case setQuota(QuotaScope, Quota, limit: Int64?)
  /// In the fair queue; nil: that of the configuration from now on.
  case setWeight(QuotaScope, Double?)
  case setApprovalPolicy(ApprovalPolicy)
  case removeApprovalPolicy(ApprovalPolicy.Key)
  case setExportPolicy(ExportPolicy)
  case removeExportPolicy(ExportPolicy.Key)
  /// In the place of an earlier one of the device.
  case drain(DeviceDrain)
  case endDrain(device: String)
  case calendar(CalendarChange)
}

/// Everything at once, as it is read at start.
package struct TenancySnapshot: Sendable, Hashable {
  package var tenants: [TenantRecord] = []
  package var projects: [ProjectRecord] = []
  package var principals: [PrincipalRecord] = []
  package var keys: [ClientKeyRecord] = []
  package var grants: [GrantRecord] = []
  /// Those that have not expired.
  package var tokens: [TokenRecord] = []
  package var quotas: [QuotaRecord] = []
  package var weights: [ShareWeight] = []
  package var approvalPolicies: [ApprovalPolicy] = []
  package var exportPolicies: [ExportPolicy] = []
  package var drains: [DeviceDrain] = []
  /// Those that have not ended, in order of times.
  package var reservations: [Reservation] = []

  package init() {}
}

/// What an audit check found.
package struct AuditReport: Sendable, Hashable {
  /// Where it began: 1, or behind what retention removed, or where the look was asked to begin.
  package var first: UInt64
  /// Number of the last good record.
  package var records: UInt64
  /// SHA-256 of the last good record.
  package var head: [UInt8]
  /// Number of the first record that does not follow from the one before it; nil: whole.
  package var brokenAt: UInt64?
  package var explanation: String

  /// When retention removed the records before the first; nil: it did not.
  package var cutAt: Microseconds?

  package init(
    first: UInt64 = 1, records: UInt64, head: [UInt8], brokenAt: UInt64?, explanation: String,
    cutAt: Microseconds? = nil
  ) {
    self.first = first
    self.records = records
    self.head = head
    self.brokenAt = brokenAt
    self.explanation = explanation
    self.cutAt = cutAt
  }
}

/// Durable home of tenants, projects, principals, keys, grants, tokens, and of the audit.
package protocol TenancyStore: AuditLog {
  /// Of the data directory, drawn when it was made; never another one.
  var serviceID: Identifier { get }
  /// At start, before anything is served. The first time ever it holds the tenant `default` with
  /// the project `default` and nobody.
  func snapshot() throws(QubusError) -> TenancySnapshot
  /// Writes the change and its audit entry in one transaction. Refused without a trace when it
  /// contradicts what is there (`TenancyRules`): `name_taken`, `tenant_not_found`, ….
  func change(
    _ change: TenancyChange, audit: AuditEntry,
    completion: @escaping @Sendable (Result<Void, QubusError>) -> Void)
  /// Several changes with one entry: all or none.
  func change(
    _ changes: [TenancyChange], audit: AuditEntry,
    completion: @escaping @Sendable (Result<Void, QubusError>) -> Void)
  /// An entry without a change: a refusal, a read of results.
  func record(
    _ audit: AuditEntry, completion: @escaping @Sendable (Result<Void, QubusError>) -> Void)
  /// In order of their numbers, `after` exclusive; at most `limit`. `tenant` nil: all.
  func auditRecords(
    after number: UInt64, tenant: String?, limit: Int
  ) throws(QubusError) -> [AuditRecord]
  /// Follows the chain from the first record to the last. Records cut off at its end do not show
  /// here, only against a checkpoint.
  func verifyAudit() throws(QubusError) -> AuditReport
  /// A signed statement of the last record at present.
  func auditCheckpoint() throws(QubusError) -> AuditCheckpoint
  /// Follows the chain and compares it with a checkpoint: detects also what was cut off at the end
  /// and a chain that was computed anew.
  /// - Throws: `invalid_request` when the checkpoint is another service's or not signed by this
  ///   one.
  func verifyAudit(against checkpoint: AuditCheckpoint) throws(QubusError) -> AuditReport
}

extension TenancyStore {
  package func change(
    _ change: TenancyChange, audit: AuditEntry,
    completion: @escaping @Sendable (Result<Void, QubusError>) -> Void
  ) {
    self.change([change], audit: audit, completion: completion)
  }

  package func record(
    _ audit: AuditEntry, completion: @escaping @Sendable (Result<Void, QubusError>) -> Void
  ) {
    change([], audit: audit, completion: completion)
  }

  package func note(_ entry: AuditEntry) { record(entry) { _ in } }
}
