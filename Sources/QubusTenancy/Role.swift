/// What a principal is in a tenant or project: a fixed set of actions.
package enum Role: String, Sendable, Hashable, CaseIterable {
  case viewer
  case submitter
  case approver
  /// Takes results of projects with an export policy out of the service.
  case reviewer
  case projectAdmin = "project_admin"
  case tenantAdmin = "tenant_admin"
  /// Runs the service: tenants, devices, principals. Reads no results.
  case `operator`
  case auditor

  /// Looked at for every decision, so each is a number made once.
  package var actions: Actions {
    switch self {
    case .viewer: Self.ofViewer
    case .submitter: Self.ofSubmitter
    case .approver: Self.ofApprover
    case .reviewer: Self.ofReviewer
    case .projectAdmin: Self.ofProjectAdmin
    case .tenantAdmin: Self.ofTenantAdmin
    case .operator: Self.ofOperator
    case .auditor: Self.ofAuditor
    }
  }

  private static let ofViewer = Actions(Role.viewer.declared)
  private static let ofSubmitter = Actions(Role.submitter.declared)
  private static let ofApprover = Actions(Role.approver.declared)
  private static let ofReviewer = Actions(Role.reviewer.declared)
  private static let ofProjectAdmin = Actions(Role.projectAdmin.declared)
  private static let ofTenantAdmin = Actions(Role.tenantAdmin.declared)
  private static let ofOperator = Actions(Role.operator.declared)
  private static let ofAuditor = Actions(Role.auditor.declared)

  private static let everyone: [Action] = [.connect, .readDevices, .rotateKeys]

  private var declared: [Action] {
    switch self {
    case .viewer: Self.everyone + [.readJobs, .readSessions]
    case .submitter:
      Role.viewer.declared + [
        .submitJobs, .readResults, .cancelJobs, .annotateJobs, .openSessions, .stepSessions,
        .closeSessions, .issueTokens,
        .restoreResults,
      ]
    case .approver: Role.viewer.declared + [.readResults, .approveJobs]
    case .reviewer: Role.viewer.declared + [.readResults, .exportResults]
    case .projectAdmin:
      Role.submitter.declared + [.manageJobs, .reserveDevices, .readMembers, .managePrincipals]
    case .tenantAdmin: Role.projectAdmin.declared + [.manageProjects, .manageBudgets]
    case .operator:
      Self.everyone + [
        .manageDevices, .reserveDevices, .readJobs, .readSessions, .cancelJobs, .annotateJobs,
        .manageJobs, .holdJobs, .restoreResults, .closeSessions, .readMembers, .managePrincipals,
        .manageProjects, .manageTenants, .manageBudgets, .manageCredit,
      ]
    case .auditor: Self.everyone + [.readJobs, .readSessions, .readMembers, .readAudit]
    }
  }

  /// How far a grant of it may reach: a project admin of all projects would be a tenant admin.
  package enum Reach: Sendable { case project, tenant, service }

  /// The widest scope it can be granted for.
  package var widestReach: Reach {
    switch self {
    case .projectAdmin: .project
    case .viewer, .submitter, .approver, .reviewer, .tenantAdmin: .tenant
    case .operator, .auditor: .service
    }
  }

  /// Whether it may be granted for the scope: not beyond its widest reach.
  package func isGrantable(for scope: Scope) -> Bool {
    guard scope.project == nil || scope.tenant != nil else { return false }
    switch widestReach {
    case .project: return scope.project != nil
    case .tenant: return scope.tenant != nil
    case .service: return true
    }
  }

  /// Roles whose holder may hand this one on, within the granter's own scope.
  package var granters: Set<Role> {
    switch self {
    case .viewer, .submitter, .approver: [.projectAdmin, .tenantAdmin, .operator]
    // Whoever sets the policy says who reviews: an administrator of the project is under it too.
    case .reviewer, .projectAdmin: [.tenantAdmin, .operator]
    case .tenantAdmin, .operator, .auditor: [.operator]
    }
  }
}
