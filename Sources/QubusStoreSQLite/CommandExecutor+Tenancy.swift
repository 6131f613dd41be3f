internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Changes of tenancy, within the open transaction of the writer.
///
/// Each change of a command is judged by what those before it left, so that a command stands in a
/// savepoint: a refused one leaves no trace and its group goes on. They are rare; their statements
/// are prepared when they are needed.
extension CommandExecutor {
  /// Tokens are kept so long after they have expired, because a clock that is set back would make a
  /// revoked one valid again whose record is gone.
  private static let tokenGraceMicroseconds: Microseconds = 3_600_000_000

  func change(
    _ changes: [TenancyChange], _ entry: AuditEntry
  ) throws(SQLiteFailure) -> Result<Void, QubusError> {
    if !changes.isEmpty {
      try write("SAVEPOINT change") { _ in }
      let refusal = try apply(changes)
      if refusal != nil { try write("ROLLBACK TO change") { _ in } }
      try write("RELEASE change") { _ in }
      if let refusal { return .failure(refusal) }
    }
    try audit.append(entry)
    return .success(())
  }

  private func apply(_ changes: [TenancyChange]) throws(SQLiteFailure) -> QubusError? {
    let rows = TenancyRows(db: db)
    for change in changes {
      if let refusal = try TenancyRules.refusal(of: change, in: rows) { return refusal }
      try apply(change)
      if let vault, let refusal = try keep(change, vault) { return refusal }
    }
    for change in changes {
      if let refusal = try TenancyRules.ownerRefusal(of: change, in: rows) { return refusal }
    }
    return nil
  }

  /// The data key that a tenant gets, and the one that it loses. The vault may know of a key whose
  /// transaction is taken back; nothing is sealed with it, because the tenant is not there either.
  private func keep(
    _ change: TenancyChange, _ vault: Vault
  ) throws(SQLiteFailure) -> QubusError? {
    switch change {
    case .createTenant(let record):
      let made: (key: [UInt8], wrapped: WrappedKey)
      do throws(QubusError) {
        made = try WrappedKey.make(of: record.name, under: vault.master)
      } catch { return error }
      // Rows from before tenants had records may have given it one.
      let inserted = try write(
        """
        INSERT INTO tenant_keys (tenant,master,wrapped,created_at) VALUES (?,?,?,?)
        ON CONFLICT (tenant) DO NOTHING
        """
      ) {
        $0.add(record.name)
        $0.add(made.wrapped.master)
        $0.add(made.wrapped.bytes)
        $0.add(record.createdAt)
      }
      if inserted > 0 { vault.set(.open(DataKey(made.key)), of: record.name) }
    case .eraseTenant(let name, _): vault.set(.erased, of: name)
    default: break
    }
    return nil
  }

  private func erase(_ name: String, at time: Microseconds) throws(SQLiteFailure) {
    try write(
      """
      UPDATE tenant_keys SET wrapped = NULL, erased_at = ?1
      WHERE tenant = ?2 AND wrapped IS NOT NULL
      """
    ) {
      $0.add(time)
      $0.add(name)
    }
  }

  /// A change that the rules let pass.
  private func apply(_ change: TenancyChange) throws(SQLiteFailure) {
    switch change {
    case .createTenant(let record):
      try write("INSERT INTO tenants (name,disabled,created_at) VALUES (?,?,?)") {
        $0.add(record.name)
        $0.add(record.isDisabled)
        $0.add(record.createdAt)
      }
    case .setTenantDisabled(let name, let isDisabled):
      try write("UPDATE tenants SET disabled = ? WHERE name = ?") {
        $0.add(isDisabled)
        $0.add(name)
      }
    case .createProject(let record): try insert(record)
    case .setProjectDisabled(let tenant, let name, let isDisabled):
      try write("UPDATE projects SET disabled = ? WHERE tenant = ? AND name = ?") {
        $0.add(isDisabled)
        $0.add(tenant)
        $0.add(name)
      }
    case .setProjectOwner(let tenant, let name, let owner):
      try write("UPDATE projects SET owner = ? WHERE tenant = ? AND name = ?") {
        $0.add(owner)
        $0.add(tenant)
        $0.add(name)
      }
    case .createPrincipal(let record): try insert(record)
    case .setPrincipalDisabled(let principal, let isDisabled):
      try write("UPDATE principals SET disabled = ? WHERE \(TenancyRows.ofPrincipal)") {
        $0.add(isDisabled)
        $0.add(principal)
      }
    case .setPrincipalUser(let principal, let uid):
      try write("UPDATE principals SET uid = ? WHERE \(TenancyRows.ofPrincipal)") {
        $0.add(uid.map { Int64($0) })
        $0.add(principal)
      }
    case .addKey(let record): try insert(record)
    case .revokeKey(let key, let time): try revoke("client_keys", "key", key, time)
    case .grant(let record):
      try write("INSERT INTO grants (\(TenancyRows.grantColumns)) VALUES (?,?,?,?,?,?,?)") {
        $0.add(record)
      }
    case .revokeGrant(let record):
      try write("DELETE FROM grants WHERE \(TenancyRows.ofGrant)") { $0.add(record) }
    case .issueToken(let record): try insert(record)
    case .revokeToken(let id, let time): try revoke("tokens", "id", id, time)
    case .ledger(let change): try ledger.apply(change, at: clock.now())
    case .calendar(let change): try apply(change)
    case .eraseTenant(let name, let time): try erase(name, at: time)
    case .spendToken(let id, let shots):
      try write("UPDATE tokens SET shots_used = shots_used + ? WHERE id = ?") {
        $0.add(shots)
        $0.add(id)
      }
    case .setQuota, .setWeight, .setApprovalPolicy, .removeApprovalPolicy, .setExportPolicy,
      .removeExportPolicy, .drain, .endDrain:
      try applyBound(change)
    }
  }

  /// A revocation is brought forward, never put off.
  private func revoke(
    _ table: String, _ column: String, _ name: String, _ time: Microseconds
  ) throws(SQLiteFailure) {
    try write(
      "UPDATE \(table) SET revoked_at = MIN(COALESCE(revoked_at, ?1), ?1) WHERE \(column) = ?2"
    ) {
      $0.add(time)
      $0.add(name)
    }
  }

  private func insert(_ record: ProjectRecord) throws(SQLiteFailure) {
    try write("INSERT INTO projects (tenant,name,owner,disabled,created_at) VALUES (?,?,?,?,?)") {
      $0.add(record.tenant)
      $0.add(record.name)
      $0.add(record.owner)
      $0.add(record.isDisabled)
      $0.add(record.createdAt)
    }
  }

  private func insert(_ record: PrincipalRecord) throws(SQLiteFailure) {
    try write(
      """
      INSERT INTO principals (tenant,project,principal,uid,disabled,created_at)
      VALUES (?,?,?,?,?,?)
      """
    ) {
      $0.add(record.principal)
      $0.add(record.uid.map { Int64($0) })
      $0.add(record.isDisabled)
      $0.add(record.createdAt)
    }
  }

  private func insert(_ record: ClientKeyRecord) throws(SQLiteFailure) {
    try write("INSERT INTO client_keys (\(TenancyRows.keyColumns)) VALUES (?,?,?,?,?,?,?,?)") {
      $0.add(record.key)
      $0.add(record.principal)
      $0.add(record.isInvitation)
      $0.add(record.createdAt)
      $0.add(record.expiresAt)
      $0.add(record.revokedAt)
    }
  }

  private func insert(_ record: TokenRecord) throws(SQLiteFailure) {
    try write("DELETE FROM tokens WHERE expires_at < ?") {
      $0.add(clock.now() - Self.tokenGraceMicroseconds)
    }
    try write("INSERT INTO tokens (\(TenancyRows.tokenColumns)) VALUES (?,?,?,?,?,?,?,?,?,?)") {
      $0.add(record.id)
      $0.add(record.principal)
      $0.add(record.boundTo)
      $0.add(record.issuedAt)
      $0.add(record.expiresAt)
      $0.add(record.maxShots.map { Int64(bitPattern: $0) })
      $0.add(record.shotsUsed)
      $0.add(record.revokedAt)
    }
  }

  /// - Returns: rows that were written.
  @discardableResult
  func write(
    _ sql: String, _ bind: (SQLStatement) -> Void
  ) throws(SQLiteFailure) -> Int {
    let statement: SQLStatement
    do { statement = try db.ready(sql) } catch { throw SQLiteFailure(error) }
    bind(statement)
    try statement.run()
    return statement.changedRows
  }
}
