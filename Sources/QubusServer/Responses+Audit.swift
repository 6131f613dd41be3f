internal import CQubusProto
internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusTenancy
internal import QubusWire

/// Bodies of the answers about the audit, and the parts of those about tenants.
extension Responses {
  static func audit(_ records: [AuditRecord], isComplete: Bool) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__list_audit_response__init)
    (message.pointee.n_records, message.pointee.records) = builder.list(records) {
      builder.record($0)
    }
    message.pointee.is_complete = isComplete ? 1 : 0
    return MessageBuilder.pack(message)
  }

  static func auditReport(_ report: AuditReport) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__verify_audit_response__init)
    message.pointee.records = report.records
    message.pointee.head = builder.data(report.head)
    if let number = report.brokenAt {
      message.pointee.broken_choice_case =
        QUBUS__V1__VERIFY_AUDIT_RESPONSE__BROKEN_CHOICE_BROKEN_AT
      message.pointee.broken_at = number
    }
    message.pointee.explanation = builder.text(report.explanation)
    message.pointee.first_record = report.first
    if let time = report.cutAt {
      message.pointee.cut_choice_case = QUBUS__V1__VERIFY_AUDIT_RESPONSE__CUT_CHOICE_CUT_AT
      message.pointee.cut_at = time
    }
    return MessageBuilder.pack(message)
  }

  static func auditCheckpoint(_ checkpoint: AuditCheckpoint) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__export_audit_checkpoint_response__init)
    message.pointee.checkpoint = builder.text(checkpoint.json)
    message.pointee.number = checkpoint.number
    message.pointee.hash = builder.data(checkpoint.hash)
    message.pointee.time = checkpoint.time
    message.pointee.public_key = builder.data(checkpoint.publicKey)
    return MessageBuilder.pack(message)
  }
}

extension MessageBuilder {
  func grant(_ grant: Grant) -> UnsafeMutablePointer<Qubus__V1__RoleGrant> {
    let message = make(qubus__v1__role_grant__init)
    message.pointee.role = text(grant.role.rawValue)
    message.pointee.tenant = text(grant.scope.tenant ?? "")
    message.pointee.project = text(grant.scope.project ?? "")
    message.pointee.device_family = text(grant.scope.deviceFamily ?? "")
    return message
  }

  func tenant(_ record: TenantRecord) -> UnsafeMutablePointer<Qubus__V1__Tenant> {
    let message = make(qubus__v1__tenant__init)
    message.pointee.name = text(record.name)
    message.pointee.is_disabled = record.isDisabled ? 1 : 0
    message.pointee.created_at = record.createdAt
    return message
  }

  func project(_ record: ProjectRecord) -> UnsafeMutablePointer<Qubus__V1__Project> {
    let message = make(qubus__v1__project__init)
    message.pointee.tenant = text(record.tenant)
    message.pointee.name = text(record.name)
    message.pointee.owner = text(record.owner)
    message.pointee.is_disabled = record.isDisabled ? 1 : 0
    message.pointee.created_at = record.createdAt
    return message
  }

  func principal(_ report: PrincipalReport) -> UnsafeMutablePointer<Qubus__V1__PrincipalInfo> {
    let message = make(qubus__v1__principal_info__init)
    message.pointee.principal = text(report.record.principal.text)
    if let uid = report.record.uid {
      message.pointee.user_choice_case = QUBUS__V1__PRINCIPAL_INFO__USER_CHOICE_UID
      message.pointee.uid = uid
    }
    message.pointee.is_disabled = report.record.isDisabled ? 1 : 0
    (message.pointee.n_grants, message.pointee.grants) = list(report.grants) { grant($0) }
    message.pointee.created_at = report.record.createdAt
    return message
  }

  func key(_ report: KeyReport) -> UnsafeMutablePointer<Qubus__V1__ClientKey> {
    let message = make(qubus__v1__client_key__init)
    let record = report.record
    message.pointee.key = text(record.key)
    message.pointee.principal = text(record.principal.text)
    message.pointee.is_invitation = record.isInvitation ? 1 : 0
    message.pointee.is_valid = report.isValid ? 1 : 0
    message.pointee.created_at = record.createdAt
    if let time = record.expiresAt {
      message.pointee.expiry_choice_case = QUBUS__V1__CLIENT_KEY__EXPIRY_CHOICE_EXPIRES_AT
      message.pointee.expires_at = time
    }
    if let time = record.revokedAt {
      message.pointee.revocation_choice_case = QUBUS__V1__CLIENT_KEY__REVOCATION_CHOICE_REVOKED_AT
      message.pointee.revoked_at = time
    }
    return message
  }

  fileprivate func record(
    _ record: AuditRecord
  ) -> UnsafeMutablePointer<Qubus__V1__AuditRecord> {
    let message = make(qubus__v1__audit_record__init)
    let entry = record.entry
    message.pointee.number = record.number
    message.pointee.time = entry.time
    message.pointee.principal = text(entry.principal?.text ?? "")
    message.pointee.credential = text(entry.credential)
    message.pointee.token_id = text(entry.tokenID)
    message.pointee.method = text(entry.method)
    message.pointee.action = text(entry.action)
    message.pointee.subject = text(entry.subject)
    message.pointee.tenant = text(entry.tenant)
    let outcome =
      switch entry.outcome {
      case .allowed: "allowed"
      case .refused: "refused"
      case .failed: "failed"
      }
    message.pointee.outcome = text(outcome)
    message.pointee.policy = text(entry.policy)
    message.pointee.reason = text(entry.reason)
    message.pointee.trace_id = text(entry.traceID)
    message.pointee.hash = data(record.hash)
    return message
  }
}
