internal import ArgumentParser
internal import QubusClient

/// A role and where it holds.
struct GrantOptions: ParsableArguments {
  @OptionGroup var principal: PrincipalArgument

  @Argument(
    help: ArgumentHelp(
      "viewer, submitter, approver, reviewer, project_admin, tenant_admin, operator or auditor."))
  var role: String

  @Option(
    help: ArgumentHelp(
      "Where it holds: everything, a tenant, or tenant/project. Default: the principal's project; "
        + "of tenant_admin its tenant. For operator and auditor it must be said.",
      valueName: "scope"))
  var scope: String?

  @Option(
    help: ArgumentHelp(
      "Only on devices of this family, the part of their names before the first point.",
      valueName: "family"))
  var deviceFamily: String?

  func validate() throws { _ = try members() }

  func members() throws -> [JSONValue.Member] {
    [
      principal.member,
      .init(
        "grant",
        try Self.grant(role, scope: scope, family: deviceFamily, principal.principal)),
    ]
  }

  /// Message RoleGrant.
  static func grant(
    _ role: String, scope: String?, family: String?, _ principal: String
  ) throws -> JSONValue {
    var parts: [String] = []
    if let scope {
      parts =
        scope == "everything"
        ? [] : scope.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
      guard parts.count <= 2, !parts.contains("") else {
        throw ValidationError("--scope: '\(scope)' is not everything, a tenant or tenant/project.")
      }
    } else {
      guard role != "operator", role != "auditor" else {
        throw ValidationError("--scope: say where the \(role) is one; everything is the service.")
      }
      if let name = PrincipalName(principal) {
        parts = role == "tenant_admin" ? [name.tenant] : [name.tenant, name.project]
      }
    }
    return .object([
      .init("role", .text(role)), .init("tenant", .text(parts.first ?? "")),
      .init("project", .text(parts.count > 1 ? parts[1] : "")),
      .init("device_family", .text(family ?? "")),
    ])
  }
}

struct GrantCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "grant", abstract: "Give a principal a role.",
    discussion: "One grants what one may hand on, no wider than one holds it oneself.")

  @OptionGroup var grant: GrantOptions
  @OptionGroup var change: ChangeOptions

  func run() throws {
    try change.perform("GrantRole", try grant.members(), answer: "principal", .principals)
  }
}

struct RevokeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "revoke", abstract: "Take a role from a principal, exactly as it was granted.",
    discussion: "Takes effect with the principal's next request. Keys: see 'admin keys revoke'.")

  @OptionGroup var grant: GrantOptions
  @OptionGroup var change: ChangeOptions

  func run() throws {
    try change.perform("RevokeRole", try grant.members(), answer: "principal", .principals)
  }
}
