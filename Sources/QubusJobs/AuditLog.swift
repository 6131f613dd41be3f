/// Takes evidence of what changes nothing: a result that was read, a session that was resumed.
package protocol AuditLog: Sendable {
  /// Returns at once. The entry is written with the next change, or within a fraction of a second;
  /// a crash before that loses it, unlike the evidence of a change. Whatever is lost is told.
  func note(_ entry: AuditEntry)
}

extension MemoryAudit: AuditLog {
  package func note(_ entry: AuditEntry) { append(entry) }
}
