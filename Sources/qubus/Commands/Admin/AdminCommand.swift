internal import ArgumentParser
internal import QubusClient

struct AdminCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "admin",
    abstract: """
      Tenants, projects, principals, keys, roles, tokens, prices, budgets, quotas, policies, \
      maintenance, holds and drains.
      """,
    discussion: """
      A principal is named tenant/project/name. Whoever started the daemon first is its operator; \
      docs/tenancy.md tells who may do what.
      """,
    subcommands: [
      TenantsCommand.self, ProjectsCommand.self, PrincipalsCommand.self, KeysCommand.self,
      GrantCommand.self, RevokeCommand.self, InviteCommand.self, TokenCommand.self,
      PriceCommand.self, CreditCommand.self, BudgetCommand.self, DedicateCommand.self,
      AdminQuotaCommand.self, WeightCommand.self, HoldCommand.self, ReleaseCommand.self,
      DrainCommand.self, UndrainCommand.self, MaintenanceCommand.self,
      ApprovalPolicyCommand.self, ExportPolicyCommand.self,
    ])
}

/// What every command of administration takes.
struct AdminOptions: ParsableArguments {
  @OptionGroup var output: OutputOptions
  @OptionGroup var connection: ConnectionOptions

  /// Calls a method and hands its answer to `print`.
  func call(
    _ method: String, _ members: [JSONValue.Member] = [], _ print: (JSONValue) throws -> Void
  ) throws {
    try Failure.reporting(output.format) {
      try print(try connection.connect().call(method, .object(members)))
    }
  }

  /// All pages of a list.
  func list(
    _ method: String, _ printer: RecordPrinter, _ members: [JSONValue.Member] = []
  ) throws {
    try Failure.reporting(output.format) {
      let client = try connection.connect()
      var records: [JSONValue] = []
      var pageToken = ""
      repeat {
        let page = try client.call(
          method,
          .object(
            members + [
              .init("page_size", .integer(1000)), .init("page_token", .text(pageToken)),
            ]))
        records += page[printer.member]?.elements ?? []
        pageToken = page["next_page_token"]?.string ?? ""
      } while !pageToken.isEmpty
      printer.print(records, output.format)
    }
  }
}

/// What every change takes.
struct ChangeOptions: ParsableArguments {
  @Option(help: "Why; goes into the audit.")
  var reason: String?

  @OptionGroup var admin: AdminOptions

  /// Calls a method that changes something and prints the record it answers.
  func perform(
    _ method: String, _ members: [JSONValue.Member], answer member: String, _ printer: RecordPrinter
  ) throws {
    try perform(method, members) { answer in
      printer.print(answer[member] ?? answer, admin.output.format)
    }
  }

  func perform(
    _ method: String, _ members: [JSONValue.Member], _ print: (JSONValue) throws -> Void
  ) throws {
    try admin.call(method, members + [.init("reason", .text(reason ?? ""))], print)
  }
}
