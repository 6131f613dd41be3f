internal import Foundation
internal import GRDB
internal import Glibc
internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Whether a folder is a whole backup: its database is sound, its audit follows record by record,
/// and the files that its rows name are there with the bytes that they shall have.
struct BackupCheck {
  let folder: String

  private var databasePath: String { folder + "/" + Backup.databaseName }

  /// - Throws: `backup_invalid`, naming the file and what is wrong.
  func run() throws(QubusError) -> Backup.Report {
    let report = try read { db in
      let verdict = try String.fetchOne(db, sql: "PRAGMA integrity_check") ?? "no answer"
      guard verdict == "ok" else { throw invalid("\(databasePath): \(verdict)") }
      let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
      let owner = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
      guard owner == Int(Schema.applicationID), (1...Schema.version).contains(version) else {
        throw invalid("\(databasePath): schema \(version) is not known")
      }
      // Before version 3 there was neither an audit nor a key.
      let hasAudit = try db.tableExists("audit")
      let audit = hasAudit ? try followAudit(db) : AuditChain().report()
      let keys =
        try db.tableExists("tenant_keys")
        ? try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM tenant_keys") ?? 0 : 0
      return Backup.Report(
        jobs: try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM jobs") ?? 0, files: 0,
        auditRecords: audit.records, auditHead: audit.head, isEncrypted: keys > 0)
    }
    let count = try checkFiles()
    var whole = report
    whole.files = count
    return whole
  }

  /// Names of the files that rows name.
  func files() throws(QubusError) -> [String] {
    try read { db in
      try String.fetchAll(
        db,
        sql: """
          SELECT DISTINCT lower(hex(file)) FROM result_chunks WHERE file IS NOT NULL ORDER BY 1
          """)
    }
  }

  private func followAudit(_ db: Database) throws -> AuditReport {
    // Whose key signed the cut is in the backup too; that it is the service's shows from outside.
    let cut = try db.tableExists("audit_cut") ? try cut(db) : nil
    var chain =
      cut.map {
        AuditChain(behind: $0, isGood: $0.isSigned(by: $0.publicKey), against: nil)
      } ?? AuditChain()
    if let fault = chain.fault { throw invalid("\(databasePath): audit: \(fault.explanation)") }
    let select = try db.ready(AuditReader.page)
    defer { select.rewind() }
    select.add(Int64.min)
    select.add(Int64.max)
    while try select.step() {
      let (record, encoding) = try AuditReader.record(select.row)
      if let fault = chain.follow(record, encoding: encoding) {
        throw invalid("\(databasePath): audit: \(fault.explanation)")
      }
    }
    return chain.report()
  }

  private func cut(_ db: Database) throws -> AuditCheckpoint? {
    let select = try db.ready("SELECT id FROM service")
    defer { select.rewind() }
    guard try select.step(), case var row = select.row, let service = row.identifier() else {
      throw invalid("\(databasePath): it has no service id")
    }
    return try AuditReader.cut(db, service: service)
  }

  /// Plain items against the SHA-256 of their chunks; of sealed ones the length, because what is in
  /// them shows with the key only.
  private func checkFiles() throws(QubusError) -> Int {
    let chunks = try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT bytes, sha256, encoding, file, offset FROM result_chunks
          WHERE file IS NOT NULL ORDER BY file, offset
          """
      ).map { row -> (Int, [UInt8], Bool, [UInt8], UInt64) in
        (
          row["bytes"], [UInt8](row["sha256"] as Data), (row["encoding"] as Int) == 3,
          [UInt8](row["file"] as Data), UInt64(row["offset"] as Int64)
        )
      }
    }
    let blobs = BlobFiles(root: folder + "/blobs")
    var names: Set<[UInt8]> = []
    for (bytes, sha256, isSealed, file, offset) in chunks {
      names.insert(file)
      let count = bytes + (isSealed ? DataKey.overhead : 0)
      let found = blobs.read(sha256: file, offset: offset, count: count)
      guard let found, isSealed ? DataKey.isSealed(found) : Checksum.of(found) == sha256 else {
        throw invalid("\(blobs.path(of: file)): the file is missing, too short or another one")
      }
    }
    return names.count
  }

  private func read<Value: Sendable>(
    _ body: @Sendable (Database) throws -> Value
  ) throws(QubusError) -> Value {
    guard access(databasePath, R_OK) == 0 else {
      throw invalid("\(databasePath): \(String(cString: strerror(errno)))")
    }
    var configuration = Configuration()
    configuration.readonly = true
    do {
      let database = try DatabaseQueue(path: databasePath, configuration: configuration)
      defer { try? database.close() }
      return try database.unsafeRead(body)
    } catch let error as QubusError {
      throw error.code == .auditCorrupt ? invalid("\(databasePath): \(error.message)") : error
    } catch {
      throw invalid("\(databasePath): \(SQLiteFailure(error).message)")
    }
  }

  private func invalid(_ what: String) -> QubusError { QubusError(.backupInvalid, what) }
}
