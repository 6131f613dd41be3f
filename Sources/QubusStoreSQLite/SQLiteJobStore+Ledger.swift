internal import GRDB
package import QubusCore
internal import QubusJobs
package import QubusTenancy

extension SQLiteJobStore: LedgerStore {
  package func ledgerSnapshot() throws(QubusError) -> LedgerSnapshot {
    try readers.read { db in try LedgerReader(db: db).snapshot() }
  }

  package func usage(_ query: UsageQuery) throws(QubusError) -> UsageReport {
    try readers.read { db in
      try UsageReader(db: db, query: query, codec: codec, vault: vault).report()
    }
  }

  /// Follows the ledger: every movement sums to zero, every balance is the sum of its entries,
  /// and what jobs hold and were charged is what the accounts say.
  /// - Returns: what does not agree; empty when all does.
  package func verifyLedger() throws(QubusError) -> [String] {
    try readers.read { db in try LedgerReader(db: db).faults() }
  }
}

/// The rows of the ledger as values, as of one moment.
struct LedgerReader {
  let db: Database

  func snapshot() throws -> LedgerSnapshot {
    var snapshot = LedgerSnapshot()
    try db.inTransaction(.deferred) {
      try each("SELECT device,per_job,per_shot,per_device_second FROM prices") { row in
        let device = row.text()
        snapshot.prices[device] = Self.price(&row)
      }
      try each("SELECT device,tenant FROM dedicated_devices") { row in
        let device = row.text()
        snapshot.dedicated[device] = row.text()
      }
      try each(
        """
        SELECT number,tenant,project,amount,period_seconds,created_at,expires_at,ends_at,
          COALESCE((SELECT balance FROM accounts WHERE name = 'credit ' || number), 0)
        FROM entitlements ORDER BY number
        """
      ) { row in
        let entitlement = Entitlement(
          number: row.integer(),
          project: LedgerProject(tenant: row.text(), project: row.text()),
          amount: row.integer(), periodSeconds: row.optionalInteger(), createdAt: row.integer(),
          expiresAt: row.optionalInteger(), endsAt: row.optionalInteger())
        snapshot.entitlements.append((entitlement, row.integer()))
      }
      try each("SELECT name,balance FROM accounts WHERE name LIKE 'invoice %'") { row in
        let place = row.text().dropFirst("invoice ".count).split(separator: "/", maxSplits: 1)
        guard place.count == 2 else { return }
        let project = LedgerProject(tenant: String(place[0]), project: String(place[1]))
        snapshot.invoices.append((project, row.integer()))
      }
      try each("SELECT tenant,project,class,period,soft_cap,hard_cap FROM budgets") { row in
        let project = LedgerProject(tenant: row.text(), project: row.text())
        let experimentClass = ExperimentClass(rawValue: row.text())
        let word = row.text()
        guard let period = BudgetPeriod(rawValue: word) else {
          throw QubusError(.dataDirectoryCorrupt, "a budget has the period \(word)")
        }
        snapshot.budgets.append(
          Budget(
            project: project, experimentClass: experimentClass, period: period,
            softCap: row.optionalInteger(), hardCap: row.optionalInteger()))
      }
      try each(
        """
        SELECT tenant,project,class,held_at / 86400000000,SUM(COALESCE(cost, held))
        FROM charges GROUP BY 1,2,3,4
        """
      ) { row in
        snapshot.usage.append(
          LedgerSnapshot.Usage(
            project: LedgerProject(tenant: row.text(), project: row.text()),
            experimentClass: row.text(), day: row.integer(), amount: row.integer()))
      }
      try holds(into: &snapshot)
      try each(
        """
        SELECT subject,SUM(cost),SUM(shots),SUM(device_us),per_job,per_shot,per_device_second,
          -- With MIN the bare columns are those of its row.
          MIN(day)
        FROM charges WHERE subject IN (SELECT id FROM sessions WHERE state = 1) GROUP BY subject
        """
      ) { row in
        guard let id = row.identifier() else { throw Self.damaged("a charge has no session") }
        var charged = ChargedUsage()
        charged.cost = row.integer()
        charged.shots = row.unsigned()
        charged.deviceMicroseconds = row.integer()
        charged.price = Self.price(&row)
        snapshot.sessions[id] = charged
      }
      return .commit
    }
    return snapshot
  }

  private func holds(into snapshot: inout LedgerSnapshot) throws {
    try each(
      """
      SELECT subject,tenant,project,principal,class,experiment,held_at,parts,per_job,per_shot,
        per_device_second
      FROM charges INDEXED BY charges_open WHERE cost IS NULL
      """
    ) { row in
      guard let id = row.identifier() else { throw Self.damaged("a charge has no job") }
      let principal = Principal(tenant: row.text(), project: row.text(), name: row.text())
      var hold = CostHold(
        price: Price(), experimentClass: row.text(), experiment: row.text(),
        heldAt: row.integer(), parts: [])
      guard let parts = PackedParts.unpack(row.blob()) else {
        throw Self.damaged("what is held for \(id)")
      }
      hold.parts = parts
      hold.price = Self.price(&row)
      snapshot.holds.append((id, principal, hold))
    }
  }

  private static func price(_ row: inout SQLRow) -> Price {
    Price(perJob: row.integer(), perShot: row.integer(), perDeviceSecond: row.integer())
  }

  private static func damaged(_ what: String) -> QubusError {
    QubusError(.dataDirectoryCorrupt, "the database is damaged: \(what)")
  }

  private func each(_ sql: String, _ body: (inout SQLRow) throws -> Void) throws {
    let select = try db.ready(sql)
    defer { select.rewind() }
    while try select.step() {
      var row = select.row
      try body(&row)
    }
  }

  /// Queries that answer nothing while everything agrees.
  private static let checks = [
    """
    SELECT 'movement ' || movement || ' sums to ' || SUM(amount) FROM ledger
    GROUP BY movement HAVING SUM(amount) <> 0
    """,
    """
    SELECT 'account ' || account || ' is not the sum of its entries' FROM ledger
    LEFT JOIN accounts ON name = account
    GROUP BY account HAVING SUM(amount) <> COALESCE(MAX(balance), 0)
    """,
    """
    SELECT 'held of ' || tenant || '/' || project FROM charges WHERE cost IS NULL
    GROUP BY tenant, project
    HAVING SUM(held) <>
      COALESCE((SELECT balance FROM accounts WHERE name = 'held ' || tenant || '/' || project), 0)
    """,
    """
    SELECT name || ' without a job' FROM accounts WHERE name LIKE 'held %' AND balance <> 0
      AND NOT EXISTS (SELECT 1 FROM charges
        WHERE cost IS NULL AND 'held ' || tenant || '/' || project = name)
    """,
    """
    SELECT 'spent of ' || tenant || '/' || project FROM charges GROUP BY tenant, project
    HAVING SUM(COALESCE(cost, 0)) <>
      COALESCE((SELECT balance FROM accounts WHERE name = 'spent ' || tenant || '/' || project), 0)
    """,
    """
    SELECT 'an ended job holds' FROM charges JOIN jobs ON jobs.id = subject
      AND jobs.tenant = charges.tenant AND jobs.project = charges.project
    WHERE charges.cost IS NULL AND jobs.status >= 6
    """,
  ]

  func faults() throws -> [String] {
    var faults: [String] = []
    try db.inTransaction(.deferred) {
      for check in Self.checks {
        try each(check) { row in faults.append(row.text()) }
      }
      return .commit
    }
    return faults
  }
}
