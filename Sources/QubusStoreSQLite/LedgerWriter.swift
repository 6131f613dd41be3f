internal import GRDB
internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Writes what is held and spent, within the open transaction of the writer.
struct LedgerWriter {
  private let lastMovement: SQLStatement
  private let insertLine: SQLStatement
  private let addBalance: SQLStatement
  private let insertCharge: SQLStatement
  private let openCharge: SQLStatement
  private let settleCharge: SQLStatement
  private let setCost: SQLStatement
  private let addSessionCharge: SQLStatement
  private let db: Database
  private let vault: Vault?

  init(_ db: Database, vault: Vault?) throws {
    func prepare(_ sql: String) throws -> SQLStatement {
      SQLStatement(try db.makeStatement(sql: sql), of: db)
    }
    self.db = db
    self.vault = vault
    lastMovement = try prepare("SELECT COALESCE(MAX(movement), 0) FROM ledger")
    insertLine = try prepare(
      """
      INSERT INTO ledger (movement,line,time,kind,subject,account,amount) VALUES (?,?,?,?,?,?,?)
      """)
    addBalance = try prepare(
      """
      INSERT INTO accounts (name,balance) VALUES (?,?)
      ON CONFLICT (name) DO UPDATE SET balance = balance + excluded.balance
      """)
    let columns = """
      subject,day,tenant,project,principal,device,class,experiment,per_job,per_shot,
      per_device_second,held_at,parts,held,cost,settled_at,shots,device_us,status,queue_us
      """
    insertCharge = try prepare(
      "INSERT INTO charges (\(columns)) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,0,0)")
    addSessionCharge = try prepare(
      """
      INSERT INTO charges (\(columns)) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,0,0)
      ON CONFLICT (subject, day) DO UPDATE SET held = held + excluded.held,
        cost = cost + excluded.cost, settled_at = excluded.settled_at,
        shots = shots + excluded.shots, device_us = device_us + excluded.device_us
      """)
    openCharge = try prepare("SELECT parts FROM charges WHERE subject = ? AND cost IS NULL")
    settleCharge = try prepare(
      """
      UPDATE charges SET settled_at = ?, parts = ?, held = ?, cost = ?, status = ?, shots = ?,
        device_us = ?, queue_us = ?
      WHERE subject = ? AND day = 0
      """)
    setCost = try prepare("UPDATE jobs SET cost = ? WHERE job = ?")
  }

  // MARK: Jobs

  func hold(_ hold: CostHold, for record: JobRecord) throws(SQLiteFailure) {
    try insert(
      insertCharge, record.id, day: 0, record.principal, device: record.device, hold,
      cost: nil, settledAt: nil, shots: 0, deviceMicroseconds: 0)
    try write(
      .hold(hold.parts, of: LedgerProject(record.principal)), of: record.id, at: hold.heldAt)
  }

  /// At the terminal move of a job for which something is held.
  func settle(
    _ update: JobUpdate, _ row: CommandExecutor.HeadRow, as status: JobStatus, at time: Microseconds
  ) throws(SQLiteFailure) {
    guard let held = try held(update.jobID) else { return }
    let project = LedgerProject(row.owner)
    let settlement = update.settlement ?? CostSettlement(charge: 0)
    let parts = held + settlement.extension
    let charge = min(settlement.charge, parts.total)
    if !settlement.extension.isEmpty {
      try write(.hold(settlement.extension, of: project), of: update.jobID, at: time)
    }
    try write(.settle(parts, charge: charge, of: project), of: update.jobID, at: time)
    let phases = update.phases ?? PhaseLedger()
    let queued = phases.startedAt.flatMap { start in phases.queuedAt.map { max(0, start - $0) } }
    settleCharge.rewind()
    settleCharge.add(time)
    settleCharge.add(PackedParts.pack(parts))
    settleCharge.add(parts.total)
    settleCharge.add(charge)
    settleCharge.add(UInt32(status.rawValue))
    settleCharge.add(update.shotsDone ?? 0)
    settleCharge.add(phases.deviceMicroseconds ?? 0)
    settleCharge.add(queued ?? 0)
    settleCharge.add(update.jobID)
    try settleCharge.run()
    setCost.rewind()
    setCost.add(charge)
    setCost.add(row.job)
    try setCost.run()
  }

  private func held(_ id: Identifier) throws(SQLiteFailure) -> [CostPart]? {
    openCharge.rewind()
    openCharge.add(id)
    defer { openCharge.rewind() }
    guard try openCharge.step() else { return nil }
    var row = openCharge.row
    guard let parts = PackedParts.unpack(row.blob()) else {
      throw SQLiteFailure(code: SQLiteFailure.corrupt, message: "what is held for \(id)")
    }
    return parts
  }

  // MARK: Sessions

  /// What a session used since its last charge, held and spent at once.
  func charge(_ charge: SessionCharge) throws(SQLiteFailure) {
    let amount = charge.hold.amount
    try insert(
      addSessionCharge, charge.session, day: BudgetPeriod.day(of: charge.hold.heldAt),
      charge.principal, device: charge.device, charge.hold, cost: amount,
      settledAt: charge.hold.heldAt, shots: charge.shots,
      deviceMicroseconds: charge.deviceMicroseconds)
    let project = LedgerProject(charge.principal)
    try write(.hold(charge.hold.parts, of: project), of: charge.session, at: charge.hold.heldAt)
    try write(
      .settle(charge.hold.parts, charge: amount, of: project), of: charge.session,
      at: charge.hold.heldAt)
  }

  private func insert(
    _ statement: SQLStatement, _ id: Identifier, day: Int64, _ owner: Principal, device: String,
    _ hold: CostHold, cost: Int64?, settledAt: Microseconds?, shots: UInt64,
    deviceMicroseconds: Microseconds
  ) throws(SQLiteFailure) {
    statement.rewind()
    statement.add(id)
    statement.add(day)
    statement.add(owner)
    statement.add(device)
    let experiment = ChargedExperiment(
      hold.experimentClass, hold.experiment, key: vault?.openKey(of: owner.tenant))
    statement.add(experiment.experimentClass)
    statement.add(experiment.identity)
    statement.add(hold.price.perJob)
    statement.add(hold.price.perShot)
    statement.add(hold.price.perDeviceSecond)
    statement.add(hold.heldAt)
    statement.add(PackedParts.pack(hold.parts))
    statement.add(hold.amount)
    statement.add(cost)
    statement.add(settledAt)
    statement.add(shots)
    statement.add(deviceMicroseconds)
    try statement.run()
  }

  // MARK: Changes

  func apply(_ change: LedgerChange, at time: Microseconds) throws(SQLiteFailure) {
    switch change {
    case .setPrice(let device, nil):
      try run("DELETE FROM prices WHERE device = ?") { $0.add(device) }
    case .setPrice(let device, let price?):
      try run("INSERT OR REPLACE INTO prices VALUES (?,?,?,?)") {
        $0.add(device)
        $0.add(price.perJob)
        $0.add(price.perShot)
        $0.add(price.perDeviceSecond)
      }
    case .grant(let entitlement): try grant(entitlement, at: time)
    case .setBudget(let budget): try set(budget)
    case .dedicate(let device, let tenant?):
      try run("INSERT OR REPLACE INTO dedicated_devices (device,tenant) VALUES (?,?)") {
        $0.add(device)
        $0.add(tenant)
      }
    case .dedicate(let device, nil):
      try run("DELETE FROM dedicated_devices WHERE device = ?") { $0.add(device) }
    case .turn(let turn): try take(turn, at: time)
    }
  }

  private func grant(
    _ entitlement: Entitlement, at time: Microseconds
  ) throws(SQLiteFailure) {
    try run("INSERT INTO entitlements VALUES (?,?,?,?,?,?,?,?)") {
      $0.add(entitlement.number)
      $0.add(entitlement.project.tenant)
      $0.add(entitlement.project.project)
      $0.add(entitlement.amount)
      $0.add(entitlement.periodSeconds)
      $0.add(entitlement.createdAt)
      $0.add(entitlement.expiresAt)
      $0.add(entitlement.endsAt)
    }
    try write(
      .grant(entitlement.amount, entitlement: entitlement.number, to: entitlement.project),
      of: nil, at: time)
  }

  private func set(_ budget: Budget) throws(SQLiteFailure) {
    guard budget.softCap != nil || budget.hardCap != nil else {
      return try run("DELETE FROM budgets WHERE tenant = ? AND project = ? AND class = ?") {
        $0.add(budget.project.tenant)
        $0.add(budget.project.project)
        $0.add(budget.experimentClass?.rawValue ?? "")
      }
    }
    try run("INSERT OR REPLACE INTO budgets VALUES (?,?,?,?,?,?)") {
      $0.add(budget.project.tenant)
      $0.add(budget.project.project)
      $0.add(budget.experimentClass?.rawValue ?? "")
      $0.add(budget.period.rawValue)
      $0.add(budget.softCap)
      $0.add(budget.hardCap)
    }
  }

  private func take(_ turn: LedgerTurn, at time: Microseconds) throws(SQLiteFailure) {
    if turn.lapsed > 0 {
      try write(
        .lapse(turn.lapsed, entitlement: turn.entitlement, of: turn.project), of: nil, at: time)
    }
    guard turn.granted > 0 else { return }
    try write(
      .grant(turn.granted, entitlement: turn.entitlement, to: turn.project), of: nil, at: time)
    try run("UPDATE entitlements SET expires_at = ? WHERE number = ?") {
      $0.add(turn.expiresAt)
      $0.add(turn.entitlement)
    }
  }

  // MARK: Entries

  private func write(
    _ movement: LedgerMovement, of subject: Identifier?, at time: Microseconds
  ) throws(SQLiteFailure) {
    guard !movement.postings.isEmpty else { return }
    let number = try nextMovement()
    for (line, posting) in movement.postings.enumerated() {
      let account = posting.account.text
      insertLine.rewind()
      insertLine.add(number)
      insertLine.add(line)
      insertLine.add(time)
      insertLine.add(movement.kind.rawValue)
      insertLine.add(subject)
      insertLine.add(account)
      insertLine.add(posting.amount)
      try insertLine.run()
      addBalance.rewind()
      addBalance.add(account)
      addBalance.add(posting.amount)
      try addBalance.run()
    }
  }

  private func nextMovement() throws(SQLiteFailure) -> Int64 {
    lastMovement.rewind()
    defer { lastMovement.rewind() }
    _ = try lastMovement.step()
    var row = lastMovement.row
    return row.integer() + 1
  }

  private func run(
    _ sql: String, _ bind: (SQLStatement) -> Void
  ) throws(SQLiteFailure) {
    let statement: SQLStatement
    do { statement = try db.ready(sql) } catch { throw SQLiteFailure(error) }
    bind(statement)
    try statement.run()
  }
}
