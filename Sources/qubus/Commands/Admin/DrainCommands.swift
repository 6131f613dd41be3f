internal import ArgumentParser
internal import QubusClient

struct DrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain", abstract: "Start nothing on a device until the drain is ended.",
    discussion: """
      Its jobs wait, and are told who drained it and why; no session is opened on it. What runs \
      there goes on. It stays drained when the daemon restarts.
      """)

  @Argument(help: "Name of the device.")
  var device: String

  @Option(help: "Why; told to everybody who waits, and goes into the audit.")
  var reason: String

  @OptionGroup var admin: AdminOptions

  func run() throws {
    try DrainOptions.perform(device, isEnded: false, reason: reason, admin)
  }
}

struct UndrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "undrain", abstract: "Let jobs start on a drained device again.")

  @Argument(help: "Name of the device.")
  var device: String

  @Option(help: "Why; goes into the audit.")
  var reason: String?

  @OptionGroup var admin: AdminOptions

  func run() throws {
    try DrainOptions.perform(device, isEnded: true, reason: reason ?? "", admin)
  }
}

private enum DrainOptions {
  static func perform(
    _ device: String, isEnded: Bool, reason: String, _ admin: AdminOptions
  ) throws {
    try admin.call(
      "DrainDevice",
      [
        .init("device", .text(device)), .init("is_ended", .bool(isEnded)),
        .init("reason", .text(reason)),
      ]
    ) { RecordPrinter.drains.print($0, admin.output.format) }
  }
}

extension RecordPrinter {
  fileprivate static let drains = RecordPrinter(
    "drains",
    [
      .init("device"),
      .init("state") { $0["is_drained"]?.isTrue == true ? "drained" : "online" },
      .init("drained_by"), .init("drain_reason"),
      .init("drained_since") { Summary.time($0["drained_since"]) },
    ])
}
