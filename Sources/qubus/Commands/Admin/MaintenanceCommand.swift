internal import ArgumentParser
internal import QubusClient

struct MaintenanceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "maintenance", abstract: "Keep a device free of jobs for a time.",
    discussion: """
      Jobs start before the window only when they will have ended by then; the others wait until \
      it is over. What runs already is not stopped. 'qubus reservation list' shows it, 'qubus \
      reservation extend' and 'cancel' change it.
      """)

  @OptionGroup var window: WindowArguments

  @Flag(help: "The device is calibrated in it.")
  var calibration = false

  @OptionGroup var change: ChangeOptions

  func run() throws {
    try change.perform(
      "CreateReservation",
      window.members + [.init("kind", .text(calibration ? "calibration" : "maintenance"))],
      answer: "reservation", .reservations)
  }
}
