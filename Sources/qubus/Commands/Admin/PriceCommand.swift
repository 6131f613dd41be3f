internal import ArgumentParser
internal import QubusClient

struct PriceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "price", abstract: "Say what the use of a device costs, in micro-units.",
    discussion: """
      All zero makes the device free. Jobs that were accepted keep the price that was in force \
      then. 'qubus admin budget list' shows the prices.
      """)

  @Argument(help: "Name of the device.")
  var device: String

  @Option(help: ArgumentHelp("For each job that runs.", valueName: "micro-units"))
  var perJob: Int64 = 0

  @Option(help: ArgumentHelp("For each shot.", valueName: "micro-units"))
  var perShot: Int64 = 0

  @Option(help: ArgumentHelp("For each second on the device.", valueName: "micro-units"))
  var perSecond: Int64 = 0

  @OptionGroup var change: ChangeOptions

  func run() throws {
    try change.perform(
      "SetPrice",
      [
        .init(
          "price",
          .object([
            .init("device", .text(device)), .init("per_job", .integer(perJob)),
            .init("per_shot", .integer(perShot)), .init("per_device_second", .integer(perSecond)),
          ]))
      ], answer: "price", .prices)
  }
}
