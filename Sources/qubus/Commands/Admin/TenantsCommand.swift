internal import ArgumentParser
internal import QubusClient

struct TenantsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tenants", abstract: "List, create, disable, enable and erase tenants.",
    subcommands: [List.self, Create.self, Disable.self, Enable.self, Erase.self],
    defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the tenants that you see.")

    @OptionGroup var options: AdminOptions

    func run() throws { try options.list("ListTenants", .tenants) }
  }

  struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a tenant; it has no projects yet.")

    @Argument(help: "Its name.")
    var name: String

    @OptionGroup var change: ChangeOptions

    func run() throws {
      try change.perform(
        "CreateTenant", [.init("name", .text(name))], answer: "tenant", .tenants)
    }
  }

  struct Disable: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Shut a tenant out; deletes nothing.",
      discussion: "Its principals can do nothing any more and its sessions end; jobs run on.")

    @Argument(help: "Its name.")
    var name: String

    @OptionGroup var change: ChangeOptions

    func run() throws { try TenantsCommand.set(name, isDisabled: true, change) }
  }

  struct Enable: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let a disabled tenant in again.")

    @Argument(help: "Its name.")
    var name: String

    @OptionGroup var change: ChangeOptions

    func run() throws { try TenantsCommand.set(name, isDisabled: false, change) }
  }

  struct Erase: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Destroy what a disabled tenant had, for ever.",
      discussion: """
        Its data key goes, and with it programs, results, names, tags and annotations, in the \
        service, not in backups from before. Ids, times and states stay. The service must be \
        encrypted.
        """)

    @Argument(help: "Its name.")
    var name: String

    @OptionGroup var change: ChangeOptions

    func run() throws {
      try change.perform(
        "EraseTenant", [.init("name", .text(name))], answer: "tenant", .tenants)
    }
  }

  private static func set(_ name: String, isDisabled: Bool, _ change: ChangeOptions) throws {
    try change.perform(
      "UpdateTenant", [.init("name", .text(name)), .init("is_disabled", .bool(isDisabled))],
      answer: "tenant", .tenants)
  }
}
