internal import QubusCore

/// An audit that forgets, for the stores that forget; several may share one.
package final class MemoryAudit: Sendable {
  private let chain = Lock<[AuditRecord]>([])

  package init() {}

  /// In order of their numbers.
  package var records: [AuditRecord] { chain.withLock { $0 } }
  package var entries: [AuditEntry] { records.map(\.entry) }

  package func append(_ entry: AuditEntry) {
    chain.withLock { chain in
      chain.append(
        AuditRecord(
          number: UInt64(chain.count) + 1, entry: entry,
          after: chain.last?.hash ?? AuditRecord.origin))
    }
  }
}
