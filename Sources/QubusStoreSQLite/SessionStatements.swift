internal import GRDB

/// What the writer says to SQLite of sessions, prepared once.
struct SessionStatements {
  let byKey: SQLStatement
  let byID: SQLStatement
  let insert: SQLStatement
  let journal: SQLStatement
  let end: SQLStatement
  let startOptimization: SQLStatement
  let endOptimization: SQLStatement
  let optimization: SQLStatement
  let checkpoint: SQLStatement
  let checkpoints: SQLStatement
  let dropCheckpoint: SQLStatement

  /// With the first use in a day, what was used before it; takes the day three times. The right
  /// sides see the row as it was.
  private static let dayTurn = """
    device_ns_before = CASE WHEN day < ? THEN device_ns ELSE device_ns_before END,
      shots_before = CASE WHEN day < ? THEN shots_used ELSE shots_before END, day = MAX(day, ?)
    """

  init(_ db: Database) throws {
    func prepare(_ sql: String) throws -> SQLStatement {
      SQLStatement(try db.makeStatement(sql: sql), of: db)
    }
    func insertion(_ table: String, _ columns: String) throws -> SQLStatement {
      let count = columns.split(separator: ",").count
      let marks = Array(repeating: "?", count: count).joined(separator: ",")
      return try prepare("INSERT INTO \(table) (\(columns)) VALUES (\(marks))")
    }
    byKey = try prepare(
      SessionReader.selection + """
         WHERE tenant = ? AND project = ? AND principal = ? AND idempotency_key = ?
          AND idempotency_key <> '' AND state = 1
        """)
    byID = try prepare(SessionReader.byID)
    insert = try insertion("sessions", SessionReader.columns)
    // Usage only grows: a journal that was overtaken by the end changes nothing.
    journal = try prepare(
      """
      UPDATE sessions SET \(Self.dayTurn), steps = ?, last_sequence = ?, device_ns = ?,
        shots_used = ?, last_used_at = ?
      WHERE id = ? AND state = 1
      """)
    end = try prepare(
      """
      UPDATE sessions SET \(Self.dayTurn), state = ?, reason = ?, closed_at = ?, steps = ?,
        last_sequence = ?, device_ns = ?, shots_used = ?
      WHERE id = ? AND state = 1
      """)
    startOptimization = try insertion(
      "optimizations", SessionReader.optimizationColumns)
    endOptimization = try prepare(
      "UPDATE optimizations SET ending = ?, ended_at = ? WHERE id = ? AND ending = ''")
    optimization = try prepare(SessionReader.optimizationByID)
    checkpoint = try prepare(
      """
      INSERT OR REPLACE INTO optimization_checkpoints
        (optimization,iteration,tenant,project,principal,time,state) VALUES (?,?,?,?,?,?,?)
      """)
    checkpoints = try prepare(
      """
      SELECT iteration FROM optimization_checkpoints WHERE optimization = ? ORDER BY iteration
      """)
    dropCheckpoint = try prepare(
      "DELETE FROM optimization_checkpoints WHERE optimization = ? AND iteration = ?")
  }
}
