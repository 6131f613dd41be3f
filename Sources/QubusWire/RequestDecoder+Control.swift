internal import CQubusProto
package import QubusCore
internal import QubusJobs

/// The requests that change what becomes of jobs, beside those that keep them from their start.
extension RequestDecoder {
  package func changeJob(_ body: [UInt8]) throws(QubusError) -> ChangeJobRequest {
    try decodeMessage(body, qubus_descriptor_change_job_request(), limits: wire) {
      (m: Qubus__V1__ChangeJobRequest) throws(QubusError) in
      let hasPriority =
        m.priority_choice_case == QUBUS__V1__CHANGE_JOB_REQUEST__PRIORITY_CHOICE_PRIORITY
      let (lane, device) = (try name(m.lane, "lane"), try name(m.device, "device"))
      return ChangeJobRequest(
        jobID: try readIdentifier(m.job_id, field: "job_id"), lane: lane.isEmpty ? nil : lane,
        priority: hasPriority ? Int(m.priority) : nil, device: device.isEmpty ? nil : device,
        reason: try TenancyFields.reason(m.reason))
    }
  }

  package func cancelBatch(_ body: [UInt8]) throws(QubusError) -> CancelBatchRequest {
    try decodeMessage(body, qubus_descriptor_cancel_batch_request(), limits: wire) {
      (m: Qubus__V1__CancelBatchRequest) throws(QubusError) in
      CancelBatchRequest(
        batchID: try readIdentifier(m.batch_id, field: "batch_id"),
        reason: try name(m.reason, "reason"))
    }
  }

  package func resubmitJob(_ body: [UInt8]) throws(QubusError) -> ResubmitJobRequest {
    try decodeMessage(body, qubus_descriptor_resubmit_job_request(), limits: wire) {
      (m: Qubus__V1__ResubmitJobRequest) throws(QubusError) in
      ResubmitJobRequest(
        jobID: try readIdentifier(m.job_id, field: "job_id"),
        idempotencyKey: try name(m.idempotency_key, "idempotency_key"))
    }
  }
}
