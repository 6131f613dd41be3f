package import QubusJobs

/// A change that administration asks for. Field for field the requests of `proto/tenancy.proto`.
package enum TenancyOrder: Sendable, Hashable {
  case createTenant(name: String)
  case updateTenant(name: String, isDisabled: Bool)
  case eraseTenant(name: String)
  /// The owner is a name of the tenant's, empty for nobody.
  case createProject(tenant: String, name: String, owner: String)
  case updateProject(tenant: String, name: String, isDisabled: Bool?, owner: String?)
  case createPrincipal(Principal, uid: UInt32?, grants: [Grant])
  case updatePrincipal(Principal, isDisabled: Bool?, user: UserChange?)
  case grantRole(GrantRecord)
  case revokeRole(GrantRecord)
  /// Nil: the caller's own.
  case addKey(principal: Principal?, key: String, validSeconds: Double?)
  case revokeKey(String, overlapSeconds: Double)
  case createInvitation(Principal, validSeconds: Double)
  case issueToken(TokenOrder)
  case revokeToken(String)
  /// Another key that signs tokens.
  case rotateTokenKey
  case ledger(LedgerOrder)
  case calendar(CalendarOrder)
  /// Nil: no limit from now on.
  case setQuota(QuotaScope, Quota, limit: Int64?)
  /// Nil: that of the configuration from now on.
  case setWeight(QuotaScope, Double?)
  case setApprovalPolicy(ApprovalPolicy)
  case removeApprovalPolicy(ApprovalPolicy.Key)
  case setExportPolicy(ExportPolicy)
  case removeExportPolicy(ExportPolicy.Key)
  /// Nothing starts on the device from now on.
  case drainDevice(String, reason: String)
  case endDrain(device: String)

  /// Which user of the machine is a principal from now on.
  package enum UserChange: Sendable, Hashable {
    case set(UInt32)
    case nobody
  }

  /// The method of the protocol, for the audit.
  package var method: String {
    switch self {
    case .createTenant: "CreateTenant"
    case .updateTenant: "UpdateTenant"
    case .eraseTenant: "EraseTenant"
    case .createProject: "CreateProject"
    case .updateProject: "UpdateProject"
    case .createPrincipal: "CreatePrincipal"
    case .updatePrincipal: "UpdatePrincipal"
    case .grantRole: "GrantRole"
    case .revokeRole: "RevokeRole"
    case .addKey: "AddKey"
    case .revokeKey: "RevokeKey"
    case .createInvitation: "CreateInvitation"
    case .issueToken: "IssueToken"
    case .revokeToken: "RevokeToken"
    case .rotateTokenKey: "RotateTokenKey"
    case .ledger(let order): order.method
    case .calendar(let order): order.method
    case .setQuota: "SetQuota"
    case .setWeight: "SetWeight"
    case .setApprovalPolicy, .removeApprovalPolicy: "SetApprovalPolicy"
    case .setExportPolicy, .removeExportPolicy: "SetExportPolicy"
    case .drainDevice, .endDrain: "DrainDevice"
    }
  }
}

/// The part of one's own rights that a token is to carry.
package struct TokenOrder: Sendable, Hashable {
  /// Nil: the caller's own.
  package var boundTo: Credential?
  package var actions: [Action]
  package var project: String?
  package var validSeconds: Int64
  package var shots: UInt64?

  package init(
    boundTo: Credential?, actions: [Action], project: String?, validSeconds: Int64, shots: UInt64?
  ) {
    self.boundTo = boundTo
    self.actions = actions
    self.project = project
    self.validSeconds = validSeconds
    self.shots = shots
  }

  /// For the audit.
  package var text: String {
    actions.map(\.rawValue).joined(separator: ", ")
      + (project.map { " in project \($0)" } ?? "") + (shots.map { ", \($0) shots" } ?? "")
      + ", \(validSeconds) s"
  }
}

/// What administration asks to see.
package enum TenancyQuery: Sendable, Hashable {
  case tenants(TenancyPage)
  /// Nil: of every tenant that the caller sees.
  case projects(tenant: String?, TenancyPage)
  case principals(tenant: String?, project: String?, TenancyPage)
  /// Nil: the caller's own.
  case keys(Principal?)
  case audit(after: UInt64, tenant: String?, limit: Int)
  /// Against an exported checkpoint, when there is one.
  case verifyAudit(AuditCheckpoint?)
  case auditCheckpoint
  case ledger(LedgerQuery)
  /// Nil: the caller's own, its project's and its tenant's.
  case quota(QuotaScope?)
  /// Limits that are set; nil: of every tenant that the caller sees.
  case quotas(tenant: String?, TenancyPage)
  /// Nil: of every tenant that the caller sees.
  case exportPolicies(tenant: String?, TenancyPage)
  /// Windows that have not ended; nil: of every device.
  case reservations(device: String?, TenancyPage)

  /// The method of the protocol, for the audit.
  package var method: String {
    switch self {
    case .tenants: "ListTenants"
    case .projects: "ListProjects"
    case .principals: "ListPrincipals"
    case .keys: "ListKeys"
    case .audit: "ListAudit"
    case .verifyAudit: "VerifyAudit"
    case .auditCheckpoint: "ExportAuditCheckpoint"
    case .ledger(let query): query.method
    case .quota: "GetQuota"
    case .quotas: "ListQuotas"
    case .exportPolicies: "ListExportPolicies"
    case .reservations: "ListReservations"
    }
  }
}

/// A page of a list that is in order of its names.
package struct TenancyPage: Sendable, Hashable {
  package var limit: Int
  /// Text of the last name of the page before; empty: the first page.
  package var after: String

  package init(limit: Int, after: String = "") {
    self.limit = limit
    self.after = after
  }
}
