internal import ArgumentParser
internal import QubusClient

struct ExportPolicyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export-policy", abstract: "Say who archives results of a project, and where to.",
    discussion: "Without a policy whoever may read results may archive them.",
    subcommands: [List.self, Set.self, Remove.self], defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the policies in force.", discussion: "Takes members.read.")

    @Option(help: ArgumentHelp("Only of this tenant.", valueName: "tenant"))
    var tenant: String?

    @OptionGroup var options: AdminOptions

    func run() throws {
      try options.list(
        "ListExportPolicies", .exportPolicies, [.init("tenant", .text(tenant ?? ""))])
    }
  }

  struct Set: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Let only reviewers archive, and only to these destinations.",
      discussion: "Replaces the policy before. Takes projects.manage.")

    @OptionGroup var project: ExportedProject

    @Option(
      help: ArgumentHelp(
        "Name that 'qubus archive --destination' may give; repeatable.", valueName: "name"))
    var destination: [String]

    @OptionGroup var change: ChangeOptions

    func run() throws {
      let destinations = JSONValue.Member(
        "destinations", .array(destination.map { .text($0) }))
      try change.perform(
        "SetExportPolicy", [.init("policy", .object(project.members + [destinations]))],
        answer: "policy", .exportPolicies)
    }
  }

  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Let whoever may read results archive them again.")

    @OptionGroup var project: ExportedProject
    @OptionGroup var change: ChangeOptions

    func run() throws {
      try change.perform(
        "SetExportPolicy",
        [.init("policy", .object(project.members)), .init("is_removed", .bool(true))],
        answer: "policy", .exportPolicies)
    }
  }
}

/// The project whose results are meant.
struct ExportedProject: ParsableArguments {
  @Argument(help: ArgumentHelp("tenant/project.", valueName: "project"))
  var project: String

  func validate() throws {
    let parts = project.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, !parts.contains("") else {
      throw ValidationError("'\(project)' is not tenant/project.")
    }
  }

  var members: [JSONValue.Member] {
    let parts = project.split(separator: "/").map(String.init)
    return [.init("tenant", .text(parts[0])), .init("project", .text(parts[1]))]
  }
}
