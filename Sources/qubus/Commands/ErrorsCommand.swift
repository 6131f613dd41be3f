internal import ArgumentParser
internal import QubusClient
internal import QubusCore

struct ErrorsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errors", abstract: "Explain the errors of Qubus; needs no daemon.")

  @Argument(help: ArgumentHelp("One error, by name or number.", valueName: "name|number"))
  var error: String?

  @OptionGroup var output: OutputOptions

  func run() throws {
    guard let error else { return printAll() }
    guard
      let entry = Int32(error).flatMap({ ErrorRegistry.entry(number: $0) })
        ?? ErrorRegistry.entry(name: error)
    else { throw UsageFailure(.usage, "no error is called '\(error)'; 'qubus errors' lists all") }
    switch output.format {
    case .json, .jsonl: Console.print(Document.versioned(json(entry)), format: output.format)
    case .csv: printCSV([entry])
    case .table:
      Console.print(
        Table.fields([
          ("error", "\(entry.name) [\(entry.number)]"), ("class", entry.errorClass.rawValue),
          ("recovery", entry.recovery.rawValue),
          ("gRPC", "\(entry.grpcStatus.name) (\(entry.grpcStatus.rawValue))"),
          ("HTTP", "\(entry.httpStatus)"),
          ("exit status", "\(ExitStatus(errorClass: entry.errorClass.rawValue).rawValue)"),
        ]) + "\n\n\(entry.explanation)\n\nWhat to do: \(entry.action)")
    }
  }

  private func printAll() {
    let entries = ErrorRegistry.entries
    switch output.format {
    case .json:
      Console.print(
        Document.versioned([.init("errors", .array(entries.map(json)))]), format: .json)
    case .jsonl: for entry in entries { Console.print(json(entry), format: .jsonl) }
    case .csv: printCSV(entries)
    case .table:
      var table = Table([
        ("number", .right), ("name", .left), ("class", .left), ("recovery", .left),
      ])
      for entry in entries {
        table.append([
          "\(entry.number)", entry.name, entry.errorClass.rawValue, entry.recovery.rawValue,
        ])
      }
      Console.print(table.text)
    }
  }

  private func printCSV(_ entries: [ErrorRegistry.Entry]) {
    Console.print("number,name,class,recovery,action")
    for entry in entries {
      Console.print(
        CSV.line([
          "\(entry.number)", entry.name, entry.errorClass.rawValue, entry.recovery.rawValue,
          entry.action,
        ]))
    }
  }

  private func json(_ entry: ErrorRegistry.Entry) -> JSONValue {
    .object([
      .init("number", .integer(entry.number)), .init("name", .text(entry.name)),
      .init("error_class", .text(entry.errorClass.rawValue)),
      .init("grpc_status", .integer(entry.grpcStatus.rawValue)),
      .init("http_status", .integer(entry.httpStatus)),
      .init("recovery", .text(entry.recovery.rawValue)), .init("action", .text(entry.action)),
      .init("explanation", .text(entry.explanation)),
    ])
  }
}
