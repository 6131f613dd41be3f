internal import ArgumentParser
internal import QubusClient

struct TokenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "Hand on some of your rights for some minutes.",
    subcommands: [Issue.self, Revoke.self, RotateKey.self])

  struct Issue: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a token and print it.",
      discussion: """
        For example: qubus admin token issue jobs.submit jobs.read results.read \
        --bound-to key:… --shots 10000. Whoever holds it uses it over their own connection, which \
        must have that credential.
        """)

    @Argument(
      help: ArgumentHelp("Permissions that you hold, for example jobs.read.", valueName: "action"))
    var actions: [String]

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "Who may use it: key:… or uid:…; your own credential when left out.",
        valueName: "credential"))
    var boundTo: String?

    @Option(help: "Only in this project of your tenant.")
    var project: String?

    @Option(help: ArgumentHelp("Valid so long, at most 900. Default: 900.", valueName: "seconds"))
    var seconds: UInt32?

    @Option(help: ArgumentHelp("In all jobs together.", valueName: "count"))
    var shots: UInt64?

    @OptionGroup var change: ChangeOptions

    func run() throws {
      var members: [JSONValue.Member] = [
        .init("bound_to", .text(boundTo ?? "")),
        .init("actions", .array(actions.map { .text($0) })),
        .init("project", .text(project ?? "")), .init("valid_seconds", .integer(seconds ?? 0)),
      ]
      if let shots { members.append(.init("shots", .integer(shots))) }
      try change.perform("IssueToken", members) { answer in
        let format = change.admin.output.format
        switch format {
        case .json, .jsonl: Console.print(Document.versioned(answer), format: format)
        case .csv:
          Console.print("token,token_id,expires_at")
          Console.print(
            CSV.line(["token", "token_id", "expires_at"].map { answer[$0]?.string ?? "" }))
        case .table: Console.print(answer["token"]?.string ?? "")
        }
      }
    }
  }

  struct Revoke: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "End a token before its time.")

    @Argument(help: ArgumentHelp("Its id, as issue told it.", valueName: "token-id"))
    var tokenID: String

    @OptionGroup var change: ChangeOptions

    func run() throws {
      try change.perform("RevokeToken", [.init("token_id", .text(tokenID))]) { answer in
        let format = change.admin.output.format
        switch format {
        case .json, .jsonl: Console.print(Document.versioned(answer), format: format)
        case .csv, .table: Console.print("Revoked.")
        }
      }
    }
  }

  struct RotateKey: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "rotate-key", abstract: "Sign tokens with a new key from now on; for operators.",
      discussion: """
        Tokens of the key before stay good until they expire, at most 15 minutes. To end them at \
        once, revoke them or disable who issued them.
        """)

    @OptionGroup var change: ChangeOptions

    func run() throws {
      try change.perform("RotateTokenKey", []) { answer in
        let format = change.admin.output.format
        let id = answer["key_id"]?.string ?? ""
        switch format {
        case .json, .jsonl: Console.print(Document.versioned(answer), format: format)
        case .csv:
          Console.print("key_id,previous_until")
          Console.print(CSV.line([id, answer["previous_until"]?.string ?? ""]))
        case .table:
          Console.print(
            Table.fields([
              ("new key", id),
              ("key before, until", Summary.time(answer["previous_until"])),
            ]))
        }
      }
    }
  }
}
