internal import CQubusProto
internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusTenancy
internal import QubusWire

/// Bodies of the answers of administration.
extension Responses {
  static func whoAmI(_ identity: Identity, now: Microseconds) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__who_am_iresponse__init)
    message.pointee.principal = builder.text(identity.principal.text)
    message.pointee.credential = builder.text(identity.credential.text)
    message.pointee.is_invitation = identity.isInvitation ? 1 : 0
    (message.pointee.n_grants, message.pointee.grants) = builder.list(identity.grants) {
      builder.grant($0)
    }
    let actions = Action.allCases.filter { Authority.mayAnywhere(identity, $0, now: now) }
    (message.pointee.n_actions, message.pointee.actions) = builder.texts(actions.map(\.rawValue))
    if let token = identity.token {
      message.pointee.token_id = builder.text(token.id)
      message.pointee.token_choice_case =
        QUBUS__V1__WHO_AM_IRESPONSE__TOKEN_CHOICE_TOKEN_EXPIRES_AT
      message.pointee.token_expires_at = token.expiresAt
    }
    return MessageBuilder.pack(message)
  }

  static func tenancy(_ answer: TenancyAnswer) -> [UInt8] {
    switch answer {
    case .tenants(let records, let next): tenants(records, next: next)
    case .projects(let records, let next): projects(records, next: next)
    case .principals(let reports, let next): principals(reports, next: next)
    case .keys(let reports): keys(reports)
    case .tenant(let record): tenant(record)
    case .project(let record): project(record)
    case .principal(let report): principal(report)
    case .key(let report): key(report)
    case .invitation(let report, let secretKey, let serverKey):
      invitation(report, secretKey: secretKey, serverKey: serverKey)
    case .token(let text, let record): token(text, record)
    case .tokenRevoked: []
    case .tokenKeyRotated(let id, let previousUntil): tokenKey(id, previousUntil: previousUntil)
    case .audit(let records, let isComplete): audit(records, isComplete: isComplete)
    case .auditReport(let report): auditReport(report)
    case .auditCheckpoint(let checkpoint): auditCheckpoint(checkpoint)
    case .price(let device, let price): self.price(device, price)
    case .entitlement(let entry): entitlement(entry)
    case .budget(let report): budget(report)
    case .dedication(let device, let tenant): dedication(device, tenant)
    case .budgets(let reports, let credits, let prices): budgets(reports, credits, prices)
    case .usage(let report): usage(report)
    case .quotas(let statuses, let next): quotas(statuses, next: next)
    case .weight(let scope, let weight): self.weight(scope, weight)
    case .approvalPolicy(let policy): approvalPolicy(policy)
    case .exportPolicies(let policies, let next): exportPolicies(policies, next: next)
    case .drain(let device, let drain): self.drain(of: device, drain)
    case .reservation(let reservation): self.reservation(reservation)
    case .reservations(let reports, let next): reservations(reports, next: next)
    }
  }

  // MARK: Lists

  private static func tenants(_ records: [TenantRecord], next: String) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__list_tenants_response__init)
    (message.pointee.n_tenants, message.pointee.tenants) = builder.list(records) {
      builder.tenant($0)
    }
    message.pointee.next_page_token = builder.text(next)
    return MessageBuilder.pack(message)
  }

  private static func projects(_ records: [ProjectRecord], next: String) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__list_projects_response__init)
    (message.pointee.n_projects, message.pointee.projects) = builder.list(records) {
      builder.project($0)
    }
    message.pointee.next_page_token = builder.text(next)
    return MessageBuilder.pack(message)
  }

  private static func principals(_ reports: [PrincipalReport], next: String) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__list_principals_response__init)
    (message.pointee.n_principals, message.pointee.principals) = builder.list(reports) {
      builder.principal($0)
    }
    message.pointee.next_page_token = builder.text(next)
    return MessageBuilder.pack(message)
  }

  private static func keys(_ reports: [KeyReport]) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__list_keys_response__init)
    (message.pointee.n_keys, message.pointee.keys) = builder.list(reports) { builder.key($0) }
    return MessageBuilder.pack(message)
  }

  // MARK: Changes. Messages whose fields have the same numbers have the same bytes: one of each
  // kind stands for all methods that answer it.

  private static func tenant(_ record: TenantRecord) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__create_tenant_response__init)
    message.pointee.tenant = builder.tenant(record)
    return MessageBuilder.pack(message)
  }

  private static func project(_ record: ProjectRecord) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__create_project_response__init)
    message.pointee.project = builder.project(record)
    return MessageBuilder.pack(message)
  }

  private static func principal(_ report: PrincipalReport) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__create_principal_response__init)
    message.pointee.principal = builder.principal(report)
    return MessageBuilder.pack(message)
  }

  private static func key(_ report: KeyReport) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__add_key_response__init)
    message.pointee.key = builder.key(report)
    return MessageBuilder.pack(message)
  }

  private static func invitation(
    _ report: KeyReport, secretKey: String, serverKey: String
  ) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__create_invitation_response__init)
    message.pointee.key = builder.key(report)
    message.pointee.secret_key = builder.text(secretKey)
    message.pointee.server_key = builder.text(serverKey)
    return MessageBuilder.pack(message)
  }

  private static func token(_ text: String, _ record: TokenRecord) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__issue_token_response__init)
    message.pointee.token = builder.text(text)
    message.pointee.token_id = builder.text(record.id)
    message.pointee.expires_at = record.expiresAt
    return MessageBuilder.pack(message)
  }

  private static func tokenKey(_ id: String, previousUntil: Microseconds) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__rotate_token_key_response__init)
    message.pointee.key_id = builder.text(id)
    message.pointee.previous_until = previousUntil
    return MessageBuilder.pack(message)
  }
}
