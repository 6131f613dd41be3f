internal import ArgumentParser
internal import QubusClient

struct DevicesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "devices", abstract: "List the devices and what they can do.")

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run() throws {
    try Failure.reporting(output.format) {
      let answer = try connection.connect().devices()
      let devices = answer["devices"]?.elements ?? []
      switch output.format {
      case .json: Console.print(Document.versioned(answer), format: .json)
      case .jsonl:
        for device in devices { Console.print(Document.versioned(device), format: .jsonl) }
      case .csv:
        Console.print("name,state,qubit_count,jobs_queued,jobs_running,memory_limit_bytes")
        for device in devices {
          Console.print(CSV.line(cells(device) + [device["memory_limit_bytes"]?.string ?? ""]))
        }
      case .table:
        var table = Table([
          ("device", .left), ("state", .left), ("qubits", .right), ("queued", .right),
          ("running", .right), ("", .left),
        ])
        for device in devices { table.append(cells(device) + [Self.remark(device)]) }
        Console.print(table.text)
      }
    }
  }

  private static func remark(_ device: JSONValue) -> String {
    let summary = device["summary"]?.string ?? ""
    guard let reason = device["drain_reason"]?.string, !reason.isEmpty else { return summary }
    return "\(summary); drained by \(device["drained_by"]?.string ?? ""): \(reason)"
  }

  private func cells(_ device: JSONValue) -> [String] {
    [
      device["name"]?.string ?? "", Summary.word(device["state"], prefix: "DEVICE_STATE_"),
      device["qubit_count"]?.string ?? "", device["jobs_queued"]?.string ?? "0",
      device["jobs_running"]?.string ?? "0",
    ]
  }
}

struct HealthCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health", abstract: "Ask the daemon how it is; ends with 0 while it serves.")

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run() throws {
    try Failure.reporting(output.format) {
      let client = try connection.connect()
      let health = try client.health()
      let state = Summary.word(health["state"], prefix: "HEALTH_STATE_")
      switch output.format {
      case .json, .jsonl: Console.print(Document.versioned(health), format: output.format)
      case .csv:
        Console.print("state,uptime_microseconds,jobs_queued,jobs_running")
        Console.print(
          CSV.line([
            state, health["uptime_microseconds"]?.string ?? "",
            health["jobs_queued"]?.string ?? "0", health["jobs_running"]?.string ?? "0",
          ]))
      case .table:
        let uptime = health["uptime_microseconds"]?.integer ?? 0
        Console.print(
          Table.fields([
            ("state", state), ("endpoint", client.endpoint),
            ("up for", Summary.duration(microseconds: uptime)),
            ("jobs queued", health["jobs_queued"]?.string ?? "0"),
            ("jobs running", health["jobs_running"]?.string ?? "0"),
            ("instance", health["server_instance_id"]?.string ?? ""),
            ("detail", health["detail"]?.string ?? ""),
          ]))
      }
      // A degraded daemon still serves.
      if state == "stopping" { throw SilentExit(status: .unavailable) }
    }
  }
}

struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "Show the versions of the client and of the daemon.",
    discussion: "Ends with 0 also when no daemon is there.")

  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  func run() throws {
    let server: JSONValue
    let trouble: String
    do {
      server = try connection.connect(timeout: .seconds(1)).serverVersion()
      trouble = ""
    } catch let error as ClientError {
      server = .null
      trouble = error.message
    }
    switch output.format {
    case .json, .jsonl:
      Console.print(
        Document.versioned([
          .init("client_version", .text(Client.version)), .init("server", server),
        ]), format: output.format)
    case .csv:
      Console.print("client_version,server_version")
      Console.print(CSV.line([Client.version, server["server_version"]?.string ?? ""]))
    case .table:
      Console.print(
        Table.fields(
          [("client", Client.version)]
            + (server == .null
              ? [("server", "not reachable: \(trouble)")]
              : server.members.map {
                ($0.key.split(separator: "_").joined(separator: " "), $0.value.string ?? "")
              })))
    }
  }
}
