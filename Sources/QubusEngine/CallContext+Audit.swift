internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

extension CallContext {
  /// Evidence of what was done for the caller.
  /// - Parameters:
  ///   - method: of the protocol.
  ///   - subject: kind and id.
  ///   - owner: whose it is.
  ///   - grant: that allowed it; nil: everybody may.
  func evidence(
    _ method: String, _ action: Action, _ subject: String, of owner: Principal, by grant: Grant?,
    at now: Microseconds, reason: String = ""
  ) -> AuditEntry {
    AuditEntry(
      time: now, principal: principal, credential: identity.credential.text,
      tokenID: identity.token?.id ?? "", method: method, action: action.rawValue,
      subject: subject, tenant: owner.tenant, outcome: .allowed, policy: Grant.policy(grant),
      reason: reason, traceID: traceID)
  }
}
