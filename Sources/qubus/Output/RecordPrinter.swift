internal import QubusClient

/// Prints records of one kind: several as a list, or one by itself.
struct RecordPrinter: Sendable {
  struct Column: Sendable {
    /// In the header of CSV; the table's title has spaces in place of underscores.
    let name: String
    let value: @Sendable (JSONValue) -> String

    /// A field of the record as it is.
    init(_ name: String) { self.init(name) { $0[name]?.string ?? "" } }

    init(_ name: String, _ value: @escaping @Sendable (JSONValue) -> String) {
      self.name = name
      self.value = value
    }

    var title: String { name.split(separator: "_").joined(separator: " ") }
  }

  /// Name of the list in JSON.
  let member: String
  let columns: [Column]

  init(_ member: String, _ columns: [Column]) {
    self.member = member
    self.columns = columns
  }

  func print(_ records: [JSONValue], _ format: OutputFormat) {
    switch format {
    case .json:
      Console.print(Document.versioned([.init(member, .array(records))]), format: .json)
    case .jsonl: for record in records { Console.print(Document.versioned(record), format: .jsonl) }
    case .csv:
      Console.print(CSV.line(columns.map(\.name)))
      for record in records { Console.print(CSV.line(cells(record))) }
    case .table:
      var table = Table(columns.map { ($0.title, .left) })
      for record in records { table.append(cells(record)) }
      Console.print(table.text)
    }
  }

  func print(_ record: JSONValue, _ format: OutputFormat) {
    switch format {
    case .json, .jsonl: Console.print(Document.versioned(record), format: format)
    case .csv: print([record], .csv)
    case .table:
      Console.print(Table.fields(columns.map { ($0.title, $0.value(record)) }))
    }
  }

  private func cells(_ record: JSONValue) -> [String] { columns.map { $0.value(record) } }
}

extension RecordPrinter {
  static let tenants = RecordPrinter(
    "tenants", [.init("name"), state, .init("created_at") { Summary.time($0["created_at"]) }])

  static let projects = RecordPrinter(
    "projects",
    [
      .init("project") { "\($0["tenant"]?.string ?? "")/\($0["name"]?.string ?? "")" },
      .init("owner"), state, .init("created_at") { Summary.time($0["created_at"]) },
    ])

  static let principals = RecordPrinter(
    "principals",
    [
      .init("principal"), .init("uid"), state,
      .init("grants") { grants($0["grants"]) },
      .init("created_at") { Summary.time($0["created_at"]) },
    ])

  static let keys = RecordPrinter(
    "keys",
    [
      .init("key"), .init("principal"),
      .init("state") { key in
        if key["is_valid"]?.isTrue != true { return "not valid" }
        return key["is_invitation"]?.isTrue == true ? "invitation" : "valid"
      },
      .init("created_at") { Summary.time($0["created_at"]) },
      .init("expires_at") { Summary.time($0["expires_at"]) },
      .init("revoked_at") { Summary.time($0["revoked_at"]) },
    ])

  static let quotas = RecordPrinter(
    "quotas",
    [
      .init("scope"), .init("quota"), .init("device_family"), .init("limit"),
      .init("used") { $0["used"]?.string ?? "0" },
      .init("resets_at") { Summary.time($0["resets_at"]) },
    ])

  static let weights = RecordPrinter(
    "weights",
    [.init("scope"), .init("weight") { $0["weight"]?.string ?? "as configured" }])

  static let reservations = RecordPrinter(
    "reservations",
    [
      .init("reservation_id"), .init("device"),
      .init("kind") { window in
        let kind = window["kind"]?.string ?? ""
        return window["is_shared"]?.isTrue == true ? "shared \(kind)" : kind
      },
      .init("starts_at") { Summary.time($0["starts_at"]) },
      .init("ends_at") { Summary.time($0["ends_at"]) }, .init("holder"),
    ])

  static let constraints = RecordPrinter(
    "constraints",
    [
      .init("kind"), .init("since") { Summary.time($0["since"]) }, .init("delay_microseconds"),
      .init("detail"), .init("remedy"),
    ])

  static let etaScores = RecordPrinter(
    "scores",
    [
      .init("lane"), .init("quotes"), .init("scored"),
      .init("covered_percent") { score in
        guard let scored = score["scored"]?.integer, scored > 0 else { return "" }
        let covered = Double(score["covered"]?.integer ?? 0)
        return "\((1000 * covered / Double(scored)).rounded() / 10)"
      },
      .init("mean_width") { Summary.duration(seconds: $0["mean_width_seconds"]?.real ?? 0) },
      .init("mean_error") { Summary.duration(seconds: $0["mean_error_seconds"]?.real ?? 0) },
    ])

  static let approvals = RecordPrinter(
    "approvals",
    [
      .init("job_id") { $0["job"]?["job_id"]?.string ?? "" }, .init("principal"),
      .init("experiment_class"), .init("device") { $0["job"]?["device"]?.string ?? "" },
      .init("causes") { joined($0["causes"], "; ") },
      .init("expires_at") { Summary.time($0["expires_at"]) },
    ])

  static let approvalPolicies = RecordPrinter(
    "policies",
    [
      .init("place") { policy in
        ["tenant", "project"].compactMap { policy[$0]?.string }.filter { !$0.isEmpty }
          .joined(separator: "/")
      },
      .init("experiment_class"), .init("max_shots"), .init("max_cost"),
      .init("device_families") { joined($0["device_families"], " ") }, .init("expiry_seconds"),
    ])

  static let exportPolicies = RecordPrinter(
    "policies",
    [
      .init("project") { "\($0["tenant"]?.string ?? "")/\($0["project"]?.string ?? "")" },
      .init("destinations") { joined($0["destinations"], " ") },
    ])

  static let archives = RecordPrinter(
    "archives", [.init("job_id"), .init("file"), .init("bytes")])

  static let restored = RecordPrinter(
    "restored", [.init("job_id"), .init("file"), .init("outcome")])

  static let decided = RecordPrinter(
    "jobs",
    [.init("job_id"), .init("status"), .init("reason"), .init("device")])

  private static func joined(_ list: JSONValue?, _ separator: String) -> String {
    (list?.elements ?? []).compactMap(\.string).joined(separator: separator)
  }

  static let audit = RecordPrinter(
    "records",
    [
      .init("number"), .init("time") { Summary.time($0["time"]) },
      .init("principal") { record in
        let principal = record["principal"]?.string ?? ""
        return principal.isEmpty ? record["credential"]?.string ?? "" : principal
      },
      .init("method"), .init("subject"), .init("outcome"), .init("policy"), .init("reason"),
    ])

  private static let state = Column("state") {
    $0["is_disabled"]?.isTrue == true ? "disabled" : "enabled"
  }

  /// `submitter of lab/qc, auditor of everything`.
  static func grants(_ grants: JSONValue?) -> String {
    (grants?.elements ?? []).map { grant in
      let place = ["tenant", "project"].compactMap { grant[$0]?.string }.filter { !$0.isEmpty }
        .joined(separator: "/")
      let family = grant["device_family"]?.string ?? ""
      return "\(grant["role"]?.string ?? "") of \(place.isEmpty ? "everything" : place)"
        + (family.isEmpty ? "" : " on \(family)")
    }.joined(separator: ", ")
  }
}
