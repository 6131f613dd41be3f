package import QubusCore
package import QubusJobs
package import QubusTenancy

/// Who callers are: what the transport asks of the tenancy. Called on the transport thread, for
/// every handshake and whenever `version` moved: quick, never blocking.
package protocol Admission: Sendable {
  /// Raised whenever an answer may have become another one. Read for every message.
  var version: UInt64 { get }
  /// nil: unknown, revoked, expired, or of a principal or tenant that is disabled.
  func identity(of credential: Credential) -> Identity?
  /// What a bearer token leaves of somebody's rights, for the connection that presents it.
  /// - Throws: `token_invalid` (also for a token bound to another credential), `token_expired`.
  func identity(
    presenting token: [UInt8], over connection: Identity
  ) throws(QubusError) -> Identity
  /// Evidence of what was turned away, `count` times within a second.
  func refused(_ refusal: Refusal, count: Int)
}

/// One kind of what was turned away at the door.
package struct Refusal: Sendable, Hashable {
  /// nil: none that could be told.
  package var credential: Credential?
  package var principal: Principal?
  /// Of the token that was presented and held good.
  package var tokenID: String
  /// Method of the protocol, or `handshake`.
  package var method: String
  /// The word of the permission.
  package var action: String
  package var code: ErrorCode

  package init(
    credential: Credential?, principal: Principal?, tokenID: String = "", method: String,
    action: String, code: ErrorCode
  ) {
    self.credential = credential
    self.principal = principal
    self.tokenID = tokenID
    self.method = method
    self.action = action
    self.code = code
  }
}
