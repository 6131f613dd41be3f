internal import CQubusProto
package import QubusCore
internal import QubusJobs
package import QubusTenancy

/// What somebody decides over a job.
package struct ApproveJobRequest: Sendable, Hashable {
  package var jobID: Identifier
  package var action: ApprovalAction
  package var reason: String
}

/// Which approvals are to be listed.
package struct ListApprovalsRequest: Sendable, Hashable {
  package var tenant: String?
  package var project: String?
  package var after: Identifier?
  package var limit: Int
}

// Requests about quotas and approvals.
extension RequestDecoder {
  func getQuota(_ body: [UInt8]) throws(QubusError) -> TenancyQuery {
    try decodeMessage(body, qubus_descriptor_get_quota_request(), limits: wire) {
      (m: Qubus__V1__GetQuotaRequest) throws(QubusError) in
      guard let scope = m.scope, scope.pointee != 0 else { return .quota(nil) }
      return .quota(try TenancyFields.quotaScope(scope, "scope"))
    }
  }

  func listQuotas(_ body: [UInt8]) throws(QubusError) -> TenancyQuery {
    try decodeMessage(body, qubus_descriptor_list_quotas_request(), limits: wire) {
      (m: Qubus__V1__ListQuotasRequest) throws(QubusError) in
      .quotas(
        tenant: try TenancyFields.optionalName(m.tenant, "tenant"),
        try tenancyPage(m.page_size, m.page_token))
    }
  }

  func setQuota(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_set_quota_request(), limits: wire) {
      (m: Qubus__V1__SetQuotaRequest) throws(QubusError) in
      let scope = try TenancyFields.quotaScope(m.scope, "scope")
        .on(try TenancyFields.optionalName(m.device_family, "device_family"))
      let word = String(wire: m.quota)
      guard !word.isEmpty else { throw .field(.missingField, "quota", "is required") }
      guard let quota = Quota(rawValue: word) else {
        throw .field(
          .invalidEnumValue, "quota", "\"\(word.prefix(64))\" is no quota",
          limit: Quota.allCases.map(\.rawValue).joined(separator: ", "))
      }
      let hasLimit = m.limit_choice_case == QUBUS__V1__SET_QUOTA_REQUEST__LIMIT_CHOICE_LIMIT
      if hasLimit { try quota.check(m.limit) }
      return TenancyRequest(
        order: .setQuota(scope, quota, limit: hasLimit ? m.limit : nil),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  func setWeight(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_set_weight_request(), limits: wire) {
      (m: Qubus__V1__SetWeightRequest) throws(QubusError) in
      let scope = try TenancyFields.quotaScope(m.scope, "scope")
      let hasWeight = m.weight_choice_case == QUBUS__V1__SET_WEIGHT_REQUEST__WEIGHT_CHOICE_WEIGHT
      if hasWeight, let refusal = ShareWeight.refusal(of: m.weight) { throw refusal }
      return TenancyRequest(
        order: .setWeight(scope, hasWeight ? m.weight : nil),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  func setApprovalPolicy(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_set_approval_policy_request(), limits: wire) {
      (m: Qubus__V1__SetApprovalPolicyRequest) throws(QubusError) in
      guard let message = m.policy?.pointee else {
        throw .field(.missingField, "policy", "is required")
      }
      let policy = try approvalPolicy(message)
      return TenancyRequest(
        order: m.is_removed != 0 ? .removeApprovalPolicy(policy.key) : .setApprovalPolicy(policy),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  private func approvalPolicy(
    _ m: Qubus__V1__ApprovalPolicy
  ) throws(QubusError) -> ApprovalPolicy {
    var policy = ApprovalPolicy(
      key: ApprovalPolicy.Key(
        tenant: try TenancyFields.name(m.tenant, "policy.tenant"),
        project: try TenancyFields.optionalName(m.project, "policy.project"),
        experimentClass: try name(m.experiment_class, "policy.experiment_class")))
    if m.shots_choice_case == QUBUS__V1__APPROVAL_POLICY__SHOTS_CHOICE_MAX_SHOTS {
      policy.maxShots = m.max_shots
    }
    if m.cost_choice_case == QUBUS__V1__APPROVAL_POLICY__COST_CHOICE_MAX_COST {
      policy.maxCost = m.max_cost
    }
    policy.deviceFamilies = readTexts(m.n_device_families, m.device_families)
    if m.expiry_seconds > 0 { policy.expirySeconds = Int64(clamping: m.expiry_seconds) }
    if var refusal = policy.refusal {
      for index in refusal.violations.indices {
        refusal.violations[index].field = "policy.\(refusal.violations[index].field)"
      }
      throw refusal
    }
    return policy
  }

  package func listApprovals(_ body: [UInt8]) throws(QubusError) -> ListApprovalsRequest {
    try decodeMessage(body, qubus_descriptor_list_approvals_request(), limits: wire) {
      (m: Qubus__V1__ListApprovalsRequest) throws(QubusError) in
      let tenant = try TenancyFields.optionalName(m.tenant, "tenant")
      let project = try TenancyFields.optionalName(m.project, "project")
      guard project == nil || tenant != nil else {
        throw .field(.missingField, "tenant", "is required with a project")
      }
      let page = try self.page(m.page_size, m.page_token)
      return ListApprovalsRequest(
        tenant: tenant, project: project, after: page.before, limit: page.limit)
    }
  }

  package func approveJob(_ body: [UInt8]) throws(QubusError) -> ApproveJobRequest {
    try decodeMessage(body, qubus_descriptor_approve_job_request(), limits: wire) {
      (m: Qubus__V1__ApproveJobRequest) throws(QubusError) in
      let device = try name(m.device, "device")
      let word = String(wire: m.action)
      let action: ApprovalAction
      switch word {
      case ApprovalAction.approve.word: action = .approve
      case ApprovalAction.refuse.word: action = .refuse
      case ApprovalAction.words[2]:
        guard !device.isEmpty else {
          throw .field(.missingField, "device", "is required to change it")
        }
        action = .changeDevice(device)
      default:
        throw .field(
          .invalidEnumValue, "action", "\"\(word.prefix(64))\" is no decision",
          limit: ApprovalAction.words.joined(separator: ", "))
      }
      return ApproveJobRequest(
        jobID: try readIdentifier(m.job_id, field: "job_id"), action: action,
        reason: try TenancyFields.reason(m.reason))
    }
  }
}

extension TenancyFields {
  /// `tenant`, `tenant/project` or `tenant/project/name`.
  static func quotaScope(
    _ pointer: UnsafeMutablePointer<CChar>?, _ field: String
  ) throws(QubusError) -> QuotaScope {
    let text = String(wire: pointer)
    guard !text.isEmpty else { throw .field(.missingField, field, "is required") }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard text.utf8.count <= tokenBytes, let scope = QuotaScope(placeText: text),
      parts.prefix(2).allSatisfy({ TenancyName.isValid(String($0)) })
    else {
      throw .field(
        .invalidName, field, "\"\(text.prefix(tokenBytes))\" is no scope",
        limit: "tenant, tenant/project or tenant/project/name")
    }
    return scope
  }
}
