internal import QubusClient

/// How a plan's evolution is printed: a row per stage, or per block.
struct ExecutionPlanText {
  private let plan: JSONValue

  /// Nil when the answer holds no plan, as for devices without one.
  init?(_ pub: JSONValue) {
    guard let plan = pub["execution"], plan["stages"] != nil else { return nil }
    self.plan = plan
  }

  private var stages: [JSONValue] { plan["stages"]?.elements ?? [] }

  /// One line about the whole evolution.
  var summary: String {
    let blocks = stages.reduce(0) { $0 + ($1["blocks"]?.elements.count ?? 0) }
    let gates = plan["gate_count"]?.string ?? "0"
    let precision = plan["numeric_precision"]?.string ?? ""
    let set = plan["instruction_set"]?.string ?? ""
    let table = plan["cost_table_version"]?.string ?? "0"
    return "\(gates) gates in \(blocks) blocks and \(stages.count) stages; \(precision) precision, "
      + "\(set), cost table \(table)"
  }

  var stageTable: String {
    var table = Table([
      ("stage", .right), ("blocks", .right), ("local", .right), ("live", .right),
      ("MB", .right), ("MFLOP", .right), ("time", .right), ("kinds", .left),
    ])
    for (index, stage) in stages.enumerated() {
      let blocks = stage["blocks"]?.elements ?? []
      var kinds: [(name: String, count: Int)] = []
      for block in blocks {
        let name = Self.kind(of: block)
        if let known = kinds.firstIndex(where: { $0.name == name }) {
          kinds[known].count += 1
        } else {
          kinds.append((name, 1))
        }
      }
      table.append([
        "\(index)", "\(blocks.count)", "\(stage["local_positions"]?.elements.count ?? 0)",
        stage["live_positions"]?.string ?? "0", Self.millions(stage["bytes"]),
        Self.millions(stage["flops"]),
        Summary.duration(seconds: stage["estimated_seconds"]?.real ?? 0),
        kinds.map { "\($0.count) \($0.name)" }.joined(separator: ", "),
      ])
    }
    return table.text
  }

  var blockTable: String {
    var table = Table([
      ("stage", .right), ("block", .right), ("kind", .left), ("positions", .left),
      ("controls", .left), ("MFLOP", .right), ("time", .right),
    ])
    for (stageIndex, stage) in stages.enumerated() {
      for (index, block) in (stage["blocks"]?.elements ?? []).enumerated() {
        table.append([
          "\(stageIndex)", "\(index)", block["kind"]?.string ?? "",
          Self.list(block["positions"]), Self.list(block["controls"]),
          Self.millions(block["flops"]),
          Summary.duration(seconds: block["estimated_seconds"]?.real ?? 0),
        ])
      }
    }
    return table.text
  }

  /// For example `dense 2` for a matrix over two positions.
  private static func kind(of block: JSONValue) -> String {
    let kind = block["kind"]?.string ?? ""
    let size = block["positions"]?.elements.count ?? 0
    return size > 1 && kind != "linear" ? "\(kind) \(size)" : kind
  }

  private static func list(_ value: JSONValue?) -> String {
    (value?.elements ?? []).compactMap(\.string).joined(separator: " ")
  }

  private static func millions(_ value: JSONValue?) -> String {
    let tenths = ((value?.real ?? 0) / 1e5).rounded()
    return tenths < 1e15 ? "\(tenths / 10)" : "\((tenths / 10).rounded())"
  }
}
