internal import ArgumentParser
internal import QubusClient

struct CreditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "credit", abstract: "Grant credit to a project.",
    discussion: """
      A project that was ever granted credit spends no more than it has; one that never was pays \
      later. What expires first is spent first.
      """)

  @OptionGroup var project: ProjectArgument

  @Argument(help: ArgumentHelp("Micro-units; with --every, for each period.", valueName: "amount"))
  var amount: Int64

  @Option(help: ArgumentHelp("A subscription: renewed after so many days.", valueName: "days"))
  var every: Int64?

  @Option(help: ArgumentHelp("Valid so long. Default: for ever.", valueName: "days"))
  var days: Double?

  @OptionGroup var change: ChangeOptions

  func validate() throws {
    if let every, !(1...366).contains(every) {
      throw ValidationError("--every: \(every) is not 1 to 366.")
    }
  }

  func run() throws {
    try change.perform(
      "GrantCredit",
      try project.place + [
        .init("amount", .integer(amount)),
        .init("period_seconds", .integer((every ?? 0) * 86_400)),
        .init("valid_seconds", .real((days ?? 0) * 86_400)),
      ], answer: "entitlement", .entitlements)
  }
}

extension ProjectArgument {
  /// As methods about money name it.
  var place: [JSONValue.Member] {
    get throws {
      try members().map { member in
        member.key == "name" ? JSONValue.Member("project", member.value) : member
      }
    }
  }
}
