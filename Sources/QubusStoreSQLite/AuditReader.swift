internal import GRDB
internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Rows of `audit` as values.
enum AuditReader {
  static let columns = """
    number,encoding,time,actor_tenant,actor_project,actor,credential,token,method,action,subject,
    tenant,outcome,policy,reason,trace_id,hash
    """
  static let page = "SELECT \(columns) FROM audit WHERE number > ? ORDER BY number LIMIT ?"
  /// A scan: an index by tenant would be one more page to write with every change, for a question
  /// that is rarely asked.
  static let pageOfTenant = """
    SELECT \(columns) FROM audit WHERE number > ? AND tenant = ? ORDER BY number LIMIT ?
    """
  static let at = "SELECT number,hash FROM audit WHERE number = ?"
  static let last = "SELECT number,hash FROM audit ORDER BY number DESC LIMIT 1"

  /// The cut behind which the audit begins; nil when it is whole. Its signature is not looked at.
  static func cut(_ db: Database, service: Identifier) throws -> AuditCheckpoint? {
    let select = try db.ready("SELECT number,hash,time,public_key,signature FROM audit_cut")
    defer { select.rewind() }
    guard try select.step() else { return nil }
    var row = select.row
    return AuditCheckpoint(
      service: service, number: row.unsigned(), hash: row.blob(), time: row.integer(),
      publicKey: row.blob(), signature: row.blob())
  }

  /// The record, and the version of the canonical bytes that its hash covers.
  /// - Throws: `audit_corrupt`.
  static func record(
    _ columns: SQLRow
  ) throws(QubusError) -> (record: AuditRecord, encoding: UInt32) {
    var row = columns
    let number = row.unsigned()
    let encoding = UInt32(truncatingIfNeeded: row.integer())
    let time = row.integer()
    let (tenant, project) = (row.optionalText(), row.optionalText())
    let name = row.optionalText()
    var principal: Principal?
    if let tenant, let project, let name {
      principal = Principal(tenant: tenant, project: project, name: name)
    }
    let (credential, token) = (row.text(), row.text())
    let (method, action, subject) = (row.text(), row.text(), row.text())
    let subjectTenant = row.text()
    let word = row.integer()
    guard let outcome = UInt8(exactly: word).flatMap(AuditEntry.Outcome.init(rawValue:)) else {
      throw QubusError(
        .auditCorrupt, "audit record \(number) has outcome \(word)",
        details: ["number": String(number)])
    }
    let entry = AuditEntry(
      time: time, principal: principal, credential: credential, tokenID: token, method: method,
      action: action, subject: subject, tenant: subjectTenant, outcome: outcome,
      policy: row.text(), reason: row.text(), traceID: row.text())
    return (AuditRecord(number: number, entry: entry, hash: row.blob()), encoding)
  }
}
