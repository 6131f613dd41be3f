internal import CQubusProto
internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusTenancy
internal import QubusWire

/// Bodies of the answers about quotas and approvals.
extension Responses {
  /// Of GetQuota and ListQuotas, and of SetQuota, whose one field has the number of their list.
  static func quotas(_ statuses: [QuotaStatus], next: String) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__list_quotas_response__init)
    (message.pointee.n_quotas, message.pointee.quotas) = builder.list(statuses) {
      builder.quota($0)
    }
    message.pointee.next_page_token = builder.text(next)
    return MessageBuilder.pack(message)
  }

  static func weight(_ scope: QuotaScope, _ weight: Double?) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__set_weight_response__init)
    message.pointee.scope = builder.text(scope.placeText)
    if let weight {
      message.pointee.weight_choice_case = QUBUS__V1__SET_WEIGHT_RESPONSE__WEIGHT_CHOICE_WEIGHT
      message.pointee.weight = weight
    }
    return MessageBuilder.pack(message)
  }

  static func approvalPolicy(_ policy: ApprovalPolicy) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__set_approval_policy_response__init)
    message.pointee.policy = builder.policy(policy)
    return MessageBuilder.pack(message)
  }

  /// - Parameter waiting: up to one more than `limit`, which tells that there is a next page.
  static func approvals(
    _ waiting: [PendingApproval], _ policies: [ApprovalPolicy], limit: Int
  ) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__list_approvals_response__init)
    let page = Array(waiting.prefix(limit))
    (message.pointee.n_approvals, message.pointee.approvals) = builder.list(page) {
      builder.approval($0)
    }
    if waiting.count > limit, let last = page.last {
      message.pointee.next_page_token = builder.text(last.job.record.id.description)
    }
    (message.pointee.n_policies, message.pointee.policies) = builder.list(policies) {
      builder.policy($0)
    }
    return MessageBuilder.pack(message)
  }

  static func approved(_ view: JobView) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__approve_job_response__init)
    message.pointee.job = builder.job(view)
    return MessageBuilder.pack(message)
  }
}

extension MessageBuilder {
  fileprivate func quota(_ status: QuotaStatus) -> UnsafeMutablePointer<Qubus__V1__QuotaStatus> {
    let message = make(qubus__v1__quota_status__init)
    message.pointee.scope = text(status.scope.placeText)
    message.pointee.device_family = text(status.scope.deviceFamily ?? "")
    message.pointee.quota = text(status.quota.rawValue)
    if let limit = status.limit {
      message.pointee.limit_choice_case = QUBUS__V1__QUOTA_STATUS__LIMIT_CHOICE_LIMIT
      message.pointee.limit = limit
    }
    message.pointee.used = status.used
    if let time = status.resetsAt {
      message.pointee.reset_choice_case = QUBUS__V1__QUOTA_STATUS__RESET_CHOICE_RESETS_AT
      message.pointee.resets_at = time
    }
    return message
  }

  fileprivate func policy(
    _ policy: ApprovalPolicy
  ) -> UnsafeMutablePointer<Qubus__V1__ApprovalPolicy> {
    let message = make(qubus__v1__approval_policy__init)
    message.pointee.tenant = text(policy.key.tenant)
    message.pointee.project = text(policy.key.project ?? "")
    message.pointee.experiment_class = text(policy.key.experimentClass)
    if let shots = policy.maxShots {
      message.pointee.shots_choice_case = QUBUS__V1__APPROVAL_POLICY__SHOTS_CHOICE_MAX_SHOTS
      message.pointee.max_shots = shots
    }
    if let cost = policy.maxCost {
      message.pointee.cost_choice_case = QUBUS__V1__APPROVAL_POLICY__COST_CHOICE_MAX_COST
      message.pointee.max_cost = cost
    }
    (message.pointee.n_device_families, message.pointee.device_families) = texts(
      policy.deviceFamilies)
    message.pointee.expiry_seconds = UInt64(clamping: policy.expirySeconds)
    return message
  }

  fileprivate func approval(
    _ pending: PendingApproval
  ) -> UnsafeMutablePointer<Qubus__V1__PendingApproval> {
    let message = make(qubus__v1__pending_approval__init)
    message.pointee.job = job(pending.job)
    message.pointee.principal = text(pending.job.record.principal.text)
    message.pointee.experiment_class = text(pending.experimentClass)
    (message.pointee.n_causes, message.pointee.causes) = texts(pending.causes)
    message.pointee.expires_at = pending.expiresAt
    return message
  }
}
