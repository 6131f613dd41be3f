internal import ArgumentParser
internal import QubusClient

struct AdminQuotaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quota", abstract: "List, set and lift limits.",
    subcommands: [List.self, Set.self, Lift.self], defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the limits that are set, with what is used.")

    @Option(help: "Only those of this tenant.")
    var tenant: String?

    @OptionGroup var options: AdminOptions

    func run() throws {
      try options.list("ListQuotas", .quotas, [.init("tenant", .text(tenant ?? ""))])
    }
  }

  struct Set: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Set a limit; in force at once.",
      discussion: """
        Quotas: jobs_queued, jobs_running, shots_per_day, device_seconds_per_day, sessions, \
        memory_bytes, requests_per_second, stream_bytes_per_second, reserved_seconds.
        """)

    @OptionGroup var quota: QuotaArguments

    @Argument(help: "In the unit that the quota's name says; 0: nothing.")
    var limit: Int

    @OptionGroup var change: ChangeOptions

    func run() throws {
      try quota.set([.init("limit", .integer(limit))], change)
    }
  }

  struct Lift: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Take a limit away.")

    @OptionGroup var quota: QuotaArguments
    @OptionGroup var change: ChangeOptions

    func run() throws { try quota.set([], change) }
  }
}

/// Whose limit of what.
struct QuotaArguments: ParsableArguments {
  @Argument(
    help: ArgumentHelp("tenant, tenant/project or tenant/project/name.", valueName: "scope"))
  var scope: String

  @Argument(help: "Name of the quota.")
  var quota: String

  @Option(
    help: ArgumentHelp("Only on devices of this family, such as sim.", valueName: "family"))
  var deviceFamily: String?

  func set(_ members: [JSONValue.Member], _ change: ChangeOptions) throws {
    try change.perform(
      "SetQuota",
      [
        .init("scope", .text(scope)), .init("quota", .text(quota)),
        .init("device_family", .text(deviceFamily ?? "")),
      ] + members, answer: "quota", .quotas)
  }
}
