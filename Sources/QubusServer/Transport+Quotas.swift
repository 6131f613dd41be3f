internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusTenancy
internal import QubusWire

extension Transport {
  /// - Throws: `rate_limited` when the caller, its project or its tenant asks for too much at once.
  func checkRate(_ identity: Identity, _ method: Method) throws(QubusError) {
    if method.isCountedByRates { try quotas.request(of: identity.principal) }
  }

  /// Whether a stream may go on; one that may not is looked at again when it may.
  func mayStream(_ call: Call) -> Bool {
    let wait = quotas.streamWait(of: call.context.principal)
    if wait == 0 { return true }
    guard !call.isPaced else { return false }
    call.isPaced = true
    // A limit of 0 may be lifted.
    timers.add(
      TimerQueue.Entry(
        time: clock.monotonic() + min(wait, Self.longestPaceMicroseconds), key: call.key,
        purpose: .pace))
    return false
  }

  private static let longestPaceMicroseconds: Microseconds = 1_000_000

  /// The bucket has something in it again.
  func paceEnded(_ call: Call) {
    call.isPaced = false
    pump(call)
  }

  func listApprovals(_ call: Call, _ request: ListApprovalsRequest) throws(QubusError) {
    try read(call) { [key = call.key] service, context in
      // One more than asked for tells whether there is a next page.
      let filter = ApprovalFilter(
        tenant: request.tenant, project: request.project, after: request.after,
        limit: request.limit + 1)
      do throws(QubusError) {
        let (waiting, policies) = try service.approvals(filter, context: context)
        return .answered(
          key, Answer { Responses.approvals(waiting, policies, limit: request.limit) })
      } catch {
        return .answered(key, Answer(error))
      }
    }
  }
}
