import QubusCore
import QubusJobs
import QubusTenancy
import QubusWire
import Testing

/// Whose the resource is, seen from `lab/qc/alice`.
enum Ownership: Int, CaseIterable {
  case own
  /// Of bob, in the same project.
  case colleague
  /// Of carol, in another project of the tenant.
  case neighbour
  /// Of dave, in another tenant.
  case foreigner

  var resource: Resource {
    switch self {
    case .own: Resource(tenant: "lab", project: "qc", owner: "alice")
    case .colleague: Resource(tenant: "lab", project: "qc", owner: "bob")
    case .neighbour: Resource(tenant: "lab", project: "optics", owner: "carol")
    case .foreigner: Resource(tenant: "acme", project: "main", owner: "dave")
    }
  }
}

/// What is expected, written down by hand: one letter for each ownership in order, (a)llowed,
/// (d)enied, (h)idden. A new role, action or method does not compile until it has its row.
struct Expected {
  /// `lab/qc` each.
  var viewer, submitter, approver, projectAdmin: String
  /// As an approver's where nothing else is said.
  var reviewer: String
  /// Of `lab`.
  var tenantAdmin: String
  /// Of everything.
  var `operator`, auditor: String
  /// Without any role.
  var nobody: String

  init(
    viewer: String, submitter: String, approver: String, projectAdmin: String,
    tenantAdmin: String, operator: String, auditor: String, nobody: String,
    reviewer: String? = nil
  ) {
    self.viewer = viewer
    self.submitter = submitter
    self.approver = approver
    self.projectAdmin = projectAdmin
    self.tenantAdmin = tenantAdmin
    self.operator = `operator`
    self.auditor = auditor
    self.nobody = nobody
    self.reviewer = reviewer ?? approver
  }

  func cells(_ role: Role?) -> String {
    switch role {
    case .viewer: viewer
    case .submitter: submitter
    case .approver: approver
    case .reviewer: reviewer
    case .projectAdmin: projectAdmin
    case .tenantAdmin: tenantAdmin
    case .operator: `operator`
    case .auditor: auditor
    case nil: nobody
    }
  }

  static func row(_ action: Action) -> Expected {
    switch action {
    case .connect:
      Expected(
        viewer: "aaaa", submitter: "aaaa", approver: "aaaa", projectAdmin: "aaaa",
        tenantAdmin: "aaaa", operator: "aaaa", auditor: "aaaa", nobody: "aaaa")
    case .readDevices:
      Expected(
        viewer: "aahh", submitter: "aahh", approver: "aahh", projectAdmin: "aahh",
        tenantAdmin: "aaah", operator: "aaaa", auditor: "aaaa", nobody: "dhhh")
    case .manageDevices:
      Expected(
        viewer: "ddhh", submitter: "ddhh", approver: "ddhh", projectAdmin: "ddhh",
        tenantAdmin: "dddh", operator: "aaaa", auditor: "dddd", nobody: "dhhh")
    case .reserveDevices:
      Expected(
        viewer: "ddhh", submitter: "ddhh", approver: "ddhh", projectAdmin: "aahh",
        tenantAdmin: "aaah", operator: "aaaa", auditor: "dddd", nobody: "dhhh")
    case .submitJobs, .openSessions:
      Expected(
        viewer: "ddhh", submitter: "aahh", approver: "ddhh", projectAdmin: "aahh",
        tenantAdmin: "aaah", operator: "dddd", auditor: "dddd", nobody: "dhhh")
    case .readJobs, .readSessions:
      Expected(
        viewer: "aahh", submitter: "aahh", approver: "aahh", projectAdmin: "aahh",
        tenantAdmin: "aaah", operator: "aaaa", auditor: "aaaa", nobody: "dhhh")
    case .readResults:
      Expected(
        viewer: "ddhh", submitter: "aahh", approver: "aahh", projectAdmin: "aahh",
        tenantAdmin: "aaah", operator: "dddd", auditor: "dddd", nobody: "dhhh")
    case .exportResults:
      Expected(
        viewer: "ddhh", submitter: "ddhh", approver: "ddhh", projectAdmin: "ddhh",
        tenantAdmin: "dddh", operator: "dddd", auditor: "dddd", nobody: "dhhh", reviewer: "aahh")
    case .cancelJobs, .annotateJobs, .closeSessions, .restoreResults:
      Expected(
        viewer: "ddhh", submitter: "adhh", approver: "ddhh", projectAdmin: "aahh",
        tenantAdmin: "aaah", operator: "aaaa", auditor: "dddd", nobody: "dhhh")
    case .manageJobs:
      Expected(
        viewer: "ddhh", submitter: "ddhh", approver: "ddhh", projectAdmin: "aahh",
        tenantAdmin: "aaah", operator: "aaaa", auditor: "dddd", nobody: "dhhh")
    case .approveJobs:
      Expected(
        viewer: "ddhh", submitter: "ddhh", approver: "aahh", projectAdmin: "ddhh",
        tenantAdmin: "dddh", operator: "dddd", auditor: "dddd", nobody: "dhhh", reviewer: "ddhh")
    case .holdJobs:
      Expected(
        viewer: "ddhh", submitter: "ddhh", approver: "ddhh", projectAdmin: "ddhh",
        tenantAdmin: "dddh", operator: "aaaa", auditor: "dddd", nobody: "dhhh")
    case .stepSessions:
      Expected(
        viewer: "ddhh", submitter: "adhh", approver: "ddhh", projectAdmin: "adhh",
        tenantAdmin: "addh", operator: "dddd", auditor: "dddd", nobody: "dhhh")
    case .rotateKeys:
      Expected(
        viewer: "ahhh", submitter: "ahhh", approver: "ahhh", projectAdmin: "adhh",
        tenantAdmin: "addh", operator: "addd", auditor: "addd", nobody: "ahhh")
    case .issueTokens:
      Expected(
        viewer: "dhhh", submitter: "ahhh", approver: "dhhh", projectAdmin: "adhh",
        tenantAdmin: "addh", operator: "dddd", auditor: "dddd", nobody: "dhhh")
    case .readMembers:
      Expected(
        viewer: "dhhh", submitter: "dhhh", approver: "dhhh", projectAdmin: "aahh",
        tenantAdmin: "aaah", operator: "aaaa", auditor: "aaaa", nobody: "dhhh")
    case .managePrincipals:
      Expected(
        viewer: "dhhh", submitter: "dhhh", approver: "dhhh", projectAdmin: "aahh",
        tenantAdmin: "aaah", operator: "aaaa", auditor: "dddd", nobody: "dhhh")
    case .manageProjects, .manageBudgets:
      Expected(
        viewer: "dhhh", submitter: "dhhh", approver: "dhhh", projectAdmin: "ddhh",
        tenantAdmin: "aaah", operator: "aaaa", auditor: "dddd", nobody: "dhhh")
    case .manageTenants, .manageCredit:
      Expected(
        viewer: "dhhh", submitter: "dhhh", approver: "dhhh", projectAdmin: "ddhh",
        tenantAdmin: "dddh", operator: "aaaa", auditor: "dddd", nobody: "dhhh")
    case .readAudit:
      Expected(
        viewer: "dhhh", submitter: "dhhh", approver: "dhhh", projectAdmin: "ddhh",
        tenantAdmin: "dddh", operator: "dddd", auditor: "aaaa", nobody: "dhhh")
    }
  }

  /// What each method of the protocol takes.
  static func action(of method: Method) -> Action {
    switch method {
    case .hello, .health, .version, .errorCatalogue, .whoAmI: .connect
    case .listDevices, .getDevice, .listReservations: .readDevices
    // Maintenance and calibration take manageDevices instead.
    case .createReservation, .extendReservation, .cancelReservation: .reserveDevices
    case .submit, .submitBatch, .replayJob, .resubmitJob: .submitJobs
    case .plan, .getJob, .listJobs, .watchJob, .explainJob, .getEtaReport: .readJobs
    // Under an export policy archiveJob takes exportResults besides.
    case .getResult, .archiveJob: .readResults
    case .restoreJob: .restoreResults
    case .cancelJob, .cancelBatch, .changeJob, .pauseJob, .resumeJob: .cancelJobs
    case .holdJob, .releaseJob: .holdJobs
    case .annotateJob: .annotateJobs
    case .openSession, .resumeSession: .openSessions
    case .step, .optimize, .cancelOptimize: .stepSessions
    case .closeSession: .closeSessions
    case .getSession, .listSessions: .readSessions
    case .listTenants, .listProjects, .listPrincipals: .readMembers
    case .createTenant, .updateTenant, .eraseTenant, .rotateTokenKey: .manageTenants
    case .createProject, .updateProject: .manageProjects
    case .createPrincipal, .updatePrincipal, .grantRole, .revokeRole, .createInvitation:
      .managePrincipals
    // One's own; those of others take managePrincipals besides.
    case .listKeys, .addKey, .revokeKey, .revokeToken: .rotateKeys
    case .issueToken: .issueTokens
    case .listAudit, .verifyAudit, .exportAuditCheckpoint: .readAudit
    case .setPrice, .grantCredit: .manageCredit
    case .setBudget: .manageBudgets
    case .dedicateDevice, .drainDevice: .manageDevices
    case .listBudgets, .getUsage: .readJobs
    // One's own; those of others take readMembers besides.
    case .getQuota, .getQueuePolicy: .connect
    // Of a project manageProjects, of a tenant manageTenants besides.
    case .setQuota, .setWeight: .managePrincipals
    case .listQuotas, .listExportPolicies: .readMembers
    case .listApprovals, .approveJob: .approveJobs
    case .setApprovalPolicy, .setExportPolicy: .manageProjects
    }
  }
}

@Suite("Authorisation: every role, every method, every ownership")
struct AuthorityMatrixTests {
  static let alice = Principal(tenant: "lab", project: "qc", name: "alice")
  static let roles: [Role?] = Role.allCases + [nil]

  /// Where each role is granted in the matrix.
  static func scope(_ role: Role) -> Scope {
    switch role {
    case .viewer, .submitter, .approver, .reviewer, .projectAdmin:
      Scope(tenant: "lab", project: "qc")
    case .tenantAdmin: Scope(tenant: "lab")
    case .operator, .auditor: Scope()
    }
  }

  static func identity(_ role: Role?, token: TokenRights? = nil) -> Identity {
    Identity(
      principal: alice, credential: .localUser(uid: 1000),
      grants: role.map { [Grant($0, scope($0))] } ?? [], token: token)
  }

  static func letter(_ verdict: Verdict) -> Character {
    switch verdict {
    case .allowed: "a"
    case .denied: "d"
    case .hidden: "h"
    }
  }

  @Test("the matrix of actions holds", arguments: roles)
  func actions(_ role: Role?) {
    let identity = Self.identity(role)
    for action in Action.allCases {
      let found = Ownership.allCases.map {
        Self.letter(Authority.decide(identity, action, on: $0.resource, now: 0))
      }
      let expected = Expected.row(action).cells(role)
      #expect(String(found) == expected, "\(role.map(\.rawValue) ?? "nobody"): \(action)")
    }
  }

  @Test("the matrix of methods holds", arguments: roles)
  func methods(_ role: Role?) {
    let identity = Self.identity(role)
    for method in Method.allCases {
      let permission = method.declaration.permission
      #expect(permission == Expected.action(of: method))
      let expected = Expected.row(Expected.action(of: method)).cells(role)
      for ownership in Ownership.allCases {
        let letter = Array(expected)[ownership.rawValue]
        let verdict = Authority.decide(identity, permission, on: ownership.resource, now: 0)
        #expect(Self.letter(verdict) == letter, "\(method) \(ownership)")
      }
      // Whoever may do it nowhere is turned away before the call is looked at.
      let mayAnywhere = Authority.mayAnywhere(identity, permission, now: 0)
      #expect(mayAnywhere == expected.contains("a"), "\(method)")
    }
  }

  @Test(
    "what is hidden is told in the very words of what is not there; what is denied names itself")
  func words() {
    let absent = QubusError(.jobNotFound, "no such job")
    let viewer = Self.identity(.viewer)
    let hidden = #expect(throws: QubusError.self) {
      try viewer.check(
        .readJobs, on: Ownership.foreigner.resource, now: 0, hidden: absent)
    }
    #expect(hidden == absent)
    let denied = #expect(throws: QubusError.self) {
      try viewer.check(
        .readResults, on: Ownership.colleague.resource, now: 0, hidden: absent)
    }
    #expect(denied?.code == .permissionDenied)
    #expect(denied?.details == ["action": "results.read", "scope": "lab/qc"])
    #expect(denied?.message.contains("results.read in lab/qc") == true)
  }

  @Test("a token without a project leaves of each role what it names, and no more")
  func tokens() {
    for role in Self.roles {
      for action in Action.allCases {
        let rights = TokenRights(
          id: "t", actions: Actions([action]), project: nil, expiresAt: 10, maxShots: nil)
        let bearer = Self.identity(role, token: rights)
        let own = Self.identity(role)
        for other in Action.allCases {
          for ownership in Ownership.allCases {
            let resource = ownership.resource
            let withToken = Self.letter(
              Authority.decide(bearer, other, on: resource, now: 9))
            let without = Self.letter(Authority.decide(own, other, on: resource, now: 9))
            if withToken == "a" {
              #expect(without == "a", "\(String(describing: role)) \(other) \(ownership)")
              #expect(other == .connect || (other == action && other.isDelegable))
            }
            // A right over others' jobs is two rights, which this token does not carry.
            let isManagers = other.isOwners && ownership != .own
            if other == action, other.isDelegable, without == "a", !isManagers {
              #expect(withToken == "a", "\(String(describing: role)) \(other) \(ownership)")
            }
            #expect(
              Self.letter(Authority.decide(bearer, other, on: resource, now: 10)) != "a")
          }
        }
      }
    }
  }

  @Test("a token of a project is good there alone, whatever its principal may do elsewhere")
  func tokenProject() {
    let rights = TokenRights(
      id: "t", actions: .all, project: "optics", expiresAt: 10, maxShots: nil)
    for role in [Role.tenantAdmin, .operator] {
      let bearer = Self.identity(role, token: rights)
      #expect(
        Ownership.allCases.map {
          Self.letter(Authority.decide(bearer, .readJobs, on: $0.resource, now: 0))
        } == ["d", "h", "a", "h"])
      // The same name in another tenant is another project.
      let namesake = Resource(tenant: "acme", project: "optics", owner: "dave")
      #expect(Authority.decide(bearer, .readJobs, on: namesake, now: 0) == .hidden)
    }
  }
}
