internal import GRDB
package import QubusCore
package import QubusJobs
internal import QubusTenancy

extension SQLiteJobStore: RetentionStore {
  package func expiredJobs(
    by now: Microseconds, limit: Int
  ) throws(QubusError) -> [Identifier] {
    // The conditions of the partial indexes, word for word.
    let results = """
      SELECT id FROM jobs WHERE results_expire_at IS NOT NULL AND removed & 1 = 0
        AND results_expire_at <= ? ORDER BY results_expire_at LIMIT ?
      """
    let events = """
      SELECT id FROM jobs WHERE events_expire_at IS NOT NULL AND removed & 2 = 0
        AND events_expire_at <= ? ORDER BY events_expire_at LIMIT ?
      """
    return try readers.read { db in
      var found: [Identifier] = []
      for sql in [results, events] where found.count < limit {
        let select = try db.ready(sql)
        defer { select.rewind() }
        select.add(now)
        select.add(limit - found.count)
        while try select.step() {
          var row = select.row
          if let id = row.identifier(), !found.contains(id) { found.append(id) }
        }
      }
      return found
    }
  }

  package func undatedJobs(
    results: Bool, events: Bool, after cursor: Int64, limit: Int
  ) throws(QubusError) -> JobScan {
    try readers.read { db in
      let select = try db.ready(
        """
        SELECT job,id,status,has_result AND results_expire_at IS NULL,events_expire_at IS NULL
        FROM jobs WHERE job > ? ORDER BY job LIMIT ?
        """)
      defer { select.rewind() }
      select.add(cursor)
      select.add(limit)
      var scan = JobScan(jobs: [], next: nil)
      var count = 0
      while try select.step() {
        var row = select.row
        scan.next = row.integer()
        count += 1
        let id = row.identifier()
        let status = UInt8(exactly: row.integer()).flatMap(JobStatus.init(rawValue:))
        let (lacksResults, lacksEvents) = (row.boolean(), row.boolean())
        guard let id, status?.isTerminal == true else { continue }
        if results && lacksResults || events && lacksEvents { scan.jobs.append(id) }
      }
      if count < limit { scan.next = nil }
      return scan
    }
  }

  // MARK: Audit

  package func cutAudit(
    before time: Microseconds, limit: Int, entry: AuditEntry,
    completion: @escaping @Sendable (Result<Int, QubusError>) -> Void
  ) {
    do throws(QubusError) {
      guard let end = try endOfCut(before: time, limit: limit) else {
        return completion(.success(0))
      }
      let checkpoint = try auditKey.sign(
        service: serviceID, number: end.number, hash: end.hash, time: clock.now())
      var entry = entry
      entry.subject = "audit records \(end.first) to \(end.number)"
      let count = Int(end.number - end.first + 1)
      enqueue(
        WriteTask(.cut(checkpoint, entry) { completion($0.map { count }) }))
    } catch {
      completion(.failure(error))
    }
  }

  private struct CutEnd {
    var first: UInt64
    var number: UInt64
    var hash: [UInt8]
  }

  /// The last of the first records that are all older; nil when there is none.
  private func endOfCut(before time: Microseconds, limit: Int) throws(QubusError) -> CutEnd? {
    try readers.read { db in
      let select = try db.ready("SELECT number,time,hash FROM audit ORDER BY number LIMIT ?")
      defer { select.rewind() }
      select.add(limit)
      var end: CutEnd?
      while try select.step() {
        var row = select.row
        let number = row.unsigned()
        guard row.integer() < time else { break }
        end = CutEnd(first: end?.first ?? number, number: number, hash: row.blob())
      }
      return end
    }
  }

  /// The cut behind which the audit begins; nil when it is whole.
  func auditCut() throws(QubusError) -> AuditCheckpoint? {
    try readers.read { try AuditReader.cut($0, service: serviceID) }
  }

  // MARK: Files

  package func removeUnnamedFiles() throws(QubusError) -> Int {
    let before = unnamedFiles.withLock { $0 }
    var found: Set<[UInt8]> = []
    var removed = 0
    for name in blobs.names() where try isUnnamed(name) {
      let mayGo = before.contains(name)
      let isOurs = try blobs.claims.unlessClaimed(name) { () throws(QubusError) in
        guard mayGo else { return true }
        if try removeUnnamed(name) { removed += 1 }
        return false
      }
      if isOurs { found.insert(name) }
    }
    let left = found
    unnamedFiles.withLock { $0 = left }
    return removed
  }

  /// Looked at again where nobody can write it.
  private func removeUnnamed(_ name: [UInt8]) throws(QubusError) -> Bool {
    guard try isUnnamed(name) else { return false }
    do throws(SQLiteFailure) {
      try blobs.remove(name)
    } catch { throw error.error(at: blobs.root) }
    return true
  }

  private func isUnnamed(_ name: [UInt8]) throws(QubusError) -> Bool {
    try readers.read { db in
      let select = try db.ready(
        "SELECT 1 FROM result_chunks WHERE file IS NOT NULL AND file = ? LIMIT 1")
      defer { select.rewind() }
      select.add(name)
      return try !select.step()
    }
  }
}
