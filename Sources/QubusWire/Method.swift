package import CQubusProto
package import QubusTenancy

/// The methods of protocol version 1: one row per method, read by dispatch, HELLO and the tests.
package enum Method: String, Sendable, Hashable, CaseIterable {
  case hello = "Hello"
  case submit = "Submit"
  case submitBatch = "SubmitBatch"
  case plan = "Plan"
  case getJob = "GetJob"
  case listJobs = "ListJobs"
  case watchJob = "WatchJob"
  case getResult = "GetResult"
  case cancelJob = "CancelJob"
  case cancelBatch = "CancelBatch"
  case changeJob = "ChangeJob"
  case resubmitJob = "ResubmitJob"
  case pauseJob = "PauseJob"
  case resumeJob = "ResumeJob"
  case holdJob = "HoldJob"
  case releaseJob = "ReleaseJob"
  case annotateJob = "AnnotateJob"
  case replayJob = "ReplayJob"
  case explainJob = "ExplainJob"
  case getQueuePolicy = "GetQueuePolicy"
  case getEtaReport = "GetEtaReport"
  case archiveJob = "ArchiveJob"
  case restoreJob = "RestoreJob"
  case openSession = "OpenSession"
  case step = "Step"
  case resumeSession = "ResumeSession"
  case closeSession = "CloseSession"
  case getSession = "GetSession"
  case listSessions = "ListSessions"
  case optimize = "Optimize"
  case cancelOptimize = "CancelOptimize"
  case listDevices = "ListDevices"
  case getDevice = "GetDevice"
  case health = "Health"
  case version = "Version"
  case errorCatalogue = "ErrorCatalogue"
  case whoAmI = "WhoAmI"
  case listTenants = "ListTenants"
  case createTenant = "CreateTenant"
  case updateTenant = "UpdateTenant"
  case eraseTenant = "EraseTenant"
  case listProjects = "ListProjects"
  case createProject = "CreateProject"
  case updateProject = "UpdateProject"
  case listPrincipals = "ListPrincipals"
  case createPrincipal = "CreatePrincipal"
  case updatePrincipal = "UpdatePrincipal"
  case grantRole = "GrantRole"
  case revokeRole = "RevokeRole"
  case listKeys = "ListKeys"
  case addKey = "AddKey"
  case revokeKey = "RevokeKey"
  case createInvitation = "CreateInvitation"
  case issueToken = "IssueToken"
  case revokeToken = "RevokeToken"
  case rotateTokenKey = "RotateTokenKey"
  case listAudit = "ListAudit"
  case verifyAudit = "VerifyAudit"
  case exportAuditCheckpoint = "ExportAuditCheckpoint"
  case setPrice = "SetPrice"
  case grantCredit = "GrantCredit"
  case setBudget = "SetBudget"
  case dedicateDevice = "DedicateDevice"
  case drainDevice = "DrainDevice"
  case listBudgets = "ListBudgets"
  case getUsage = "GetUsage"
  case getQuota = "GetQuota"
  case setQuota = "SetQuota"
  case listQuotas = "ListQuotas"
  case setWeight = "SetWeight"
  case listApprovals = "ListApprovals"
  case approveJob = "ApproveJob"
  case setApprovalPolicy = "SetApprovalPolicy"
  case setExportPolicy = "SetExportPolicy"
  case listExportPolicies = "ListExportPolicies"
  case createReservation = "CreateReservation"
  case listReservations = "ListReservations"
  case extendReservation = "ExtendReservation"
  case cancelReservation = "CancelReservation"

  /// How answers come.
  package enum Shape: Sendable, Hashable {
    /// One FINAL.
    case unary
    /// PARTIALs within the credit, then the FINAL.
    case stream
  }

  /// Where a call is served.
  package enum Place: Sendable, Hashable {
    /// On the transport thread: microseconds, never the disk.
    case transport
    /// Handed to the engine, which completes it later.
    case engine
    /// On a reader thread that may block on the disk.
    case reader
  }

  /// One row of the table.
  package struct Declaration: Sendable {
    fileprivate let method: String
    package let shape: Shape
    /// What the caller must be allowed to do somewhere; on what, is asked where it is known.
    /// Without it no method compiles.
    package let permission: Action
    package let place: Place
    /// Whether the same call, sent again after a lost connection, does nothing twice.
    package let isIdempotent: Bool
    /// Whether the server still takes it while it stops.
    package let isServedWhileStopping: Bool
    /// How many the client may send.
    package let attachments: ClosedRange<Int>

    package var request: String { method + "Request" }
    package var response: String { method + "Response" }
  }

  package var declaration: Declaration {
    switch self {
    case .hello: row(.connect, .transport, whileStopping: true)
    case .submit: row(.submitJobs, .engine, idempotent: false)
    case .submitBatch: row(.submitJobs, .engine, idempotent: false)
    case .plan: row(.readJobs, .engine)
    case .getJob: row(.readJobs, .reader)
    case .listJobs: row(.readJobs, .reader)
    case .watchJob: row(.readJobs, .reader, .stream)
    case .getResult: row(.readResults, .reader, .stream)
    case .cancelJob, .cancelBatch, .changeJob, .pauseJob, .resumeJob: row(.cancelJobs, .engine)
    case .resubmitJob: row(.submitJobs, .engine, idempotent: false)
    case .holdJob, .releaseJob: row(.holdJobs, .engine)
    case .annotateJob: row(.annotateJobs, .engine)
    case .replayJob: row(.submitJobs, .engine, idempotent: false)
    case .explainJob: row(.readJobs, .reader)
    // The rules are everybody's to know.
    case .getQueuePolicy: row(.connect, .reader)
    // Sums alone.
    case .getEtaReport: row(.readJobs, .reader)
    // Under an export policy it takes results.export besides.
    case .archiveJob: row(.readResults, .reader)
    case .restoreJob: row(.restoreResults, .engine)
    case .openSession: row(.openSessions, .engine, idempotent: false)
    case .step: row(.stepSessions, .transport, attachments: 1...1)
    case .resumeSession: row(.openSessions, .engine)
    case .closeSession: row(.closeSessions, .engine)
    case .getSession: row(.readSessions, .reader)
    case .listSessions: row(.readSessions, .reader)
    case .optimize: row(.stepSessions, .engine, .stream, idempotent: false, attachments: 0...3)
    case .cancelOptimize: row(.stepSessions, .reader)
    case .listDevices: row(.readDevices, .transport)
    case .getDevice: row(.readDevices, .transport)
    case .health: row(.connect, .transport, whileStopping: true)
    case .version: row(.connect, .transport, whileStopping: true)
    case .errorCatalogue: row(.connect, .transport, whileStopping: true)
    case .whoAmI: row(.connect, .transport)
    case .listTenants: row(.readMembers, .reader)
    case .createTenant: row(.manageTenants, .engine)
    case .updateTenant: row(.manageTenants, .engine)
    case .eraseTenant: row(.manageTenants, .engine)
    case .listProjects: row(.readMembers, .reader)
    case .createProject: row(.manageProjects, .engine)
    case .updateProject: row(.manageProjects, .engine)
    case .listPrincipals: row(.readMembers, .reader)
    case .createPrincipal: row(.managePrincipals, .engine)
    case .updatePrincipal: row(.managePrincipals, .engine)
    case .grantRole: row(.managePrincipals, .engine)
    case .revokeRole: row(.managePrincipals, .engine)
    // One's own; those of others take principals.manage, and to list them members.read.
    case .listKeys: row(.rotateKeys, .reader)
    case .addKey: row(.rotateKeys, .engine)
    case .revokeKey: row(.rotateKeys, .engine)
    case .createInvitation: row(.managePrincipals, .engine, idempotent: false)
    case .issueToken: row(.issueTokens, .engine, idempotent: false)
    // Operators revoke the tokens of others and can issue none.
    case .revokeToken: row(.rotateKeys, .engine)
    case .rotateTokenKey: row(.manageTenants, .engine, idempotent: false)
    case .listAudit: row(.readAudit, .reader)
    case .verifyAudit: row(.readAudit, .reader)
    case .exportAuditCheckpoint: row(.readAudit, .reader)
    case .setPrice: row(.manageCredit, .engine)
    case .grantCredit: row(.manageCredit, .engine, idempotent: false)
    case .setBudget: row(.manageBudgets, .engine)
    case .dedicateDevice, .drainDevice: row(.manageDevices, .engine)
    // Whoever may see jobs may see what they cost.
    case .listBudgets: row(.readJobs, .reader)
    case .getUsage: row(.readJobs, .reader)
    // One's own; those of others take members.read.
    case .getQuota: row(.connect, .reader)
    // Of a project it takes projects.manage, of a tenant tenants.manage.
    case .setQuota, .setWeight: row(.managePrincipals, .engine)
    case .listQuotas: row(.readMembers, .reader)
    case .listApprovals: row(.approveJobs, .reader)
    case .approveJob: row(.approveJobs, .engine)
    case .setApprovalPolicy, .setExportPolicy: row(.manageProjects, .engine)
    case .listExportPolicies: row(.readMembers, .reader)
    // Maintenance and calibration take devices.manage.
    case .createReservation, .extendReservation: row(.reserveDevices, .engine, idempotent: false)
    case .cancelReservation: row(.reserveDevices, .engine)
    case .listReservations: row(.readDevices, .reader)
    }
  }

  /// What it starts belongs to a session, not to a job.
  package var isOfSessions: Bool { permission.rawValue.hasPrefix("sessions.") }

  package var permission: Action { declaration.permission }

  /// Whether a rate of requests counts it: not what a client begins with, nor what lifts the rate.
  package var isCountedByRates: Bool {
    switch self {
    case .hello, .getQuota, .setQuota: false
    default: true
    }
  }

  private func row(
    _ permission: Action, _ place: Place, _ shape: Shape = .unary, idempotent: Bool = true,
    whileStopping: Bool = false, attachments: ClosedRange<Int> = 0...0
  ) -> Declaration {
    Declaration(
      method: rawValue, shape: shape, permission: permission, place: place,
      isIdempotent: idempotent, isServedWhileStopping: whileStopping, attachments: attachments)
  }

  /// Of the request message.
  package var requestDescriptor: UnsafePointer<ProtobufCMessageDescriptor>? {
    qubus_descriptor_named(declaration.request)
  }

  package var responseDescriptor: UnsafePointer<ProtobufCMessageDescriptor>? {
    qubus_descriptor_named(declaration.response)
  }
}
