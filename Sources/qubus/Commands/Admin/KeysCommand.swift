internal import ArgumentParser
internal import QubusClient

/// A public key; `key:` may stand before it, for keys that begin with a hyphen.
struct KeyArgument: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "Public key, 40 characters of Z85; write key: before one that begins with a hyphen.",
      valueName: "key"))
  var key: String

  var member: JSONValue.Member {
    .init("key", .text(key.hasPrefix("key:") ? String(key.dropFirst(4)) : key))
  }
}

struct KeysCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys", abstract: "List, add and revoke keys of curve endpoints.",
    subcommands: [List.self, Add.self, Revoke.self], defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List keys, oldest first.")

    @Option(help: "Whose; your own when left out.")
    var principal: String?

    @OptionGroup var options: AdminOptions

    func run() throws {
      try options.call("ListKeys", [.init("principal", .text(principal ?? ""))]) { answer in
        RecordPrinter.keys.print(answer["keys"]?.elements ?? [], options.output.format)
      }
    }
  }

  struct Add: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Add a public key, as 'qubus keygen' prints it.",
      discussion: """
        To rotate: make a new pair, add its public half, switch over, revoke the old one. With an \
        invitation's key file the invitation ends by this.
        """)

    @OptionGroup var key: KeyArgument

    @Option(help: "Whose; your own when left out.")
    var principal: String?

    @Option(help: ArgumentHelp("Valid so long; else until revoked.", valueName: "days"))
    var days: Double?

    @OptionGroup var change: ChangeOptions

    func run() throws {
      var members = [key.member, .init("principal", .text(principal ?? ""))]
      if let days { members.append(.init("valid_seconds", .real(days * 86_400))) }
      try change.perform("AddKey", members, answer: "key", .keys)
    }
  }

  struct Revoke: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Revoke a key, at once or after an overlap.",
      discussion: "A revoked key is refused with the next request, and never taken again.")

    @OptionGroup var key: KeyArgument

    @Option(
      help: ArgumentHelp("Still valid so long, for a rotation.", valueName: "seconds"))
    var overlap: Double = 0

    @OptionGroup var change: ChangeOptions

    func run() throws {
      try change.perform(
        "RevokeKey", [key.member, .init("overlap_seconds", .real(overlap))], answer: "key", .keys)
    }
  }
}
