internal import GRDB
internal import QubusCore
internal import QubusJobs

/// Appends to the audit within the open transaction of the writer, which alone does so and
/// therefore knows the last record without reading it.
final class AuditWriter {
  private let insert: SQLStatement
  private let last: SQLStatement
  private var tail: (number: UInt64, hash: [UInt8])?

  init(_ db: Database) throws {
    let columns = AuditReader.columns
    let marks = columns.split(separator: ",").map { _ in "?" }.joined(separator: ",")
    insert = SQLStatement(
      try db.makeStatement(sql: "INSERT INTO audit (\(columns)) VALUES (\(marks))"), of: db)
    last = SQLStatement(try db.makeStatement(sql: AuditReader.last), of: db)
  }

  /// To be called when a transaction, or a part of it, was taken back: what was appended in it is
  /// not there.
  func forgetTail() { tail = nil }

  func append(_ entry: AuditEntry) throws(SQLiteFailure) {
    if tail == nil { tail = try readTail() }
    let record = AuditRecord(
      number: (tail?.number ?? 0) + 1, entry: entry, after: tail?.hash ?? AuditRecord.origin)
    insert.rewind()
    insert.add(record.number)
    insert.add(AuditEntry.encodingVersion)
    insert.add(entry.time)
    insert.add(entry.principal?.tenant)
    insert.add(entry.principal?.project)
    insert.add(entry.principal?.name)
    insert.add(entry.credential)
    insert.add(entry.tokenID)
    insert.add(entry.method)
    insert.add(entry.action)
    insert.add(entry.subject)
    insert.add(entry.tenant)
    insert.add(Int64(entry.outcome.rawValue))
    insert.add(entry.policy)
    insert.add(entry.reason)
    insert.add(entry.traceID)
    insert.add(record.hash)
    // In doubt the next one reads what is there.
    tail = nil
    try insert.run()
    tail = (record.number, record.hash)
  }

  /// Nil before the first record.
  private func readTail() throws(SQLiteFailure) -> (number: UInt64, hash: [UInt8])? {
    last.rewind()
    defer { last.rewind() }
    guard try last.step() else { return nil }
    var row = last.row
    return (row.unsigned(), row.blob())
  }
}
