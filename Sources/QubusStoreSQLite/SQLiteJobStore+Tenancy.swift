internal import GRDB
package import QubusCore
package import QubusJobs
package import QubusTenancy

/// Tenancy and audit lie beside jobs in the same database and go through the same writer, so that a
/// change and the evidence of it are one transaction.
extension SQLiteJobStore: TenancyStore {
  /// Records read at once when the chain is followed, so that no read holds the log for long.
  private static let auditPage = 1000

  package func snapshot() throws(QubusError) -> TenancySnapshot {
    let now = clock.now()
    return try readers.read { try TenancyRows(db: $0).snapshot(at: now) }
  }

  package func change(
    _ changes: [TenancyChange], audit: AuditEntry,
    completion: @escaping @Sendable (Result<Void, QubusError>) -> Void
  ) {
    let erases = changes.contains { if case .eraseTenant = $0 { true } else { false } }
    guard erases else { return enqueue(WriteTask(.tenancy(changes, audit, completion))) }
    guard vault != nil else {
      let error = QubusError(
        .invalidRequest, "nothing is encrypted here, so that no key can be destroyed")
      return completion(.failure(error))
    }
    let cut: @Sendable (Result<Void, QubusError>) -> Void = { [queue] result in
      completion(result)
      guard case .success = result else { return }
      // The key shall not stay in the log. A reader may hold it up; the next start cuts it too.
      let task = WriteTask(
        .control({ try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }, { _ in }))
      if let refusal = queue.enqueue(task) { task.fail(refusal) }
    }
    enqueue(WriteTask(.tenancy(changes, audit, cut)))
  }

  package func note(_ entry: AuditEntry) {
    let lost = options.onLostNote
    let task = WriteTask(
      .tenancy([], entry) { result in
        if case .failure(let error) = result { lost(entry, error) }
      })
    if let refusal = queue.note(task) { task.fail(refusal) }
  }

  package func auditRecords(
    after number: UInt64, tenant: String?, limit: Int
  ) throws(QubusError) -> [AuditRecord] {
    try readers.read { db in
      let select = try db.ready(tenant == nil ? AuditReader.page : AuditReader.pageOfTenant)
      defer { select.rewind() }
      select.add(Int64(clamping: number))
      if let tenant { select.add(tenant) }
      select.add(max(0, limit))
      var records: [AuditRecord] = []
      while try select.step() { records.append(try AuditReader.record(select.row).record) }
      return records
    }
  }

  package func verifyAudit() throws(QubusError) -> AuditReport { try verify(chain(against: nil)) }

  /// From the first record there is: behind the cut, when retention made one, that this service
  /// signed.
  private func chain(against checkpoint: AuditCheckpoint?) throws(QubusError) -> AuditChain {
    guard let cut = try auditCut() else { return AuditChain(against: checkpoint) }
    return AuditChain(
      behind: cut, isGood: cut.isSigned(by: auditKey.publicKey), against: checkpoint)
  }

  package func auditCheckpoint() throws(QubusError) -> AuditCheckpoint {
    let (number, hash) = try hashOfAudit(AuditReader.last) { _ in }
    return try auditKey.sign(service: serviceID, number: number, hash: hash, time: clock.now())
  }

  package func verifyAudit(
    against checkpoint: AuditCheckpoint
  ) throws(QubusError) -> AuditReport {
    try checkpoint.check(service: serviceID, publicKey: auditKey.publicKey)
    return try verify(chain(against: checkpoint))
  }

  /// Follows the last records only, from one that is taken as good: for a look at every start.
  package func verifyAudit(last count: UInt64) throws(QubusError) -> AuditReport {
    let (last, _) = try hashOfAudit(AuditReader.last) { _ in }
    let cut = try auditCut()?.number ?? 0
    guard last > count, last - count > cut else { return try verifyAudit() }
    let (number, hash) = try hashOfAudit(AuditReader.at) { $0.add(last - count) }
    return try verify(AuditChain(after: number, head: hash))
  }

  private func hashOfAudit(
    _ sql: String, _ bind: (SQLStatement) -> Void
  ) throws(QubusError) -> (number: UInt64, hash: [UInt8]) {
    try readers.read { db in
      let select = try db.ready(sql)
      defer { select.rewind() }
      bind(select)
      guard try select.step() else { return (0, AuditRecord.origin) }
      var row = select.row
      return (row.unsigned(), row.blob())
    }
  }

  /// Up to the record that is the last when it begins.
  private func verify(_ start: AuditChain) throws(QubusError) -> AuditReport {
    var chain = start
    if let fault = chain.fault { return chain.report(fault) }
    let (last, _) = try hashOfAudit(AuditReader.last) { _ in }
    while true {
      let before = chain.records
      if let fault = try followPage(&chain) { return chain.report(fault) }
      guard chain.records > before, chain.records < last else { return chain.report() }
    }
  }

  private func followPage(_ chain: inout AuditChain) throws(QubusError) -> AuditFault? {
    try readers.read { db in
      let select = try db.ready(AuditReader.page)
      defer { select.rewind() }
      // Also what was put before the first.
      select.add(chain.isAtStart ? Int64.min : Int64(clamping: chain.records))
      select.add(Self.auditPage)
      while try select.step() {
        do throws(QubusError) {
          let (record, encoding) = try AuditReader.record(select.row)
          if let fault = chain.follow(record, encoding: encoding) { return fault }
        } catch {
          return AuditFault(number: chain.records + 1, explanation: error.message)
        }
      }
      return nil
    }
  }
}
