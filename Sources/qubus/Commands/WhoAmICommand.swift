internal import ArgumentParser
internal import QubusClient

struct WhoAmICommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "whoami", abstract: "Show who the daemon takes you for, and what you may do.")

  @OptionGroup var options: AdminOptions

  func run() throws {
    try options.call("WhoAmI") { answer in
      let actions = (answer["actions"]?.elements ?? []).compactMap(\.string)
      switch options.output.format {
      case .json, .jsonl:
        Console.print(Document.versioned(answer), format: options.output.format)
      case .csv:
        Console.print("principal,credential,grants,actions")
        Console.print(
          CSV.line([
            answer["principal"]?.string ?? "", answer["credential"]?.string ?? "",
            RecordPrinter.grants(answer["grants"]), actions.joined(separator: " "),
          ]))
      case .table:
        Console.print(
          Table.fields([
            ("principal", answer["principal"]?.string ?? ""),
            ("credential", answer["credential"]?.string ?? ""),
            ("invitation", answer["is_invitation"]?.isTrue == true ? "add a key of your own" : ""),
            ("token", answer["token_id"]?.string ?? ""),
            ("token expires", Summary.time(answer["token_expires_at"])),
            ("roles", RecordPrinter.grants(answer["grants"])),
            ("may", actions.joined(separator: ", ")),
          ]))
      }
    }
  }
}
