internal import ArgumentParser
internal import QubusClient

struct QuotaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quota", abstract: "Show limits and what is used of them.",
    discussion: """
      Without a scope those of yourself, your project and your tenant. Days are those of UTC: what \
      is counted by the day begins anew at midnight. docs/quotas.md tells what counts.
      """)

  @Argument(
    help: ArgumentHelp("tenant, tenant/project or tenant/project/name.", valueName: "scope"))
  var scope: String?

  @Flag(help: "Also those without a limit.")
  var all = false

  @OptionGroup var options: AdminOptions

  func run() throws {
    try options.call("GetQuota", [.init("scope", .text(scope ?? ""))]) { answer in
      let quotas = answer["quotas"]?.elements ?? []
      RecordPrinter.quotas.print(
        all ? quotas : quotas.filter { $0["limit"] != nil }, options.output.format)
    }
  }
}
