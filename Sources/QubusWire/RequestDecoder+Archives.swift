internal import CQubusProto
package import QubusCore
internal import QubusTenancy

package struct ArchiveJobRequest: Sendable, Hashable {
  package var jobID: Identifier
  package var destination: String
  package var reason: String
}

/// One chunk of a result that comes back.
package struct RestoreJobRequest: Sendable, Hashable {
  package var jobID: Identifier
  package var executionHash: [UInt8]
  package var item: Int
  package var chunk: Int
  package var data: [UInt8]
  package var reason: String
}

// Requests about archives and who may make them.
extension RequestDecoder {
  package func archiveJob(_ body: [UInt8]) throws(QubusError) -> ArchiveJobRequest {
    try decodeMessage(body, qubus_descriptor_archive_job_request(), limits: wire) {
      (m: Qubus__V1__ArchiveJobRequest) throws(QubusError) in
      ArchiveJobRequest(
        jobID: try readIdentifier(m.job_id, field: "job_id"),
        destination: try TenancyFields.optionalName(m.destination, "destination") ?? "",
        reason: try TenancyFields.reason(m.reason))
    }
  }

  package func restoreJob(_ body: [UInt8]) throws(QubusError) -> RestoreJobRequest {
    try decodeMessage(body, qubus_descriptor_restore_job_request(), limits: wire) {
      (m: Qubus__V1__RestoreJobRequest) throws(QubusError) in
      let hash = [UInt8](wire: m.execution_hash)
      guard hash.count == 32 else {
        throw .field(
          .invalidRequest, "execution_hash", "has \(hash.count) bytes", limit: "32 bytes")
      }
      return RestoreJobRequest(
        jobID: try readIdentifier(m.job_id, field: "job_id"), executionHash: hash,
        item: Int(m.item), chunk: Int(m.chunk), data: [UInt8](wire: m.data),
        reason: try TenancyFields.reason(m.reason))
    }
  }

  func listExportPolicies(_ body: [UInt8]) throws(QubusError) -> TenancyQuery {
    try decodeMessage(body, qubus_descriptor_list_export_policies_request(), limits: wire) {
      (m: Qubus__V1__ListExportPoliciesRequest) throws(QubusError) in
      .exportPolicies(
        tenant: try TenancyFields.optionalName(m.tenant, "tenant"),
        try tenancyPage(m.page_size, m.page_token))
    }
  }

  func setExportPolicy(_ body: [UInt8]) throws(QubusError) -> TenancyRequest {
    try decodeMessage(body, qubus_descriptor_set_export_policy_request(), limits: wire) {
      (m: Qubus__V1__SetExportPolicyRequest) throws(QubusError) in
      guard let message = m.policy?.pointee else {
        throw .field(.missingField, "policy", "is required")
      }
      let key = ExportPolicy.Key(
        tenant: try TenancyFields.name(message.tenant, "policy.tenant"),
        project: try TenancyFields.name(message.project, "policy.project"))
      let reason = try TenancyFields.reason(m.reason)
      if m.is_removed != 0 {
        return TenancyRequest(order: .removeExportPolicy(key), reason: reason)
      }
      let policy = ExportPolicy(
        key: key, destinations: readTexts(message.n_destinations, message.destinations))
      if var refusal = policy.refusal {
        for index in refusal.violations.indices {
          refusal.violations[index].field = "policy.\(refusal.violations[index].field)"
        }
        throw refusal
      }
      return TenancyRequest(order: .setExportPolicy(policy), reason: reason)
    }
  }
}
