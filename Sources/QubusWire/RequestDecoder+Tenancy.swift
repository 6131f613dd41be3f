internal import CQubusProto
package import QubusCore
internal import QubusJobs
package import QubusTenancy

// The requests of administration; `RequestDecoder+TenancyChanges.swift` has the changes.
extension RequestDecoder {
  /// A read, of a method that `isTenancyQuery`.
  package func tenancyQuery(
    _ method: Method, _ body: [UInt8]
  ) throws(QubusError) -> TenancyQuery {
    switch method {
    case .listTenants: try listTenants(body)
    case .listProjects: try listProjects(body)
    case .listPrincipals: try listPrincipals(body)
    case .listKeys: try listKeys(body)
    case .listAudit: try listAudit(body)
    case .verifyAudit: try verifyAudit(body)
    case .exportAuditCheckpoint: try auditCheckpoint(body, method)
    case .listBudgets: try listBudgets(body)
    case .getUsage: try getUsage(body)
    case .getQuota: try getQuota(body)
    case .listQuotas: try listQuotas(body)
    case .listExportPolicies: try listExportPolicies(body)
    case .listReservations: try listReservations(body)
    default: throw QubusError(.internalError, "\(method.rawValue) reads no tenants")
    }
  }

  private func listTenants(_ body: [UInt8]) throws(QubusError) -> TenancyQuery {
    try decodeMessage(body, qubus_descriptor_list_tenants_request(), limits: wire) {
      (m: Qubus__V1__ListTenantsRequest) throws(QubusError) in
      .tenants(try tenancyPage(m.page_size, m.page_token))
    }
  }

  private func listProjects(_ body: [UInt8]) throws(QubusError) -> TenancyQuery {
    try decodeMessage(body, qubus_descriptor_list_projects_request(), limits: wire) {
      (m: Qubus__V1__ListProjectsRequest) throws(QubusError) in
      .projects(
        tenant: try TenancyFields.optionalName(m.tenant, "tenant"),
        try tenancyPage(m.page_size, m.page_token))
    }
  }

  private func listPrincipals(_ body: [UInt8]) throws(QubusError) -> TenancyQuery {
    try decodeMessage(body, qubus_descriptor_list_principals_request(), limits: wire) {
      (m: Qubus__V1__ListPrincipalsRequest) throws(QubusError) in
      let tenant = try TenancyFields.optionalName(m.tenant, "tenant")
      let project = try TenancyFields.optionalName(m.project, "project")
      guard project == nil || tenant != nil else {
        throw .field(.missingField, "tenant", "is required with a project")
      }
      return .principals(
        tenant: tenant, project: project, try tenancyPage(m.page_size, m.page_token))
    }
  }

  private func listKeys(_ body: [UInt8]) throws(QubusError) -> TenancyQuery {
    try decodeMessage(body, qubus_descriptor_list_keys_request(), limits: wire) {
      (m: Qubus__V1__ListKeysRequest) throws(QubusError) in
      .keys(try TenancyFields.optionalPrincipal(m.principal, "principal"))
    }
  }

  private func listAudit(_ body: [UInt8]) throws(QubusError) -> TenancyQuery {
    try decodeMessage(body, qubus_descriptor_list_audit_request(), limits: wire) {
      (m: Qubus__V1__ListAuditRequest) throws(QubusError) in
      .audit(
        after: m.after, tenant: try TenancyFields.optionalName(m.tenant, "tenant"),
        limit: try pageSize(m.page_size))
    }
  }

  private func verifyAudit(_ body: [UInt8]) throws(QubusError) -> TenancyQuery {
    try decodeMessage(body, qubus_descriptor_verify_audit_request(), limits: wire) {
      (m: Qubus__V1__VerifyAuditRequest) throws(QubusError) in
      let checkpoint = String(wire: m.checkpoint)
      return .verifyAudit(checkpoint.isEmpty ? nil : try AuditCheckpoint(json: checkpoint))
    }
  }

  private func auditCheckpoint(
    _ body: [UInt8], _ method: Method
  ) throws(QubusError) -> TenancyQuery {
    try empty(body, method)
    return .auditCheckpoint
  }

  /// Tokens of these lists are names, which are not the server's secret.
  func tenancyPage(
    _ size: UInt32, _ token: UnsafeMutablePointer<CChar>?
  ) throws(QubusError) -> TenancyPage {
    let after = String(wire: token)
    guard after.utf8.count <= TenancyFields.tokenBytes else {
      throw .field(.invalidCursor, "page_token", "is not one that this server gave")
    }
    return TenancyPage(limit: try pageSize(size), after: after)
  }

  func pageSize(_ size: UInt32) throws(QubusError) -> Int {
    guard size <= UInt32(TenancyLimits.pageSize) else {
      throw .field(
        .invalidRequest, "page_size", "\(size) is too large", limit: "\(TenancyLimits.pageSize)")
    }
    return size == 0 ? TenancyLimits.usualPageSize : Int(size)
  }
}
