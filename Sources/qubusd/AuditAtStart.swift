internal import Logging
internal import QubusCore
internal import QubusJobs
internal import QubusStoreSQLite
internal import QubusTenancy

/// A look at the newest records of the audit. One that is damaged is told and recorded, and the
/// service starts all the same (decision 0012).
enum AuditAtStart {
  /// Followed within some tens of milliseconds; `VerifyAudit` follows all.
  private static let records: UInt64 = 10_000

  /// - Throws: what the store throws when it cannot be read.
  static func look(
    _ store: SQLiteJobStore, now: Microseconds, logger: Logger
  ) throws(QubusError) {
    let report = try store.verifyAudit(last: records)
    guard let number = report.brokenAt else { return }
    logger.critical(
      "the audit is damaged: keep a copy of the data directory, then run `qubus audit verify`",
      metadata: ["record": "\(number)", "explanation": "\(report.explanation)"])
    store.note(
      AuditEntry(
        time: now, principal: nil, credential: "", method: "start", action: "",
        subject: "audit record \(number)", tenant: "", outcome: .failed,
        policy: ErrorCode.auditCorrupt.entry.name, reason: report.explanation, traceID: ""))
  }
}
