package import QubusCore

/// One line of evidence: who did what, when, to what, and the policy that allowed or refused it.
/// Never program text, results, keys or tokens.
package struct AuditEntry: Sendable, Hashable {
  package enum Outcome: UInt8, Sendable, Hashable {
    case allowed = 1
    case refused = 2
    case failed = 3
  }

  package var time: Microseconds
  /// Whose rights were used; nil for who could not be told.
  package var principal: Principal?
  /// `uid:1000`, `key:…`, `loopback`; whoever acts with a token is named here, not above.
  package var credential: String
  /// Of the token, when one was used.
  package var tokenID: String
  /// Method of the protocol, or the service's own: `start`, `handshake`.
  package var method: String
  /// The word of the permission: `jobs.submit`.
  package var action: String
  /// Kind and id: `job 0192…`, `project lab/qc`.
  package var subject: String
  /// Tenant that the subject belongs to; empty for the service.
  package var tenant: String
  package var outcome: Outcome
  /// The grant that allowed it (`submitter of lab/qc`), or the code that refused it.
  package var policy: String
  /// What the actor gave as the reason.
  package var reason: String
  package var traceID: String

  package init(
    time: Microseconds, principal: Principal?, credential: String, tokenID: String = "",
    method: String, action: String, subject: String, tenant: String, outcome: Outcome,
    policy: String, reason: String = "", traceID: String
  ) {
    self.time = time
    self.principal = principal
    self.credential = credential
    self.tokenID = tokenID
    self.method = method
    self.action = action
    self.subject = subject
    self.tenant = tenant
    self.outcome = outcome
    self.policy = policy
    self.reason = reason
    self.traceID = traceID
  }
}

/// An entry in its place of the chain.
package struct AuditRecord: Sendable, Hashable {
  /// From 1, without gaps.
  package var number: UInt64
  package var entry: AuditEntry
  /// SHA-256 over the hash before it and the canonical bytes of number and entry.
  package var hash: [UInt8]

  package init(number: UInt64, entry: AuditEntry, hash: [UInt8]) {
    self.number = number
    self.entry = entry
    self.hash = hash
  }
}
