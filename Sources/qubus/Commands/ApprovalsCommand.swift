internal import ArgumentParser
internal import QubusClient

struct ApprovalsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "approvals", abstract: "List jobs that wait for an approval, and decide.",
    discussion: "Takes the role approver. Nobody decides over a job of their own.",
    subcommands: [List.self, Approve.self, Refuse.self, ChangeDevice.self],
    defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the jobs that wait where you may approve, oldest first.")

    @Option(help: ArgumentHelp("Only of this tenant.", valueName: "tenant"))
    var tenant: String?

    @Option(help: ArgumentHelp("Only of this project of the tenant.", valueName: "project"))
    var project: String?

    @Flag(help: "List the policies in force instead.")
    var policies = false

    @OptionGroup var options: AdminOptions

    func run() throws {
      let place: [JSONValue.Member] = [
        .init("tenant", .text(tenant ?? "")), .init("project", .text(project ?? "")),
      ]
      guard policies else { return try options.list("ListApprovals", .approvals, place) }
      try options.call("ListApprovals", place) { answer in
        RecordPrinter.approvalPolicies.print(
          answer["policies"]?.elements ?? [], options.output.format)
      }
    }
  }

  struct Approve: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let a job run.")

    @OptionGroup var job: JobArgument
    @OptionGroup var change: ChangeOptions

    func run() throws { try ApprovalsCommand.decide(job, "approve", [], change) }
  }

  struct Refuse: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "End a job as canceled; takes a reason, which its submitter reads.")

    @OptionGroup var job: JobArgument
    @OptionGroup var change: ChangeOptions

    func run() throws { try ApprovalsCommand.decide(job, "refuse", [], change) }
  }

  struct ChangeDevice: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Let a job run, on another device than it asked for.")

    @OptionGroup var job: JobArgument

    @Argument(help: "Name of the device.")
    var device: String

    @OptionGroup var change: ChangeOptions

    func run() throws {
      try ApprovalsCommand.decide(
        job, "change_device", [.init("device", .text(device))], change)
    }
  }

  private static func decide(
    _ job: JobArgument, _ action: String, _ members: [JSONValue.Member], _ change: ChangeOptions
  ) throws {
    try change.perform(
      "ApproveJob",
      [.init("job_id", .text(job.jobID)), .init("action", .text(action))] + members,
      answer: "job", .decided)
  }
}
