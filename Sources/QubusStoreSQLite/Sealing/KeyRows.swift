internal import GRDB
internal import QubusCore
internal import QubusTenancy

/// The table `tenant_keys`.
struct KeyRows {
  struct Row {
    var tenant: String
    var master: [UInt8]
    /// Nil: erased.
    var wrapped: [UInt8]?

    var key: WrappedKey? { wrapped.map { WrappedKey(master: master, bytes: $0) } }
  }
  let db: Database

  func all() throws -> [Row] {
    let select = try db.ready("SELECT tenant,master,wrapped FROM tenant_keys ORDER BY tenant")
    defer { select.rewind() }
    var rows: [Row] = []
    while try select.step() {
      var row = select.row
      rows.append(Row(tenant: row.text(), master: row.blob(), wrapped: row.optionalBlob()))
    }
    return rows
  }

  func insert(_ key: WrappedKey, of tenant: String, at time: Microseconds) throws {
    let insert = try db.ready(
      "INSERT INTO tenant_keys (tenant,master,wrapped,created_at) VALUES (?,?,?,?)")
    insert.add(tenant)
    insert.add(key.master)
    insert.add(key.bytes)
    insert.add(time)
    try insert.run()
  }

  func replace(_ key: WrappedKey, of tenant: String) throws {
    let update = try db.ready("UPDATE tenant_keys SET master = ?, wrapped = ? WHERE tenant = ?")
    update.add(key.master)
    update.add(key.bytes)
    update.add(tenant)
    try update.run()
  }

  /// Those who have none, whatever has rows of theirs.
  func tenantsWithout() throws -> [String] {
    try String.fetchAll(
      db,
      sql: """
        SELECT name FROM tenants UNION SELECT DISTINCT tenant FROM jobs
        UNION SELECT DISTINCT tenant FROM sessions EXCEPT SELECT tenant FROM tenant_keys
        """)
  }
}
