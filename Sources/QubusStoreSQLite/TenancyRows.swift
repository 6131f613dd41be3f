internal import GRDB
internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// The rows of tenancy as values, and as what changes are judged by.
struct TenancyRows {
  let db: Database

  static let ofPrincipal = "tenant = ? AND project = ? AND principal = ?"
  static let keyColumns = "key,tenant,project,principal,invitation,created_at,expires_at,revoked_at"
  static let grantColumns = """
    tenant,project,principal,role,scope_tenant,scope_project,scope_device_family
    """
  static let ofGrant = """
    tenant = ? AND project = ? AND principal = ? AND role = ? AND scope_tenant = ?
    AND scope_project = ? AND scope_device_family = ?
    """
  static let tokenColumns = """
    id,tenant,project,principal,bound_to,issued_at,expires_at,max_shots,shots_used,revoked_at
    """

  /// Everything, as of one moment, in order of names; of tokens those that have not expired.
  func snapshot(at now: Microseconds) throws -> TenancySnapshot {
    var snapshot = TenancySnapshot()
    try db.inTransaction(.deferred) {
      snapshot.tenants = try all("SELECT name,disabled,created_at FROM tenants ORDER BY name") {
        var record = TenantRecord(name: $0.text(), createdAt: 0)
        record.isDisabled = $0.boolean()
        record.createdAt = $0.integer()
        return record
      }
      snapshot.projects = try all(
        "SELECT tenant,name,owner,disabled,created_at FROM projects ORDER BY tenant,name"
      ) {
        var record = ProjectRecord(
          tenant: $0.text(), name: $0.text(), owner: $0.text(), createdAt: 0)
        record.isDisabled = $0.boolean()
        record.createdAt = $0.integer()
        return record
      }
      snapshot.principals = try all(
        """
        SELECT tenant,project,principal,uid,disabled,created_at FROM principals
        ORDER BY tenant,project,principal
        """, Self.principal)
      snapshot.keys = try all(
        "SELECT \(Self.keyColumns) FROM client_keys ORDER BY key", Self.key)
      snapshot.grants = try all(
        "SELECT \(Self.grantColumns) FROM grants ORDER BY \(Self.grantColumns)", Self.grant)
      snapshot.tokens = try all(
        "SELECT \(Self.tokenColumns) FROM tokens WHERE expires_at > ? ORDER BY id",
        bind: { $0.add(now) }, Self.token)
      snapshot.quotas = try all(
        "SELECT scope,quota,family,bound FROM quotas ORDER BY scope,family,quota", Self.quota)
      snapshot.weights = try all(
        "SELECT scope,weight FROM share_weights ORDER BY scope", Self.weight)
      snapshot.approvalPolicies = try all(
        "SELECT \(Self.policyColumns) FROM approval_policies ORDER BY tenant,project,class",
        Self.policy)
      snapshot.exportPolicies = try all(
        "SELECT tenant,project,destinations FROM export_policies ORDER BY tenant,project",
        Self.exportPolicy)
      snapshot.drains = try all(
        "SELECT \(Self.drainColumns) FROM device_drains ORDER BY device", Self.drain)
      snapshot.reservations = try all(
        """
        SELECT \(Self.reservationColumns) FROM reservations WHERE ends_at > ?
        ORDER BY starts_at,id
        """,
        bind: { $0.add(now) }, Self.reservation)
      return .commit
    }
    return snapshot
  }

  func all<Value>(
    _ sql: String, bind: (SQLStatement) -> Void = { _ in },
    _ read: (inout SQLRow) throws(QubusError) -> Value
  ) throws -> [Value] {
    let select = try db.ready(sql)
    defer { select.rewind() }
    bind(select)
    var values: [Value] = []
    while try select.step() {
      var row = select.row
      values.append(try read(&row))
    }
    return values
  }

  private static func owner(_ row: inout SQLRow) -> Principal {
    Principal(tenant: row.text(), project: row.text(), name: row.text())
  }

  private static func principal(_ row: inout SQLRow) throws(QubusError) -> PrincipalRecord {
    var record = PrincipalRecord(principal: owner(&row), createdAt: 0)
    if let number = row.optionalInteger() {
      guard let uid = UInt32(exactly: number) else {
        throw damaged("principal \(record.principal.name) has user \(number)")
      }
      record.uid = uid
    }
    record.isDisabled = row.boolean()
    record.createdAt = row.integer()
    return record
  }

  private static func key(_ row: inout SQLRow) -> ClientKeyRecord {
    var record = ClientKeyRecord(key: row.text(), principal: owner(&row), createdAt: 0)
    record.isInvitation = row.boolean()
    record.createdAt = row.integer()
    record.expiresAt = row.optionalInteger()
    record.revokedAt = row.optionalInteger()
    return record
  }

  private static func grant(_ row: inout SQLRow) throws(QubusError) -> GrantRecord {
    let principal = owner(&row)
    let word = row.text()
    guard let role = Role(rawValue: word) else {
      throw damaged("principal \(principal.name) has role \(word)")
    }
    func place(_ text: String) -> String? { text.isEmpty ? nil : text }
    let scope = Scope(
      tenant: place(row.text()), project: place(row.text()), deviceFamily: place(row.text()))
    return GrantRecord(principal: principal, grant: Grant(role, scope))
  }

  private static func token(_ row: inout SQLRow) -> TokenRecord {
    var record = TokenRecord(
      id: row.text(), principal: owner(&row), boundTo: row.text(), issuedAt: row.integer(),
      expiresAt: row.integer(), maxShots: row.optionalInteger().map { UInt64(bitPattern: $0) })
    record.shotsUsed = row.unsigned()
    record.revokedAt = row.optionalInteger()
    return record
  }

  static func damaged(_ what: String) -> QubusError {
    QubusError(.dataDirectoryCorrupt, "the database is damaged: \(what)")
  }
}

extension TenancyRows: TenancyLookup {
  func hasTenant(_ name: String) throws(SQLiteFailure) -> Bool {
    try first("SELECT 1 FROM tenants WHERE name = ?") { $0.add(name) } != nil
  }

  func hasProject(_ name: String, of tenant: String) throws(SQLiteFailure) -> Bool {
    try first("SELECT 1 FROM projects WHERE tenant = ? AND name = ?") {
      $0.add(tenant)
      $0.add(name)
    } != nil
  }

  func hasPrincipal(_ principal: Principal) throws(SQLiteFailure) -> Bool {
    try first("SELECT 1 FROM principals WHERE \(Self.ofPrincipal)") { $0.add(principal) } != nil
  }

  func hasPrincipal(named name: String, in tenant: String) throws(SQLiteFailure) -> Bool {
    try first("SELECT 1 FROM principals WHERE tenant = ? AND principal = ?") {
      $0.add(tenant)
      $0.add(name)
    } != nil
  }

  func principal(ofUser uid: UInt32) throws(SQLiteFailure) -> Principal? {
    try first("SELECT tenant,project,principal FROM principals WHERE uid = ?") {
      $0.add(uid)
    } read: {
      Self.owner(&$0)
    }
  }

  func hasKey(_ key: String) throws(SQLiteFailure) -> Bool {
    try first("SELECT 1 FROM client_keys WHERE key = ?") { $0.add(key) } != nil
  }

  func hasGrant(_ record: GrantRecord) throws(SQLiteFailure) -> Bool {
    try first("SELECT 1 FROM grants WHERE \(Self.ofGrant)") { $0.add(record) } != nil
  }

  func token(_ id: String) throws(SQLiteFailure) -> TokenRecord? {
    try first("SELECT \(Self.tokenColumns) FROM tokens WHERE id = ?") {
      $0.add(id)
    } read: {
      Self.token(&$0)
    }
  }

  func first(
    _ sql: String, _ bind: (SQLStatement) -> Void
  ) throws(SQLiteFailure) -> Bool? {
    try first(sql, bind) { _ in true }
  }

  func first<Value>(
    _ sql: String, _ bind: (SQLStatement) -> Void, read: (inout SQLRow) -> Value
  ) throws(SQLiteFailure) -> Value? {
    let select: SQLStatement
    do { select = try db.ready(sql) } catch { throw SQLiteFailure(error) }
    defer { select.rewind() }
    bind(select)
    guard try select.step() else { return nil }
    var row = select.row
    return read(&row)
  }
}

extension SQLStatement {
  /// Binds the three values of `TenancyRows.ofPrincipal`.
  func add(_ principal: Principal) {
    add(principal.tenant)
    add(principal.project)
    add(principal.name)
  }

  /// Binds the seven values of `TenancyRows.grantColumns`.
  func add(_ record: GrantRecord) {
    add(record.principal)
    add(record.grant.role.rawValue)
    add(record.grant.scope.tenant ?? "")
    add(record.grant.scope.project ?? "")
    add(record.grant.scope.deviceFamily ?? "")
  }
}
