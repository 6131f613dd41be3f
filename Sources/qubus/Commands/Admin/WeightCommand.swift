internal import ArgumentParser
internal import QubusClient

struct WeightCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "weight", abstract: "Set what somebody counts in the queue; in force at once.",
    discussion: """
      Who has work waiting shares the device by weight: tenants, projects in their tenant, \
      principals in their project. docs/scheduling.md tells how.
      """)

  @Argument(
    help: ArgumentHelp("tenant, tenant/project or tenant/project/name.", valueName: "scope"))
  var scope: String

  @Argument(help: "0.001 to 1000000. Default: as configured, else 1.")
  var weight: Double?

  @OptionGroup var change: ChangeOptions

  /// JSON has no word for what is no finite number, and none at all stands for "as configured".
  func validate() throws {
    guard weight?.isFinite != false else {
      throw ValidationError("The weight is no finite number; it is 0.001 to 1000000.")
    }
  }

  func run() throws {
    var members: [JSONValue.Member] = [.init("scope", .text(scope))]
    if let weight { members.append(.init("weight", .real(weight))) }
    try change.perform("SetWeight", members, answer: "", .weights)
  }
}
