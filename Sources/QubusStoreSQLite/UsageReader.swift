internal import GRDB
internal import QubusCore
internal import QubusTenancy

/// Sums over charges.
struct UsageReader {
  let db: Database
  let query: UsageQuery

  /// Tags begin at the tags: a charge has no index by them.
  private var isByTag: Bool { query.group == .tag || !query.tag.isEmpty }

  private var source: String {
    isByTag
      ? "job_tags AS t CROSS JOIN charges AS c ON c.subject = t.id AND c.day = 0"
      : "charges AS c"
  }

  private var key: String {
    switch query.group {
    case .job, .session: "lower(hex(c.subject))"
    case .tag: "t.tag"
    case .project: "c.tenant || '/' || c.project"
    case .principal: "c.tenant || '/' || c.project || '/' || c.principal"
    case .device: "c.device"
    case .experimentClass: "c.class"
    }
  }

  /// Condition and values.
  private var conditions: [(sql: String, value: String)] {
    var conditions: [(sql: String, value: String)] = []
    if !query.tenant.isEmpty { conditions.append(("c.tenant = ?", query.tenant)) }
    if !query.project.isEmpty { conditions.append(("c.project = ?", query.project)) }
    if !query.principal.isEmpty { conditions.append(("c.principal = ?", query.principal)) }
    if !query.device.isEmpty { conditions.append(("c.device = ?", query.device)) }
    if !query.experimentClass.isEmpty { conditions.append(("c.class = ?", query.experimentClass)) }
    if !query.tag.isEmpty { conditions.append(("t.tag = ?", query.tag)) }
    return conditions
  }

  private func condition(ofGroup: Bool) -> String {
    var all = ["c.held_at >= ?", "c.held_at < ?"] + conditions.map(\.sql)
    if ofGroup, query.group == .job { all.append("c.day = 0") }
    if ofGroup, query.group == .session { all.append("c.day > 0") }
    return all.joined(separator: " AND ")
  }

  private func bind(_ statement: SQLStatement) {
    statement.add(query.since)
    statement.add(query.until)
    for condition in conditions { statement.add(condition.value) }
  }

  private static let sums = """
    COALESCE(SUM(c.day = 0), 0), COALESCE(SUM(c.status = 6), 0),
    COUNT(DISTINCT CASE WHEN c.day > 0 THEN c.subject END),
    COALESCE(SUM(c.shots), 0), COALESCE(SUM(c.device_us), 0),
    COALESCE(SUM(CASE WHEN c.cost IS NULL THEN c.held END), 0), COALESCE(SUM(c.cost), 0)
    """

  func report() throws -> UsageReport {
    var report = UsageReport(
      rows: [],
      total: UsageRow(
        key: "", jobs: 0, succeeded: 0, sessions: 0, shots: 0, deviceMicroseconds: 0, held: 0,
        cost: 0), denominators: UsageDenominators())
    try db.inTransaction(.deferred) {
      report.rows = try rows()
      report.total = try total()
      report.denominators = try denominators()
      return .commit
    }
    return report
  }

  private func rows() throws -> [UsageRow] {
    let select = try db.ready(
      """
      SELECT \(key), \(Self.sums) FROM \(source) WHERE \(condition(ofGroup: true))
      GROUP BY 1 ORDER BY 8 DESC, 1 LIMIT ?
      """)
    defer { select.rewind() }
    bind(select)
    select.add(query.limit)
    var rows: [UsageRow] = []
    while try select.step() {
      var row = Self.row(select.row)
      if query.group == .job || query.group == .session { row.key = Self.hyphenated(row.key) }
      rows.append(row)
    }
    return rows
  }

  /// Every charge once, however many tags it has.
  private func total() throws -> UsageRow {
    let select = try db.ready(
      "SELECT '', \(Self.sums) FROM charges AS c WHERE c.held_at >= ? AND \(selected)")
    defer { select.rewind() }
    bind(select)
    _ = try select.step()
    return Self.row(select.row)
  }

  private func denominators() throws -> UsageDenominators {
    let experiment = "CASE c.experiment WHEN '' THEN hex(c.subject) ELSE c.experiment END"
    let select = try db.ready(
      """
      SELECT COALESCE(SUM(c.queue_us), 0), COALESCE(SUM(c.status = 6), 0),
        COUNT(DISTINCT CASE WHEN c.status = 6 THEN
          c.tenant || '/' || c.project || '/' || \(experiment) END),
        COUNT(DISTINCT CASE WHEN c.status = 6 AND c.class = 'validation' THEN
          c.tenant || '/' || c.project || '/' || \(experiment) END)
      FROM charges AS c WHERE c.held_at >= ? AND \(selected)
      """)
    defer { select.rewind() }
    bind(select)
    _ = try select.step()
    var row = select.row
    var found = UsageDenominators()
    found.queueMicroseconds = row.integer()
    found.successfulJobs = row.unsigned()
    found.successfulExperiments = row.unsigned()
    found.validatedBenchmarks = row.unsigned()
    return found
  }

  /// Behind `c.held_at >= ?`: the other conditions on charges alone.
  private var selected: String {
    (["c.held_at < ?"]
      + conditions.map {
        $0.sql == "t.tag = ?"
          ? "c.subject IN (SELECT id FROM job_tags WHERE job_tags.tag = ?)" : $0.sql
      }).joined(separator: " AND ")
  }

  private static func row(_ columns: SQLRow) -> UsageRow {
    var row = columns
    return UsageRow(
      key: row.text(), jobs: row.unsigned(), succeeded: row.unsigned(), sessions: row.unsigned(),
      shots: row.unsigned(), deviceMicroseconds: row.integer(), held: row.integer(),
      cost: row.integer())
  }

  /// 32 hexadecimal digits as ids are written.
  private static func hyphenated(_ digits: String) -> String {
    var text = ""
    for (index, digit) in digits.enumerated() {
      if [8, 12, 16, 20].contains(index) { text.append("-") }
      text.append(digit)
    }
    return text
  }
}
