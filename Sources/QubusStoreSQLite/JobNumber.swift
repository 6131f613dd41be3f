internal import QubusCore

/// The key of a job's row, made of its id: 48 bits of milliseconds, 12 bits of the counter within
/// the millisecond, 4 bits of slot. Rows lie in order of age, and a look-up by id needs no index,
/// which is one page less to write with every submit.
///
/// Ids that share all 60 bits take the slots in turn; it takes two clocks, or one set back, to meet
/// that once.
/// - Source: RFC 9562 §5.7 for the layout of ids.
enum JobNumber {
  /// The first of the slots that the id may have.
  static func first(of id: Identifier) -> Int64 {
    Int64(bitPattern: id.high & ~0xFFFF | (id.high & 0xFFF) << 4)
  }

  static func last(of id: Identifier) -> Int64 { first(of: id) | 0xF }

  /// SQL for the row of an id; takes `add(row:)` of a statement.
  static let condition = "jobs.job BETWEEN ? AND ? AND jobs.id = ?"
  /// SQL for the number of an id, to look up in another table; takes the same values. A join would
  /// let the planner begin at the other table.
  static let ofRow = "(SELECT jobs.job FROM jobs WHERE \(condition))"
}

extension SQLStatement {
  /// Binds the three values of `JobNumber.condition`.
  func add(row id: Identifier) {
    add(JobNumber.first(of: id))
    add(JobNumber.last(of: id))
    add(id)
  }
}
