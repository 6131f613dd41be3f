internal import GRDB
package import QubusCore
package import QubusJobs

/// Sessions lie beside jobs in the same database and go through the same writer, so that they share
/// its commits.
extension SQLiteJobStore: SessionStore {
  package func perform(_ command: SessionCommand) {
    var bytes = 0
    if case .open(let record, _, _) = command { bytes = record.request.count }
    enqueue(WriteTask(.session(command), bytes: bytes))
  }

  package func session(_ id: Identifier) throws(QubusError) -> SessionRecord? {
    try readers.read { db in
      let select = try db.ready(SessionReader.byID)
      defer { select.rewind() }
      select.add(id)
      return try select.step() ? try SessionReader.record(select.row, vault) : nil
    }
  }

  package func sessions(
    of principal: Principal, endedAfter: Microseconds?, before: Identifier?, limit: Int
  ) throws(QubusError) -> [SessionRecord] {
    try readers.read { db in
      let ended = endedAfter == nil ? "" : " OR closed_at > ?"
      let older = before == nil ? "" : " AND id < ?"
      let owner = principal.name.isEmpty ? "" : " AND principal = ?"
      let select = try db.ready(
        SessionReader.selection + """
           WHERE tenant = ? AND project = ?\(owner) AND (state = 1\(ended))\(older)
          ORDER BY id DESC LIMIT ?
          """)
      select.add(principal.tenant)
      select.add(principal.project)
      if !principal.name.isEmpty { select.add(principal.name) }
      if let endedAfter { select.add(endedAfter) }
      if let before { select.add(before) }
      select.add(max(0, limit))
      return try records(select)
    }
  }

  package func openSessions() throws(QubusError) -> [SessionRecord] {
    try readers.read { db in try records(try db.ready(SessionReader.open)) }
  }

  private func records(_ select: SQLStatement) throws -> [SessionRecord] {
    defer { select.rewind() }
    var records: [SessionRecord] = []
    while try select.step() { records.append(try SessionReader.record(select.row, vault)) }
    return records
  }

  package func optimization(_ id: Identifier) throws(QubusError) -> OptimizationRecord? {
    try readers.read { db in
      let select = try db.ready(SessionReader.optimizationByID)
      defer { select.rewind() }
      select.add(id)
      return try select.step() ? try SessionReader.optimization(select.row, vault) : nil
    }
  }

  package func checkpoint(
    _ id: Identifier, atOrBefore iteration: UInt64
  ) throws(QubusError) -> OptimizationCheckpoint? {
    try readers.read { db in
      let select = try db.ready(SessionReader.checkpoint)
      defer { select.rewind() }
      select.add(id)
      select.add(Int64(clamping: iteration))
      guard try select.step() else { return nil }
      var row = select.row
      let (number, time, state) = (row.unsigned(), row.integer(), row.blob())
      return OptimizationCheckpoint(
        optimization: id, iteration: number, time: time,
        state: try vault.open(state, of: row.text(), at: .checkpoint(id, number)))
    }
  }
}
