internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// What expires goes, within the open transaction of the writer.
extension CommandExecutor {
  func apply(_ change: RetentionChange, to job: Int64) throws(SQLiteFailure) {
    // A statement of its own, so that changes without it leave the indexes of expiry alone.
    try write(
      """
      UPDATE jobs SET results_expire_at = COALESCE(?1, results_expire_at),
        events_expire_at = COALESCE(?2, events_expire_at), removed = removed | ?3
      WHERE job = ?4
      """
    ) {
      $0.add(change.resultsExpireAt)
      $0.add(change.eventsExpireAt)
      $0.add((change.removesResult ? 1 : 0) | (change.endsEvents ? 2 : 0))
      $0.add(job)
    }
    if change.removesResult {
      try write("DELETE FROM result_chunks WHERE job = ?") { $0.add(job) }
      try write("UPDATE results SET chunks = NULL WHERE job = ?") { $0.add(job) }
    }
    if let last = change.removesEventsThrough {
      try write("DELETE FROM events WHERE job = ? AND sequence <= ?") {
        $0.add(job)
        $0.add(last)
      }
    }
  }

  /// Whether the result has this time still.
  func expires(_ job: Int64, at time: Microseconds) throws(SQLiteFailure) -> Bool {
    try TenancyRows(db: db).first("SELECT 1 FROM jobs WHERE job = ? AND results_expire_at = ?") {
      $0.add(job)
      $0.add(time)
    } != nil
  }

  /// Makes room for a result that comes back; the time it had is over.
  func restore(_ job: Int64) throws(SQLiteFailure) {
    try write("DELETE FROM result_chunks WHERE job = ?") { $0.add(job) }
    try write("DELETE FROM results WHERE job = ?") { $0.add(job) }
    try write(
      "UPDATE jobs SET results_expire_at = NULL, removed = (removed & ~1) | 4 WHERE job = ?"
    ) {
      $0.add(job)
    }
  }

  /// Records up to the checkpoint's go; the next one follows from its hash. The evidence of it is
  /// appended first, so that the audit is never without a record.
  func cut(_ checkpoint: AuditCheckpoint, _ entry: AuditEntry) throws(SQLiteFailure) {
    try audit.append(entry)
    try write(
      """
      INSERT OR REPLACE INTO audit_cut (row,number,hash,time,public_key,signature)
      VALUES (1,?,?,?,?,?)
      """
    ) {
      $0.add(checkpoint.number)
      $0.add(checkpoint.hash)
      $0.add(checkpoint.time)
      $0.add(checkpoint.publicKey)
      $0.add(checkpoint.signature)
    }
    try write("DELETE FROM audit WHERE number <= ?") { $0.add(checkpoint.number) }
  }
}
