internal import ArgumentParser
internal import QubusClient

struct PrincipalArgument: ParsableArguments {
  @Argument(help: ArgumentHelp("The principal.", valueName: "tenant/project/name"))
  var principal: String

  func validate() throws {
    guard PrincipalName(principal) != nil else {
      throw ValidationError("'\(principal)' is not tenant/project/name.")
    }
  }

  var member: JSONValue.Member { .init("principal", .text(principal)) }
}

/// The parts of a principal's text.
struct PrincipalName {
  let tenant: String
  let project: String

  init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, !parts.contains("") else { return nil }
    tenant = String(parts[0])
    project = String(parts[1])
  }
}

struct PrincipalsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "principals", abstract: "List, create, disable and enable principals.",
    subcommands: [List.self, Create.self, User.self, Disable.self, Enable.self],
    defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the principals that you see.")

    @Option(help: "Only those of this tenant.")
    var tenant: String?
    @Option(help: "Only those of this project of the tenant.")
    var project: String?

    @OptionGroup var options: AdminOptions

    func validate() throws {
      guard project == nil || tenant != nil else {
        throw ValidationError("--project: needs --tenant.")
      }
    }

    func run() throws {
      try options.list(
        "ListPrincipals", .principals,
        [.init("tenant", .text(tenant ?? "")), .init("project", .text(project ?? ""))])
    }
  }

  struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a principal.",
      discussion: """
        It connects with a key (admin invite, admin keys add) or, with --uid, as that user of the \
        daemon's machine.
        """)

    @OptionGroup var principal: PrincipalArgument

    @Option(
      help: ArgumentHelp(
        "Role in its own project, for example submitter. May be repeated.", valueName: "role"))
    var role: [String] = []

    @Option(help: "User of the daemon's machine; only operators may say this.")
    var uid: UInt32?

    @OptionGroup var change: ChangeOptions

    func run() throws {
      let grants = try role.map {
        try GrantOptions.grant($0, scope: nil, family: nil, principal.principal)
      }
      var members = [principal.member, .init("grants", .array(grants))]
      if let uid { members.append(.init("uid", .integer(uid))) }
      try change.perform("CreatePrincipal", members, answer: "principal", .principals)
    }
  }

  struct User: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say which user of the daemon's machine a principal is.")

    @OptionGroup var principal: PrincipalArgument

    @Argument(help: ArgumentHelp("The user; none: no one any more.", valueName: "uid|none"))
    var user: String

    @OptionGroup var change: ChangeOptions

    func validate() throws {
      guard user == "none" || UInt32(user) != nil else {
        throw ValidationError("'\(user)' is no uid.")
      }
    }

    func run() throws {
      let member: JSONValue.Member =
        UInt32(user).map { .init("uid", .integer($0)) } ?? .init("no_uid", .bool(true))
      try change.perform(
        "UpdatePrincipal", [principal.member, member], answer: "principal", .principals)
    }
  }

  struct Disable: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Shut a principal out.",
      discussion: "Its next request is refused and its sessions end; its jobs run on.")

    @OptionGroup var principal: PrincipalArgument
    @OptionGroup var change: ChangeOptions

    func run() throws { try PrincipalsCommand.set(principal, isDisabled: true, change) }
  }

  struct Enable: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let a disabled principal in again.")

    @OptionGroup var principal: PrincipalArgument
    @OptionGroup var change: ChangeOptions

    func run() throws { try PrincipalsCommand.set(principal, isDisabled: false, change) }
  }

  private static func set(
    _ principal: PrincipalArgument, isDisabled: Bool, _ change: ChangeOptions
  ) throws {
    try change.perform(
      "UpdatePrincipal", [principal.member, .init("is_disabled", .bool(isDisabled))],
      answer: "principal", .principals)
  }
}
