/// What may be done. Every method of the protocol names one of these in the method table, and one
/// function decides over all of them (`Authority.decide`).
package enum Action: String, Sendable, Hashable, CaseIterable {
  /// Say hello, ask for health, version and the catalogue of errors, and who one is.
  case connect
  case readDevices = "devices.read"
  case manageDevices = "devices.manage"
  /// Keep a device for one's project or a principal of it, within the tenant's quota.
  case reserveDevices = "devices.reserve"

  case submitJobs = "jobs.submit"
  case readJobs = "jobs.read"
  /// Apart from seeing jobs: whoever watches a queue need not see what came out.
  case readResults = "results.read"
  /// Apart from reading them: take results of a project with an export policy out of the service.
  case exportResults = "results.export"
  /// Bring results back from archives.
  case restoreResults = "results.restore"
  case cancelJobs = "jobs.cancel"
  case annotateJobs = "jobs.annotate"
  /// Cancel and annotate what others of the project submitted, close their sessions.
  case manageJobs = "jobs.manage"
  case approveJobs = "jobs.approve"
  /// Keep jobs from their start, whatever their owners say.
  case holdJobs = "jobs.hold"

  case openSessions = "sessions.open"
  case stepSessions = "sessions.step"
  case closeSessions = "sessions.close"
  case readSessions = "sessions.read"

  /// Add and revoke keys of one's own.
  case rotateKeys = "keys.rotate"
  /// Hand a part of one's own rights to another key for some minutes.
  case issueTokens = "tokens.issue"
  case readMembers = "members.read"
  case managePrincipals = "principals.manage"
  case manageProjects = "projects.manage"
  case manageTenants = "tenants.manage"

  /// Caps of projects.
  case manageBudgets = "budgets.manage"
  /// Prices and credit.
  case manageCredit = "credit.manage"

  case readAudit = "audit.read"

  /// One bit each, so that a role is a number.
  package var bit: UInt64 { 1 << UInt64(Self.bits[self] ?? 63) }

  private static let bits = Dictionary(
    uniqueKeysWithValues: allCases.enumerated().map { ($1, $0) })

  /// Changes that belong to whoever began the job or session; in the name of others they take
  /// `jobs.manage` as well.
  package var isOwners: Bool {
    switch self {
    case .cancelJobs, .annotateJobs, .closeSessions, .restoreResults: true
    default: false
    }
  }

  /// Never in the name of others: the holder of a session alone steps it, a principal alone hands
  /// on its own rights and changes its own keys (others' are `principals.manage`).
  package var isOwnersAlone: Bool {
    switch self {
    case .stepSessions, .rotateKeys, .issueTokens: true
    default: false
    }
  }

  /// Begins or goes on with work, or brings data in: a disabled project takes no more of it.
  package var isWork: Bool {
    switch self {
    case .submitJobs, .restoreResults, .openSessions, .stepSessions, .issueTokens, .reserveDevices:
      true
    default: false
    }
  }

  /// Whether a token can carry it: nothing that would outlive the token, as a key, a principal, a
  /// grant, another token or an archive would.
  package var isDelegable: Bool {
    switch self {
    case .connect, .readDevices, .submitJobs, .readJobs, .readResults, .cancelJobs, .annotateJobs,
      .restoreResults, .manageJobs, .approveJobs, .openSessions, .stepSessions, .closeSessions,
      .readSessions, .readMembers, .readAudit:
      true
    case .exportResults, .holdJobs, .manageDevices, .reserveDevices, .rotateKeys, .issueTokens,
      .managePrincipals, .manageProjects, .manageTenants, .manageBudgets, .manageCredit:
      false
    }
  }
}

/// A set of actions.
package struct Actions: Sendable, Hashable {
  package private(set) var bits: UInt64

  package init(_ actions: [Action] = []) { bits = actions.reduce(0) { $0 | $1.bit } }
  private init(bits: UInt64) { self.bits = bits }

  package static let all = Actions(Action.allCases)
  package static let delegable = Actions(Action.allCases.filter(\.isDelegable))
  /// Of work in sessions, where shots are not counted beforehand.
  package static let ofSessions = Actions([.openSessions, .stepSessions])

  package func contains(_ action: Action) -> Bool { bits & action.bit != 0 }
  package func union(_ other: Actions) -> Actions { Actions(bits: bits | other.bits) }
  package func intersection(_ other: Actions) -> Actions { Actions(bits: bits & other.bits) }
  package func subtracting(_ other: Actions) -> Actions { Actions(bits: bits & ~other.bits) }
  package func isSubset(of other: Actions) -> Bool { bits & ~other.bits == 0 }
  package var list: [Action] { Action.allCases.filter(contains) }
}
