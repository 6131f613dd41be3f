internal import ArgumentParser
internal import QubusClient

struct DedicateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dedicate", abstract: "Give a device to one tenant alone, or to everybody again.",
    discussion: """
      For other tenants the device is not there: it is not listed, and naming it is answered as an \
      unknown device. Jobs that were accepted and sessions that are open go on.
      """)

  @Argument(help: "Name of the device.")
  var device: String

  @Argument(help: "Name of the tenant. Default: everybody.")
  var tenant: String?

  @OptionGroup var change: ChangeOptions

  func run() throws {
    try change.perform(
      "DedicateDevice",
      [.init("device", .text(device)), .init("tenant", .text(tenant ?? ""))],
      answer: "", .dedications)
  }
}
