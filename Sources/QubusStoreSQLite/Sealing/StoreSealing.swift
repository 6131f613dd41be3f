internal import GRDB
internal import QubusCore
internal import QubusJobs

/// Seals what a store holds from before encryption. In small transactions, each of which leaves a
/// store that opens: whatever interrupts it, the next start goes on. Then the file is built anew
/// and the log cut, so that no plain text stays in either.
///
/// The writer does not run yet, and nobody reads.
struct StoreSealing {
  let db: Database
  let vault: Vault
  let blobs: BlobFiles

  static let pageRows = 500
  static let pageChunks = 32

  /// - Returns: values that were sealed.
  func run(at time: Microseconds) throws -> Int {
    try db.execute(sql: "PRAGMA secure_delete = ON")
    var sealed = try sealJobs() + sealRequests() + sealEvents()
    sealed += try sealResults() + sealChunks() + sealFiles()
    sealed += try sealSessions() + sealOptimizations() + sealCheckpoints()
    sealed += try sealCharges()
    try removeForeignFiles()
    try db.execute(sql: "VACUUM")
    try cutLog()
    // Only now: whatever failed before is done again at the next start.
    try db.execute(sql: "UPDATE service SET sealed_at = ?", arguments: [time])
    try cutLog()
    return sealed
  }

  private func cutLog() throws { try db.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }

  /// Pages, each in a transaction, until one has no rows.
  /// - Parameter page: returns the rows read, and the values sealed of them.
  func pages(_ page: () throws -> (rows: Int, sealed: Int)) throws -> Int {
    var sealed = 0
    while true {
      var rows = 0
      try db.inTransaction(.immediate) {
        let done = try page()
        rows = done.rows
        sealed += done.sealed
        return .commit
      }
      if rows == 0 { return sealed }
      try cutLog()
    }
  }

  /// The value sealed; as it is when it is sealed already, has nothing in it, or its tenant's key
  /// is gone.
  func seal(_ bytes: [UInt8], of tenant: String, at place: SealPlace) throws -> [UInt8] {
    guard !bytes.isEmpty, !DataKey.isSealed(bytes), case .open(let key) = vault[tenant] else {
      return bytes
    }
    return try key.seal(bytes, at: place)
  }

  /// Reads all rows of a statement before any is changed.
  func read<Value>(
    _ sql: String, _ bind: (SQLStatement) -> Void, _ row: (inout SQLRow) throws -> Value
  ) throws -> [Value] {
    let select = try db.ready(sql)
    defer { select.rewind() }
    bind(select)
    var values: [Value] = []
    while try select.step() {
      var columns = select.row
      values.append(try row(&columns))
    }
    return values
  }

  func write(_ sql: String, _ bind: (SQLStatement) -> Void) throws {
    let update = try db.ready(sql)
    bind(update)
    try update.run()
  }

  /// Files that no row names: those whose contents were sealed into others, now or by a start that
  /// was interrupted.
  private func removeForeignFiles() throws {
    let named = Set(
      try read("SELECT DISTINCT file FROM result_chunks WHERE file IS NOT NULL", { _ in }) {
        $0.blob()
      })
    try blobs.removeAll { !named.contains($0) }
  }
}
