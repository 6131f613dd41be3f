internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusWire

extension Transport {
  /// Calls that change what becomes of jobs.
  func dispatchControl(_ call: Call, _ body: [UInt8]) throws(QubusError) {
    let (outbox, key) = (outbox, call.key)
    switch call.method {
    case .changeJob:
      let request = try decoder.changeJob(body)
      let change = JobChange(
        lane: request.lane, priority: request.priority, device: request.device)
      service.change(request.jobID, change, reason: request.reason, context: call.context) {
        outbox.push(.answered(key, Answer($0) { Responses.paused($0) }))
      }
    case .cancelBatch:
      let request = try decoder.cancelBatch(body)
      service.cancelBatch(request.batchID, reason: request.reason, context: call.context) {
        outbox.push(.answered(key, Answer($0) { Responses.canceled($0) }))
      }
    case .resubmitJob:
      let request = try decoder.resubmitJob(body)
      service.resubmit(
        request.jobID, idempotencyKey: request.idempotencyKey, context: call.context
      ) { outbox.push(.answered(key, Answer($0) { Responses.submit($0) })) }
    default:
      throw QubusError(.internalError, "\(call.method.rawValue) changes no job")
    }
  }
}
