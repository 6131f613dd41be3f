internal import ArgumentParser
internal import QubusClient

struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Check a program, predict its memory and time, and show how it would run.")

  @Argument(help: ArgumentHelp("OpenQASM 2 or 3 program; - is standard input.", valueName: "file"))
  var file: String

  @Flag(help: "Print every block of the evolution, not only its stages.")
  var blocks = false

  @OptionGroup var job: JobOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run() throws {
    let source = try ProgramSource(path: file)
    try Failure.reporting(output.format) {
      let plan = try connection.connect().plan(job.specification(program: source.bytes))
      switch output.format {
      case .json, .jsonl: Console.print(Document.versioned(plan), format: output.format)
      case .csv: Console.print(pubs(plan, csv: true))
      case .table: Console.print(text(plan))
      }
    }
  }

  private func text(_ plan: JSONValue) -> String {
    let memory = Summary.bytes(plan["memory_bytes"]?.integer ?? 0)
    let limit = Summary.bytes(plan["memory_limit_bytes"]?.integer ?? 0)
    let fields = Table.fields([
      ("device", plan["device"]?.string ?? ""), ("lane", plan["lane"]?.string ?? ""),
      ("memory", "\(memory) of \(limit)"),
      ("time", Summary.duration(seconds: plan["estimated_seconds"]?.real ?? 0)),
      ("cost", cost(plan)),
      ("jobs ahead", plan["jobs_ahead"]?.string ?? "0"),
      ("would start", Summary.forecast(plan, "start")),
      ("would end", Summary.forecast(plan, "end")),
      ("fingerprint", plan["fingerprint"]?.string ?? ""),
    ])
    var bounds: [(name: String, value: String)] = []
    for quota in plan["quota"]?.elements ?? [] {
      let (name, value) = (quota["key"]?.string ?? "", quota["value"]?.string ?? "")
      bounds.append(("quota", "\(name): \(value)"))
    }
    for cause in plan["approval_causes"]?.elements ?? [] {
      bounds.append(("needs approval", cause.string ?? ""))
    }
    let notices = (plan["pubs"]?.elements ?? []).flatMap { $0["notices"]?.elements ?? [] }
      .compactMap { $0.string.map { "note: " + Table.printable($0) } }
    let evolutions = (plan["pubs"]?.elements ?? []).compactMap { ExecutionPlanText($0) }
      .flatMap { [$0.summary, blocks ? $0.blockTable : $0.stageTable] }
    var parts = [fields]
    if !bounds.isEmpty { parts.append(Table.fields(bounds)) }
    parts.append(pubs(plan, csv: false))
    return (parts + evolutions + notices).joined(separator: "\n\n")
  }

  /// Micro-units; empty when the device is free.
  private func cost(_ plan: JSONValue) -> String {
    guard let cost = plan["cost"]?.string else { return "" }
    return "\(cost) micro-units, \(plan["cost_held"]?.string ?? cost) are held"
  }

  private func pubs(_ plan: JSONValue, csv: Bool) -> String {
    let columns = [
      "qubit_count", "bit_count", "operation_count", "rows", "memory_bytes", "estimated_seconds",
      "is_per_shot",
    ]
    let rows = (plan["pubs"]?.elements ?? []).enumerated().map { index, pub in
      ["\(index)"]
        + columns.map { name in
          name == "is_per_shot"
            ? (pub[name]?.isTrue == true ? "true" : "false")
            : pub[name]?.string ?? "0"
        }
    }
    if csv {
      return ([["pub"] + columns] + rows).map(CSV.line).joined(separator: "\n")
    }
    let titles = ["pub", "qubits", "bits", "operations", "rows", "bytes", "seconds", "per shot"]
    var table = Table(titles.map { ($0, .right) })
    for row in rows { table.append(row) }
    return table.text
  }
}
