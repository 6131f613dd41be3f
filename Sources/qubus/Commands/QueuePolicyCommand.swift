internal import ArgumentParser
internal import QubusClient

struct QueuePolicyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "queue-policy",
    abstract: "Show the lanes, weights and rules by which the daemon orders its queue.",
    discussion: """
      Of weights and past use those of your own tenant, project and yourself. docs/scheduling.md \
      explains the words.
      """)

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run() throws {
    let format = output.format
    try Failure.reporting(format) {
      let policy = try connection.connect().call("GetQueuePolicy", .object([]))
      let lanes = policy["lanes"]?.elements ?? []
      switch format {
      case .json, .jsonl: Console.print(Document.versioned(policy), format: format)
      case .csv: RecordPrinter.lanes.print(lanes, .csv)
      case .table:
        RecordPrinter.lanes.print(lanes, .table)
        Console.print("")
        RecordPrinter.standings.print(policy["standings"]?.elements ?? [], .table)
        Console.print("")
        Console.print(Table.fields(Self.rules(policy)))
      }
    }
  }

  private static func rules(_ policy: JSONValue) -> [(name: String, value: String)] {
    func seconds(_ member: String) -> String? {
      policy[member]?.real.map { Summary.duration(seconds: $0) }
    }
    func bytes(_ member: String) -> String { Summary.bytes(policy[member]?.integer ?? 0) }
    let factor = number(policy["largest_usage_factor"])
    let halfLife = seconds("usage_half_life_seconds")
    let overdue = policy["overdue_stretch"].map {
      "earlier after \(number($0)) times its expected time, which counts as "
        + "\(seconds("shortest_seconds") ?? "0 s") at least"
    }
    return [
      ("slots", "\(number(policy["compute_slots"])) with \(bytes("memory_bytes"))"),
      (
        "extra slots",
        "\(number(policy["express_slots"])) with \(bytes("express_memory_bytes")), of the lane "
          + "interactive alone"
      ),
      ("a job takes all slots", "from \(seconds("all_cores_seconds") ?? "0 s") predicted time on"),
      ("jobs in all lanes", "at most \(number(policy["jobs_queued_limit"]))"),
      (
        "the past",
        halfLife.map { "counts half after \($0), and weights 1/\(factor) to \(factor) times" }
          ?? "does not count"
      ),
      ("inside a principal", "due its submit + \(number(policy["stretch"])) × its expected time"),
      ("overdue", overdue ?? "as its lane says"),
      ("longest run", seconds("max_run_seconds") ?? "no limit but the job's own"),
    ]
  }

  fileprivate static func number(_ value: JSONValue?) -> String {
    guard let number = value?.real else { return value?.string ?? "" }
    let rounded = (number * 1000).rounded() / 1000
    return rounded == rounded.rounded() && abs(rounded) < 1e15 ? "\(Int(rounded))" : "\(rounded)"
  }
}

extension RecordPrinter {
  fileprivate static let lanes = RecordPrinter(
    "lanes",
    [
      .init("lane"),
      .init("share") { QueuePolicyCommand.number($0["share"]) },
      .init("overdue_after") {
        $0["overdue_after_seconds"]?.real.map { Summary.duration(seconds: $0) } ?? ""
      },
      .init("queued") { $0["jobs_queued"]?.string ?? "0" },
      .init("limit") { $0["jobs_queued_limit"]?.string ?? "0" }, .init("takes"),
    ])

  fileprivate static let standings = RecordPrinter(
    "standings",
    [
      .init("scope"), .init("weight") { QueuePolicyCommand.number($0["weight"]) },
      .init("past") { "× \(QueuePolicyCommand.number($0["factor"]))" },
      .init("used") { Summary.duration(seconds: $0["used_seconds"]?.real ?? 0) },
    ])
}
