package import QubusCore

/// Changes of sessions. A completion runs after the commit on the store thread and must not block.
package enum SessionCommand: Sendable {
  /// A new session. One idempotency key is one session of its principal: the same key with the same
  /// request hash answers the session that is there (unless it has ended), with another one
  /// `idempotency_conflict`. The audit entry is written in the same transaction: with the session,
  /// or as that of a duplicate; a refusal leaves none.
  case open(
    SessionRecord, audit: AuditEntry? = nil,
    completion: @Sendable (Result<SessionRecord, QubusError>) -> Void)
  /// Usage since the last flush, many sessions in one command; unknown or ended ones are skipped.
  case journal(
    [(id: Identifier, usage: SessionUsage, lastUsedAt: Microseconds)],
    completion: @Sendable (Result<Void, QubusError>) -> Void)
  /// What sessions used of what costs; written to the ledger.
  case charge([SessionCharge], completion: @Sendable (Result<Void, QubusError>) -> Void)
  /// Changes nothing when the session has ended or is unknown, and audits nothing then.
  case end(
    Identifier, SessionState, reason: String, usage: SessionUsage, at: Microseconds,
    audit: AuditEntry? = nil,
    completion: @Sendable (Result<Void, QubusError>) -> Void)
  case startOptimization(
    OptimizationRecord, completion: @Sendable (Result<Void, QubusError>) -> Void)
  /// Keeps the newest checkpoints of each optimization (at most 64, thinned to spread over its
  /// iterations).
  case checkpoint(
    OptimizationCheckpoint, completion: @Sendable (Result<Void, QubusError>) -> Void)
  case endOptimization(
    Identifier, ending: String, at: Microseconds,
    completion: @Sendable (Result<Void, QubusError>) -> Void)
}

/// Durable home of sessions, beside jobs in the same store. One contract suite runs on every
/// implementation. Reads see everything committed and may block on the disk.
package protocol SessionStore: Sendable {
  func perform(_ command: SessionCommand)
  func session(_ id: Identifier) throws(QubusError) -> SessionRecord?
  /// Newest first, of one principal; of all of its project when the principal's name is empty.
  /// - Parameters:
  ///   - endedAfter: nil: open ones only; else also those that ended after this time.
  ///   - before: older than this id only.
  func sessions(
    of principal: Principal, endedAfter: Microseconds?, before: Identifier?, limit: Int
  ) throws(QubusError) -> [SessionRecord]
  /// All that are open, oldest first, for recovery at start.
  func openSessions() throws(QubusError) -> [SessionRecord]
  func optimization(_ id: Identifier) throws(QubusError) -> OptimizationRecord?
  /// The newest checkpoint at or before an iteration.
  func checkpoint(
    _ id: Identifier, atOrBefore iteration: UInt64
  ) throws(QubusError) -> OptimizationCheckpoint?
}
