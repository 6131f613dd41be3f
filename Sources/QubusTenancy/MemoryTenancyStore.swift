package import QubusCore
package import QubusJobs

/// A tenancy store that forgets: the reference of the contract suite, and the store of tests. A
/// completion runs at once, on the caller's thread.
package final class MemoryTenancyStore: TenancyStore {
  private let tables: Lock<TenancyTables>
  private let clock: any Clock
  private let key = AuditKey()
  package let serviceID: Identifier
  /// May be shared with stores of jobs and sessions.
  package let audit: MemoryAudit

  package init(clock: any Clock, audit: MemoryAudit = MemoryAudit()) {
    self.clock = clock
    self.audit = audit
    serviceID = IdentifierSource(clock: clock).next()
    tables = Lock(TenancyTables(createdAt: clock.now()))
  }

  package func snapshot() -> TenancySnapshot {
    tables.withLock { $0.snapshot(at: clock.now()) }
  }

  package func change(
    _ changes: [TenancyChange], audit entry: AuditEntry,
    completion: @escaping @Sendable (Result<Void, QubusError>) -> Void
  ) {
    let result: Result<Void, QubusError> = tables.withLock { tables in
      do throws(QubusError) {
        try tables.apply(changes)
        audit.append(entry)
        return .success(())
      } catch {
        return .failure(error)
      }
    }
    completion(result)
  }

  package func auditRecords(
    after number: UInt64, tenant: String?, limit: Int
  ) -> [AuditRecord] {
    let wanted = audit.records.lazy.filter { record in
      record.number > number && tenant.map { record.entry.tenant == $0 } ?? true
    }
    return Array(wanted.prefix(max(0, limit)))
  }

  package func verifyAudit() -> AuditReport { verify(AuditChain()) }

  package func auditCheckpoint() throws(QubusError) -> AuditCheckpoint {
    let last = audit.records.last
    return try key.sign(
      service: serviceID, number: last?.number ?? 0, hash: last?.hash ?? AuditRecord.origin,
      time: clock.now())
  }

  package func verifyAudit(
    against checkpoint: AuditCheckpoint
  ) throws(QubusError) -> AuditReport {
    try checkpoint.check(service: serviceID, publicKey: key.publicKey)
    return verify(AuditChain(against: checkpoint))
  }

  private func verify(_ start: AuditChain) -> AuditReport {
    var chain = start
    for record in audit.records {
      if let fault = chain.follow(record, encoding: AuditEntry.encodingVersion) {
        return chain.report(fault)
      }
    }
    return chain.report()
  }
}
