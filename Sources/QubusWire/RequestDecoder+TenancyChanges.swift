internal import CQubusProto
package import QubusCore
internal import QubusJobs
package import QubusTenancy

/// A change of tenants and what belongs to them.
package struct TenancyRequest: Sendable, Hashable {
  package var order: TenancyOrder
  package var reason: String
}

extension RequestDecoder {
  package func tenancyChange(
    _ method: Method, _ body: [UInt8]
  ) throws(QubusError) -> TenancyRequest {
    switch method {
    case .createTenant: try createTenant(body)
    case .updateTenant: try updateTenant(body)
    case .eraseTenant: try eraseTenant(body)
    case .createProject: try createProject(body)
    case .updateProject: try updateProject(body)
    case .createPrincipal: try createPrincipal(body)
    case .updatePrincipal: try updatePrincipal(body)
    case .grantRole: try grantRole(body)
    case .revokeRole: try revokeRole(body)
    case .addKey: try addKey(body)
    case .revokeKey: try revokeKey(body)
    case .createInvitation: try createInvitation(body)
    case .issueToken: try issueToken(body)
    case .revokeToken: try revokeToken(body)
    case .rotateTokenKey: try rotateTokenKey(body)
    case .setPrice: try setPrice(body)
    case .grantCredit: try grantCredit(body)
    case .setBudget: try setBudget(body)
    case .dedicateDevice: try dedicateDevice(body)
    case .drainDevice: try drainDevice(body)
    case .setQuota: try setQuota(body)
    case .setWeight: try setWeight(body)
    case .setApprovalPolicy: try setApprovalPolicy(body)
    case .setExportPolicy: try setExportPolicy(body)
    case .createReservation: try createReservation(body)
    case .extendReservation: try extendReservation(body)
    case .cancelReservation: try cancelReservation(body)
    default: throw QubusError(.internalError, "\(method.rawValue) changes no tenants")
    }
  }

  private func createTenant(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_create_tenant_request(), limits: wire) {
      (m: Qubus__V1__CreateTenantRequest) throws(QubusError) in
      TenancyRequest(
        order: .createTenant(name: try TenancyFields.name(m.name, "name")),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  private func updateTenant(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_update_tenant_request(), limits: wire) {
      (m: Qubus__V1__UpdateTenantRequest) throws(QubusError) in
      let name = try TenancyFields.name(m.name, "name")
      guard
        m.disabled_choice_case
          == QUBUS__V1__UPDATE_TENANT_REQUEST__DISABLED_CHOICE_IS_DISABLED
      else { throw .field(.missingField, "is_disabled", "is required: nothing else can change") }
      return TenancyRequest(
        order: .updateTenant(name: name, isDisabled: m.is_disabled != 0),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  private func eraseTenant(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_erase_tenant_request(), limits: wire) {
      (m: Qubus__V1__EraseTenantRequest) throws(QubusError) in
      TenancyRequest(
        order: .eraseTenant(name: try TenancyFields.name(m.name, "name")),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  private func createProject(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_create_project_request(), limits: wire) {
      (m: Qubus__V1__CreateProjectRequest) throws(QubusError) in
      TenancyRequest(
        order: .createProject(
          tenant: try TenancyFields.name(m.tenant, "tenant"),
          name: try TenancyFields.name(m.name, "name"),
          owner: try name(m.owner, "owner")),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  private func updateProject(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_update_project_request(), limits: wire) {
      (m: Qubus__V1__UpdateProjectRequest) throws(QubusError) in
      let setsDisabled =
        m.disabled_choice_case
        == QUBUS__V1__UPDATE_PROJECT_REQUEST__DISABLED_CHOICE_IS_DISABLED
      let setsOwner = m.owner_choice_case == QUBUS__V1__UPDATE_PROJECT_REQUEST__OWNER_CHOICE_OWNER
      let tenant = try TenancyFields.name(m.tenant, "tenant")
      let name = try TenancyFields.name(m.name, "name")
      guard setsDisabled || setsOwner else {
        throw .field(.missingField, "is_disabled", "this or owner is required")
      }
      return TenancyRequest(
        order: .updateProject(
          tenant: tenant, name: name, isDisabled: setsDisabled ? m.is_disabled != 0 : nil,
          owner: setsOwner ? try self.name(m.owner, "owner") : nil),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  private func createPrincipal(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_create_principal_request(), limits: wire) {
      (m: Qubus__V1__CreatePrincipalRequest) throws(QubusError) in
      guard m.n_grants <= TenancyLimits.grantsAtCreation else {
        throw .field(
          .invalidRequest, "grants", "\(m.n_grants) grants",
          limit: "\(TenancyLimits.grantsAtCreation)")
      }
      let setsUser = m.user_choice_case == QUBUS__V1__CREATE_PRINCIPAL_REQUEST__USER_CHOICE_UID
      return TenancyRequest(
        order: .createPrincipal(
          try TenancyFields.newPrincipal(m.principal, "principal"), uid: setsUser ? m.uid : nil,
          grants: try readList(m.n_grants, m.grants) { (grant, index) throws(QubusError) in
            try TenancyFields.grant(grant, "grants[\(index)]")
          }),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  private func updatePrincipal(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_update_principal_request(), limits: wire) {
      (m: Qubus__V1__UpdatePrincipalRequest) throws(QubusError) in
      let principal = try TenancyFields.principal(m.principal, "principal")
      let setsDisabled =
        m.disabled_choice_case
        == QUBUS__V1__UPDATE_PRINCIPAL_REQUEST__DISABLED_CHOICE_IS_DISABLED
      var user: TenancyOrder.UserChange?
      switch m.user_choice_case {
      case QUBUS__V1__UPDATE_PRINCIPAL_REQUEST__USER_CHOICE_UID: user = .set(m.uid)
      case QUBUS__V1__UPDATE_PRINCIPAL_REQUEST__USER_CHOICE_NO_UID:
        guard m.no_uid != 0 else {
          throw .field(.invalidRequest, "no_uid", "is false, which says nothing", limit: "true")
        }
        user = .nobody
      default: break
      }
      guard setsDisabled || user != nil else {
        throw .field(.missingField, "is_disabled", "this, uid or no_uid is required")
      }
      return TenancyRequest(
        order: .updatePrincipal(
          principal, isDisabled: setsDisabled ? m.is_disabled != 0 : nil, user: user),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  private func grantRole(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_grant_role_request(), limits: wire) {
      (m: Qubus__V1__GrantRoleRequest) throws(QubusError) in
      TenancyRequest(
        order: .grantRole(
          GrantRecord(
            principal: try TenancyFields.principal(m.principal, "principal"),
            grant: try TenancyFields.grant(m.grant, "grant"))),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  private func revokeRole(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_revoke_role_request(), limits: wire) {
      (m: Qubus__V1__RevokeRoleRequest) throws(QubusError) in
      TenancyRequest(
        order: .revokeRole(
          GrantRecord(
            principal: try TenancyFields.principal(m.principal, "principal"),
            grant: try TenancyFields.grant(m.grant, "grant"))),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  // MARK: Keys and tokens

  private func addKey(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_add_key_request(), limits: wire) {
      (m: Qubus__V1__AddKeyRequest) throws(QubusError) in
      let expires = m.valid_choice_case == QUBUS__V1__ADD_KEY_REQUEST__VALID_CHOICE_VALID_SECONDS
      return TenancyRequest(
        order: .addKey(
          principal: try TenancyFields.optionalPrincipal(m.principal, "principal"),
          key: try TenancyFields.key(m.key, "key"),
          validSeconds: expires
            ? try TenancyFields.seconds(
              m.valid_seconds, "valid_seconds", limit: TenancyLimits.keyValidity, zero: nil) : nil),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  private func revokeKey(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_revoke_key_request(), limits: wire) {
      (m: Qubus__V1__RevokeKeyRequest) throws(QubusError) in
      TenancyRequest(
        order: .revokeKey(
          try TenancyFields.key(m.key, "key"),
          overlapSeconds: try TenancyFields.seconds(
            m.overlap_seconds, "overlap_seconds", limit: TenancyLimits.keyOverlap, zero: 0)),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  private func createInvitation(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_create_invitation_request(), limits: wire) {
      (m: Qubus__V1__CreateInvitationRequest) throws(QubusError) in
      TenancyRequest(
        order: .createInvitation(
          try TenancyFields.principal(m.principal, "principal"),
          validSeconds: try TenancyFields.seconds(
            m.valid_seconds, "valid_seconds", limit: TenancyLimits.invitationValidity,
            zero: TenancyLimits.usualInvitationValidity)),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  private func issueToken(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_issue_token_request(), limits: wire) {
      (m: Qubus__V1__IssueTokenRequest) throws(QubusError) in
      let words = readTexts(m.n_actions, m.actions)
      guard !words.isEmpty, words.count <= Action.allCases.count else {
        throw .field(
          .invalidRequest, "actions", "\(words.count) permissions",
          limit: "1 to \(Action.allCases.count)")
      }
      var actions: [Action] = []
      for (index, word) in words.enumerated() {
        actions.append(try TenancyFields.action(word, "actions[\(index)]"))
      }
      let hasShots = m.shots_choice_case == QUBUS__V1__ISSUE_TOKEN_REQUEST__SHOTS_CHOICE_SHOTS
      if hasShots, m.shots == 0 {
        throw .field(.invalidShots, "shots", "must not be 0", limit: "1 or more")
      }
      return TenancyRequest(
        order: .issueToken(
          TokenOrder(
            boundTo: try TenancyFields.credential(m.bound_to, "bound_to"), actions: actions,
            project: try TenancyFields.optionalName(m.project, "project"),
            validSeconds: try TenancyFields.wholeSeconds(
              m.valid_seconds, "valid_seconds", limit: TenancyLimits.tokenValidity),
            shots: hasShots ? m.shots : nil)),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  private func revokeToken(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_revoke_token_request(), limits: wire) {
      (m: Qubus__V1__RevokeTokenRequest) throws(QubusError) in
      let id = try name(m.token_id, "token_id")
      guard !id.isEmpty else { throw .field(.missingField, "token_id", "is required") }
      return TenancyRequest(
        order: .revokeToken(id), reason: try TenancyFields.reason(m.reason))
    }
  }

  private func rotateTokenKey(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_rotate_token_key_request(), limits: wire) {
      (m: Qubus__V1__RotateTokenKeyRequest) throws(QubusError) in
      TenancyRequest(order: .rotateTokenKey, reason: try TenancyFields.reason(m.reason))
    }
  }
}
