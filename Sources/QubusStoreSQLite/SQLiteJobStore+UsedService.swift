internal import GRDB
package import QubusCore
package import QubusJobs

extension SQLiteJobStore: UsedServiceStore {
  package func keep(
    _ use: [UsedService], completion: @escaping @Sendable (Result<Void, QubusError>) -> Void
  ) {
    enqueue(WriteTask(.use(use, completion)))
  }

  package func usedService() throws(QubusError) -> [UsedService] {
    try readers.read { db in
      let select = try db.ready(
        "SELECT tenant,project,principal,device_seconds,at FROM used_service")
      defer { select.rewind() }
      var use: [UsedService] = []
      while try select.step() {
        var row = select.row
        use.append(
          UsedService(
            principal: Principal(tenant: row.text(), project: row.text(), name: row.text()),
            deviceSeconds: row.real(), at: row.integer()))
      }
      return use
    }
  }
}

extension CommandExecutor {
  /// Within the open transaction of the writer.
  func keep(_ use: [UsedService]) throws(SQLiteFailure) {
    try write("DELETE FROM used_service") { _ in }
    for entry in use {
      try write(
        """
        INSERT INTO used_service (tenant,project,principal,device_seconds,at) VALUES (?,?,?,?,?)
        """
      ) {
        $0.add(entry.principal.tenant)
        $0.add(entry.principal.project)
        $0.add(entry.principal.name)
        $0.add(entry.deviceSeconds)
        $0.add(entry.at)
      }
    }
  }
}
