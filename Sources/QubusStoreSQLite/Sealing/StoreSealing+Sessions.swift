internal import GRDB
internal import QubusCore

/// Sessions with their optimizations.
extension StoreSealing {
  func sealSessions() throws -> Int {
    var last: Identifier?
    return try pages {
      let rows = try read(
        """
        SELECT id,tenant,request,name,tags FROM sessions
        WHERE ?1 IS NULL OR id > ?1 ORDER BY id LIMIT \(Self.pageChunks)
        """, { $0.add(last) }
      ) { row in
        let (id, tenant) = (try Self.identifier(&row), row.text())
        return (
          id, tenant, SessionColumns(request: row.blob(), name: row.text(), tags: row.blob())
        )
      }
      for (id, tenant, plain) in rows {
        guard case .open(let key) = vault[tenant] else { continue }
        var columns = plain
        try columns.sealPlain(of: id, with: key)
        try write("UPDATE sessions SET request = ?, name = ?, tags = ? WHERE id = ?") {
          $0.add(columns.request)
          $0.add(columns.name)
          $0.add(columns.tags)
          $0.add(id)
        }
      }
      last = rows.last?.0 ?? last
      return (rows.count, rows.count)
    }
  }

  func sealOptimizations() throws -> Int {
    var last: Identifier?
    return try pages {
      let rows = try read(
        """
        SELECT id,tenant,request FROM optimizations
        WHERE ?1 IS NULL OR id > ?1 ORDER BY id LIMIT \(Self.pageChunks)
        """, { $0.add(last) }
      ) { row in (try Self.identifier(&row), row.text(), row.blob()) }
      for (id, tenant, request) in rows {
        let sealed = try seal(request, of: tenant, at: .optimization(id))
        try write("UPDATE optimizations SET request = ? WHERE id = ?") {
          $0.add(sealed)
          $0.add(id)
        }
      }
      last = rows.last?.0 ?? last
      return (rows.count, rows.count)
    }
  }

  func sealCheckpoints() throws -> Int {
    var last: (Identifier?, UInt64) = (nil, 0)
    return try pages {
      let rows = try read(
        """
        SELECT optimization,iteration,tenant,state FROM optimization_checkpoints
        WHERE ?1 IS NULL OR (optimization, iteration) > (?1, ?2)
        ORDER BY optimization, iteration LIMIT \(Self.pageChunks)
        """,
        {
          $0.add(last.0)
          $0.add(last.1)
        }
      ) { row in (try Self.identifier(&row), row.unsigned(), row.text(), row.blob()) }
      for (id, iteration, tenant, state) in rows {
        let sealed = try seal(state, of: tenant, at: .checkpoint(id, iteration))
        try write(
          "UPDATE optimization_checkpoints SET state = ? WHERE optimization = ? AND iteration = ?"
        ) {
          $0.add(sealed)
          $0.add(id)
          $0.add(iteration)
        }
      }
      if let row = rows.last { last = (row.0, row.1) }
      return (rows.count, rows.count)
    }
  }
}
