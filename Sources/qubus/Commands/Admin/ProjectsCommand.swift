internal import ArgumentParser
internal import QubusClient

/// `tenant/project`.
struct ProjectArgument: ParsableArguments {
  @Argument(help: ArgumentHelp("Tenant and project.", valueName: "tenant/project"))
  var project: String

  func validate() throws { _ = try parts() }

  private func parts() throws -> [String] {
    let parts = project.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, !parts.contains("") else {
      throw ValidationError("'\(project)' is not tenant/project.")
    }
    return parts
  }

  func members() throws -> [JSONValue.Member] {
    let parts = try parts()
    return [.init("tenant", .text(parts[0])), .init("name", .text(parts[1]))]
  }
}

struct ProjectsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "projects", abstract: "List, create, disable and enable projects.",
    subcommands: [List.self, Create.self, Owner.self, Disable.self, Enable.self],
    defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the projects that you see.")

    @Option(help: "Only those of this tenant.")
    var tenant: String?

    @OptionGroup var options: AdminOptions

    func run() throws {
      try options.list("ListProjects", .projects, [.init("tenant", .text(tenant ?? ""))])
    }
  }

  struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Make a project.")

    @OptionGroup var project: ProjectArgument

    @Option(help: "Name of the tenant's principal who answers for it.")
    var owner: String?

    @OptionGroup var change: ChangeOptions

    func run() throws {
      try change.perform(
        "CreateProject", try project.members() + [.init("owner", .text(owner ?? ""))],
        answer: "project", .projects)
    }
  }

  struct Owner: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say who answers for a project; gives no rights.")

    @OptionGroup var project: ProjectArgument

    @Argument(help: "Name of a principal of the tenant.")
    var owner: String

    @OptionGroup var change: ChangeOptions

    func run() throws {
      try change.perform(
        "UpdateProject", try project.members() + [.init("owner", .text(owner))],
        answer: "project", .projects)
    }
  }

  struct Disable: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Let a project take nothing new.",
      discussion: """
        Accepted jobs run to their end and results can be read; submits, replays and new sessions \
        are refused with project_disabled, open sessions end.
        """)

    @OptionGroup var project: ProjectArgument
    @OptionGroup var change: ChangeOptions

    func run() throws { try ProjectsCommand.set(project, isDisabled: true, change) }
  }

  struct Enable: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Let a disabled project take work again.")

    @OptionGroup var project: ProjectArgument
    @OptionGroup var change: ChangeOptions

    func run() throws { try ProjectsCommand.set(project, isDisabled: false, change) }
  }

  private static func set(
    _ project: ProjectArgument, isDisabled: Bool, _ change: ChangeOptions
  ) throws {
    try change.perform(
      "UpdateProject", try project.members() + [.init("is_disabled", .bool(isDisabled))],
      answer: "project", .projects)
  }
}
