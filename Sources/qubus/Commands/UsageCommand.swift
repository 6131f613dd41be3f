internal import ArgumentParser
internal import QubusClient

/// By what usage is summed up; the words of the wire.
enum UsageGroup: String, ExpressibleByArgument, CaseIterable {
  case job, tag, session, project, principal, device, `class`
}

/// Whose usage, budgets and credit.
struct PlaceOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A tenant, or a project of it.", valueName: "tenant[/project]"))
  var of: String?

  @Flag(help: "Of every tenant; takes a role of the whole service.")
  var everything = false

  func validate() throws {
    let parts = (of ?? "x").split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, !parts.contains("") else {
      throw ValidationError("--of: '\(of ?? "")' is not tenant or tenant/project.")
    }
    if of != nil, everything { throw ValidationError("--of and --everything exclude each other.") }
  }

  var members: [JSONValue.Member] {
    let parts = (of ?? "").split(separator: "/").map(String.init)
    return [
      .init("tenant", .text(parts.first ?? "")),
      .init("project", .text(parts.count > 1 ? parts[1] : "")),
      .init("is_everything", .bool(everything)),
    ]
  }
}

struct UsageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "usage", abstract: "Tell what jobs and sessions used and cost.",
    discussion: """
      Only what was used of devices with a price; docs/costs.md tells how it is charged. Costs are \
      in micro-units. Jobs count by the time of their acceptance, sessions by the day.
      """)

  @Option(help: "Sum up by this.")
  var by = UsageGroup.project

  @OptionGroup var place: PlaceOptions

  @Option(help: ArgumentHelp("Only of this principal.", valueName: "name"))
  var principal: String?

  @Option(help: "Only of this device.")
  var device: String?

  @Option(help: "Only jobs with this tag.")
  var tag: String?

  @Option(name: .customLong("class"), help: "Only of this class of experiments.")
  var experimentClass: String?

  @Option(help: ArgumentHelp("From this time on, UTC: 2026-11-21[T10:30:00].", valueName: "time"))
  var since: TimeArgument?

  @Option(help: ArgumentHelp("Before this time.", valueName: "time"))
  var until: TimeArgument?

  @Option(help: ArgumentHelp("Rows at most, the dearest first.", valueName: "count"))
  var limit: UInt32 = 1000

  @Flag(help: "Cost per queue minute, successful job, experiment and validated benchmark.")
  var metrics = false

  @OptionGroup var options: AdminOptions

  func run() throws {
    var members: [JSONValue.Member] =
      place.members + [
        .init("group_by", .text(by.rawValue)), .init("principal", .text(principal ?? "")),
        .init("device", .text(device ?? "")), .init("tag", .text(tag ?? "")),
        .init("experiment_class", .text(experimentClass ?? "")),
        .init("since", .integer(since?.microseconds ?? 0)), .init("limit", .integer(limit)),
      ]
    if let until { members.append(.init("until", .integer(until.microseconds))) }
    try options.call("GetUsage", members) { answer in
      let report = UsageReport(answer, by: by.rawValue)
      let format = options.output.format
      if metrics { report.printMetrics(format) } else { report.print(format) }
    }
  }
}
