internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Evidence of what a caller was allowed to do.
extension CallContext {
  /// - Parameters:
  ///   - method: of the protocol.
  ///   - subject: kind and id: `job 0192…`.
  ///   - owner: whose job or session it is.
  ///   - device: that is to be used; empty: none.
  ///   - reason: what the caller gave as such.
  func entry(
    _ method: String, _ action: Action, _ subject: String, of owner: Principal,
    device: String = "", reason: String = "", at now: Microseconds
  ) -> AuditEntry {
    var resource = owner.resource
    resource.deviceFamily = device.isEmpty ? nil : Resource.family(ofDevice: device)
    var policy = ""
    if case .allowed(let grant) = Authority.decide(identity, action, on: resource, now: now) {
      policy = Grant.policy(grant)
    }
    return AuditEntry(
      time: now, principal: principal, credential: identity.credential.text,
      tokenID: identity.token?.id ?? "", method: method, action: action.rawValue,
      subject: subject, tenant: owner.tenant, outcome: .allowed, policy: policy, reason: reason,
      traceID: traceID)
  }
}
