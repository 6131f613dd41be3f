internal import ArgumentParser
internal import QubusClient

struct ApprovalPolicyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "approval-policy", abstract: "Say which jobs have to be approved.",
    discussion: "'qubus approvals --policies' lists those in force.",
    subcommands: [Set.self, Remove.self])

  struct Set: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Set the policy of an experiment class; replaces the one before.",
      discussion: "A job beyond any of the bounds waits as 'queued: APPROVAL'.")

    @OptionGroup var place: PolicyPlace

    @Option(help: "Up to so many shots run without approval. Default: any number.")
    var maxShots: UInt64?

    @Option(
      help: """
        Jobs that bound their own cost to at most so many micro-units run without approval. \
        Default: any cost.
        """)
    var maxCost: Int64?

    @Option(help: "Device family that runs without approval; repeatable. Default: all.")
    var deviceFamily: [String] = []

    @Option(help: ArgumentHelp("That a job waits. Default: 7 days.", valueName: "seconds"))
    var expiry: UInt64?

    @OptionGroup var change: ChangeOptions

    func run() throws {
      var members = place.members
      if let maxShots { members.append(.init("max_shots", .integer(maxShots))) }
      if let maxCost { members.append(.init("max_cost", .integer(maxCost))) }
      members.append(.init("device_families", .array(deviceFamily.map { .text($0) })))
      members.append(.init("expiry_seconds", .integer(expiry ?? 0)))
      try change.perform(
        "SetApprovalPolicy", [.init("policy", .object(members))], answer: "policy",
        .approvalPolicies)
    }
  }

  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Take a policy away; jobs that wait go on waiting.")

    @OptionGroup var place: PolicyPlace
    @OptionGroup var change: ChangeOptions

    func run() throws {
      try change.perform(
        "SetApprovalPolicy",
        [.init("policy", .object(place.members)), .init("is_removed", .bool(true))],
        answer: "policy", .approvalPolicies)
    }
  }
}

/// Which jobs a policy is for.
struct PolicyPlace: ParsableArguments {
  @Argument(help: ArgumentHelp("tenant or tenant/project.", valueName: "place"))
  var place: String

  @Option(
    name: .customLong("class"),
    help: "Experiment class: validation, comparison, calibration, demo. Default: all others.")
  var experimentClass: String?

  func validate() throws {
    let parts = place.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, !parts.contains("") else {
      throw ValidationError("'\(place)' is neither tenant nor tenant/project.")
    }
  }

  var members: [JSONValue.Member] {
    let parts = place.split(separator: "/").map(String.init)
    return [
      .init("tenant", .text(parts[0])), .init("project", .text(parts.count > 1 ? parts[1] : "")),
      .init("experiment_class", .text(experimentClass ?? "")),
    ]
  }
}
