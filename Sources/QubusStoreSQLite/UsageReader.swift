internal import GRDB
internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Sums over charges.
struct UsageReader {
  let db: Database
  let query: UsageQuery
  let codec: any JobCodec
  /// Nil: nothing is encrypted, and tags lie as they are.
  let vault: Vault?

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

  /// Columns and what they must be.
  private var conditions: [(sql: String, value: String)] {
    [
      ("c.tenant = ?", query.tenant), ("c.project = ?", query.project),
      ("c.principal = ?", query.principal), ("c.device = ?", query.device),
      ("c.class = ?", query.experimentClass),
    ].filter { !$0.1.isEmpty }
  }

  /// What the tag may be in its column: itself, and its marks where rows are sealed.
  private var tags: [String] {
    guard !query.tag.isEmpty else { return [] }
    let tenant = query.tenant.isEmpty ? nil : query.tenant
    return [query.tag] + (vault?.marks(query.tag, of: JobColumns.tagColumn, in: tenant) ?? [])
  }

  private func isOne(of tags: [String]) -> String {
    " IN (" + Array(repeating: "?", count: tags.count).joined(separator: ",") + ")"
  }

  private func condition(ofGroup: Bool) -> String {
    var all = ["c.held_at >= ?", "c.held_at < ?"] + conditions.map(\.sql)
    if !query.tag.isEmpty { all.append("t.tag" + isOne(of: tags)) }
    if ofGroup, query.group == .job { all.append("c.day = 0") }
    if ofGroup, query.group == .session { all.append("c.day > 0") }
    return all.joined(separator: " AND ")
  }

  private func bind(_ statement: SQLStatement) {
    statement.add(query.since)
    statement.add(query.until)
    for value in conditions.map(\.value) + tags { statement.add(value) }
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
      SELECT \(key), \(Self.sums), MAX(c.subject) FROM \(source)
      WHERE \(condition(ofGroup: true))
      GROUP BY 1 ORDER BY 8 DESC, 1 LIMIT ?
      """)
    defer { select.rewind() }
    bind(select)
    select.add(query.limit)
    var rows: [(row: UsageRow, job: Identifier?)] = []
    while try select.step() {
      var columns = select.row
      var row = Self.row(&columns)
      if query.group == .job || query.group == .session { row.key = Self.hyphenated(row.key) }
      rows.append((row, columns.identifier()))
    }
    guard vault != nil, query.group == .tag else { return rows.map(\.row) }
    return try opened(rows)
  }

  /// The rows under the tags that their marks stand for; an erased tenant's stay marks. Equal tags
  /// of several tenants have several marks and come together here.
  private func opened(_ rows: [(row: UsageRow, job: Identifier?)]) throws -> [UsageRow] {
    var sums: [String: UsageRow] = [:]
    for (marked, job) in rows {
      var row = marked
      if let job, let tag = try tag(of: row.key, in: job) { row.key = tag }
      guard let sum = sums[row.key] else {
        sums[row.key] = row
        continue
      }
      sums[row.key] = sum.adding(row)
    }
    return sums.values.sorted { $0.cost != $1.cost ? $0.cost > $1.cost : $0.key < $1.key }
  }

  private func tag(of mark: String, in job: Identifier) throws -> String? {
    let select = try db.ready(RecordReader.byID)
    defer { select.rewind() }
    select.add(row: job)
    guard try select.step() else { return nil }
    let record = try RecordReader.record(select.row, codec: codec, vault: vault)
    guard case .open(let key)? = vault?[record.principal.tenant] else { return nil }
    return record.tags.first { key.mark($0, of: JobColumns.tagColumn) == mark }
  }

  /// Every charge once, however many tags it has.
  private func total() throws -> UsageRow {
    let select = try db.ready(
      "SELECT '', \(Self.sums) FROM charges AS c WHERE c.held_at >= ? AND \(selected)")
    defer { select.rewind() }
    bind(select)
    _ = try select.step()
    var row = select.row
    return Self.row(&row)
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
    var all = ["c.held_at < ?"] + conditions.map(\.sql)
    if !query.tag.isEmpty {
      all.append("c.subject IN (SELECT id FROM job_tags WHERE job_tags.tag\(isOne(of: tags)))")
    }
    return all.joined(separator: " AND ")
  }

  private static func row(_ row: inout SQLRow) -> UsageRow {
    UsageRow(
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

extension UsageRow {
  fileprivate func adding(_ other: UsageRow) -> UsageRow {
    var sum = self
    sum.jobs += other.jobs
    sum.succeeded += other.succeeded
    sum.sessions += other.sessions
    sum.shots += other.shots
    sum.deviceMicroseconds += other.deviceMicroseconds
    sum.held += other.held
    sum.cost += other.cost
    return sum
  }
}
