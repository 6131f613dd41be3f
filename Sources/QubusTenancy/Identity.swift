package import QubusCore
package import QubusJobs

/// How a caller proved who it is.
package enum Credential: Sendable, Hashable {
  /// The kernel names the uid behind an ipc connection.
  case localUser(uid: UInt32)
  /// A connection to a loopback port: somebody on this machine, nobody known.
  case loopback
  /// The public CURVE key (32 bytes as 40 Z85 characters) of the handshake.
  case key(String)

  /// As tokens and audit records name it: `uid:1000`, `loopback`, `key:…`.
  package var text: String {
    switch self {
    case .localUser(let uid): "uid:\(uid)"
    case .loopback: "loopback"
    case .key(let key): "key:\(key)"
    }
  }
}

/// What a bearer token leaves of its principal's rights.
package struct TokenRights: Sendable, Hashable {
  package var id: String
  package var actions: Actions
  /// Nil: all of the principal's own.
  package var project: String?
  package var expiresAt: Microseconds
  /// In all calls with it together; nil: no bound of its own.
  package var maxShots: UInt64?

  package init(
    id: String, actions: Actions, project: String?, expiresAt: Microseconds, maxShots: UInt64?
  ) {
    self.id = id
    self.actions = actions
    self.project = project
    self.expiresAt = expiresAt
    self.maxShots = maxShots
  }
}

/// Who calls, with everything that is needed to decide what it may do. Immutable; made anew when the
/// directory changes.
package final class Identity: Sendable {
  package let principal: Principal
  package let credential: Credential
  package let grants: [Grant]
  /// Present when the call came with a token: rights are those of `principal`, cut down to these.
  package let token: TokenRights?
  /// Version of the directory it was made of.
  package let version: UInt64

  package init(
    principal: Principal, credential: Credential, grants: [Grant], token: TokenRights? = nil,
    version: UInt64 = 0
  ) {
    self.principal = principal
    self.credential = credential
    self.grants = grants
    self.token = token
    self.version = version
  }

  /// Someone with the rights of a submitter in a project of their own, for tests and for services
  /// that are used without tenancy.
  package static func submitter(_ principal: Principal) -> Identity {
    Identity(
      principal: principal, credential: .loopback,
      grants: [
        Grant(.submitter, Scope(tenant: principal.tenant, project: principal.project))
      ])
  }
}
