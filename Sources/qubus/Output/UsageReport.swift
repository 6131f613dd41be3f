internal import QubusClient

/// What was used, for people and for programs.
struct UsageReport {
  private static let columns = [
    "jobs", "jobs_succeeded", "sessions", "shots", "device_microseconds", "held", "cost",
  ]
  private let answer: JSONValue
  /// Title of the first column.
  private let group: String

  init(_ answer: JSONValue, by group: String) {
    self.answer = answer
    self.group = group
  }

  private static func cells(_ row: JSONValue, key: String) -> [String] {
    [key] + columns.map { row[$0]?.string ?? "0" }
  }

  func print(_ format: OutputFormat) {
    let rows = (answer["rows"]?.elements ?? []).map {
      Self.cells($0, key: $0["key"]?.string ?? "")
    }
    let total = Self.cells(answer["total"] ?? .object([]), key: "total")
    switch format {
    case .json, .jsonl: Console.print(Document.versioned(answer), format: format)
    case .csv:
      for row in [[group] + Self.columns] + rows { Console.print(CSV.line(row)) }
    case .table:
      let titles = [group] + Self.columns.map { $0.split(separator: "_").joined(separator: " ") }
      var table = Table(
        titles.enumerated().map { ($0.element, $0.offset == 0 ? .left : .right) })
      for row in rows + [total] { table.append(row) }
      Console.print(table.text)
    }
  }

  /// Cost divided by what came of it, with the denominators; nil when there was none.
  private var metrics: [(name: String, denominator: Double, unit: String)] {
    let total = answer["total"]
    return [
      (
        "cost_per_queue_minute", (answer["queue_microseconds"]?.real ?? 0) / 60e6, "queue_minutes"
      ),
      ("cost_per_successful_job", total?["jobs_succeeded"]?.real ?? 0, "successful_jobs"),
      (
        "cost_per_successful_experiment", answer["successful_experiments"]?.real ?? 0,
        "successful_experiments"
      ),
      (
        "cost_per_validated_benchmark", answer["validated_benchmarks"]?.real ?? 0,
        "validated_benchmarks"
      ),
    ]
  }

  func printMetrics(_ format: OutputFormat) {
    let cost = answer["total"]?["cost"]?.real ?? 0
    let found = metrics.map { metric in
      (metric, value: metric.denominator > 0 ? cost / metric.denominator : nil)
    }
    switch format {
    case .json, .jsonl:
      let list = found.map { metric, value in
        JSONValue.object([
          .init("name", .text(metric.name)),
          .init("value", value.map { .real($0) } ?? .null),
          .init("denominator", .real(metric.denominator)), .init("unit", .text(metric.unit)),
        ])
      }
      Console.print(
        Document.versioned([
          .init("cost", .integer(answer["total"]?["cost"]?.integer ?? 0)),
          .init("metrics", .array(list)),
        ]), format: format)
    case .csv:
      Console.print("metric,micro_units,denominator,unit")
      for (metric, value) in found {
        Console.print(
          CSV.line([
            metric.name, value.map { "\($0)" } ?? "", "\(metric.denominator)", metric.unit,
          ]))
      }
    case .table:
      var table = Table([("metric", .left), ("micro-units", .right), ("of", .left)])
      for (metric, value) in found {
        table.append([
          metric.name.split(separator: "_").joined(separator: " "),
          value.map { "\(($0 * 1000).rounded() / 1000)" } ?? "none",
          "\((metric.denominator * 1000).rounded() / 1000) "
            + metric.unit.split(separator: "_").joined(separator: " "),
        ])
      }
      Console.print(table.text)
    }
  }
}
