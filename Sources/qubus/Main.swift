internal import ArgumentParser

/// The command line of Qubus. `docs/cli.md` documents it.
@main
struct Qubus: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "qubus",
    abstract: "Runs quantum programs on a Qubus daemon.",
    discussion: """
      The daemon is found by --endpoint, then QUBUS_ENDPOINT, then the default sockets. Output is \
      a table on a terminal and JSON otherwise; -o chooses. The exit status is 0 only when the \
      job succeeded; docs/cli.md lists the others.
      """,
    groupedSubcommands: [
      CommandGroup(
        name: "Jobs:",
        subcommands: [
          RunCommand.self, SubmitCommand.self, WatchCommand.self, GetCommand.self,
          ExplainCommand.self, ListCommand.self, ResultCommand.self, CancelCommand.self,
          ChangeCommand.self, PauseCommand.self, ResumeCommand.self, ResubmitCommand.self,
          ReplayCommand.self, AnnotateCommand.self,
          PlanCommand.self, ApprovalsCommand.self, UsageCommand.self, ArchiveCommand.self,
          RestoreCommand.self,
        ]),
      CommandGroup(
        name: "The service:",
        subcommands: [
          DevicesCommand.self, ReservationCommand.self, QueuePolicyCommand.self,
          QuotaCommand.self, EtaReportCommand.self, ErrorsCommand.self,
          HealthCommand.self,
          VersionCommand.self,
          KeygenCommand.self, CompletionCommand.self,
        ]),
      CommandGroup(
        name: "Administration:",
        subcommands: [WhoAmICommand.self, AdminCommand.self, AuditCommand.self]),
    ])

  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      Failure.exit(error)
    }
  }
}
