internal import ArgumentParser
internal import QubusClient

struct ReservationCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reservation", abstract: "Reserve devices, and see when they are taken.",
    discussion: """
      In its window the device runs the holder's jobs alone, or first with --shared. Other jobs \
      start before a window only when they will have ended by then. docs/scheduling.md tells what \
      a reservation promises.
      """,
    subcommands: [List.self, Create.self, Extend.self, Cancel.self],
    defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List what has not ended: reservations, maintenance, calibration.",
      discussion: "Of reservations of others only the time is told.")

    @Argument(help: "Only those of this device.")
    var device: String?

    @OptionGroup var options: AdminOptions

    func run() throws {
      try options.list("ListReservations", .reservations, [.init("device", .text(device ?? ""))])
    }
  }

  struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Reserve a device.",
      discussion: "Takes devices.reserve, and seconds of the tenant's quota reserved_seconds.")

    @OptionGroup var window: WindowArguments

    @Flag(help: "Others may have what the holder leaves free.")
    var shared = false

    @Option(
      help: ArgumentHelp(
        "tenant/project or tenant/project/name. Default: your project.", valueName: "scope"))
    var holder: String?

    @OptionGroup var change: ChangeOptions

    func run() throws {
      try change.perform(
        "CreateReservation",
        window.members + [
          .init("is_shared", .bool(shared)), .init("holder", .text(holder ?? "")),
        ], answer: "reservation", .reservations)
    }
  }

  struct Extend: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Let a window end later.",
      discussion: "Also of maintenance and calibration, by operators.")

    @OptionGroup var window: WindowID

    @Option(name: .customLong("by"), help: "How much later: 90s, 30m, 2h, 1d.")
    var length: DurationArgument

    @OptionGroup var change: ChangeOptions

    func run() throws {
      try change.perform(
        "ExtendReservation", [window.member, .init("seconds", .real(length.seconds))],
        answer: "reservation", .reservations)
    }
  }

  struct Cancel: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Take a window away, also one that has begun.",
      discussion: "Also of maintenance and calibration, by operators.")

    @OptionGroup var window: WindowID
    @OptionGroup var change: ChangeOptions

    func run() throws {
      try change.perform(
        "CancelReservation", [window.member], answer: "reservation", .reservations)
    }
  }
}

/// When a device is to be taken.
struct WindowArguments: ParsableArguments {
  @Argument(help: "Name of the device.")
  var device: String

  @Option(help: "When it begins, UTC: 2026-11-21T10:30:00. Default: now.")
  var start: TimeArgument?

  @Option(name: .customLong("for"), help: "How long it is: 90s, 30m, 2h, 1d.")
  var length: DurationArgument

  var members: [JSONValue.Member] {
    [
      .init("device", .text(device)), .init("starts_at", .integer(start?.microseconds ?? 0)),
      .init("seconds", .real(length.seconds)),
    ]
  }
}

struct WindowID: ParsableArguments {
  @Argument(help: ArgumentHelp("Id of the reservation.", valueName: "id"))
  var id: String

  var member: JSONValue.Member { .init("reservation_id", .text(id)) }
}
