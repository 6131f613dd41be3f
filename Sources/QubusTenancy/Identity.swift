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

  /// - Parameter text: as `text` writes it; nil when it is not.
  package init?(text: String) {
    if text == "loopback" {
      self = .loopback
    } else if text.hasPrefix("uid:"), let uid = UInt32(text.dropFirst(4)) {
      self = .localUser(uid: uid)
    } else if text.hasPrefix("key:"), text.utf8.count == 44 {
      self = .key(String(text.dropFirst(4)))
    } else {
      return nil
    }
  }
}

/// What a bearer token leaves of its principal's rights: no more than can be delegated, and whoever
/// holds it may say hello.
package struct TokenRights: Sendable, Hashable {
  package let id: String
  package let actions: Actions
  /// Of the principal's tenant; nil: all of the principal's own.
  package let project: String?
  package let expiresAt: Microseconds
  /// In all calls with it together; nil: no bound of its own. With one it is good for jobs alone:
  /// the shots of a session are not known beforehand.
  package let maxShots: UInt64?

  package init(
    id: String, actions: Actions, project: String?, expiresAt: Microseconds, maxShots: UInt64?
  ) {
    self.id = id
    let delegated = actions.intersection(.delegable).union(Actions([.connect]))
    self.actions = maxShots == nil ? delegated : delegated.subtracting(.ofSessions)
    self.project = project
    self.expiresAt = expiresAt
    self.maxShots = maxShots
  }
}

/// Who calls, with everything that is needed to decide what it may do. Immutable; made anew when
/// the directory changes.
package final class Identity: Sendable {
  package let principal: Principal
  package let credential: Credential
  package let grants: [Grant]
  /// Present when the call came with a token: rights are those of `principal`, cut down to these.
  package let token: TokenRights?
  /// What is left of the token's shots, shared by all its calls; nil without a bound.
  package let allowance: TokenAllowance?
  /// The key is an invitation's: it is good for Hello, WhoAmI and AddKey, and has no grants.
  package let isInvitation: Bool
  /// The principal's project is disabled: nothing new is taken.
  package let isSuspended: Bool
  /// A user of the machine who is no member: what others of the project began is not there.
  package let seesOwnOnly: Bool
  /// Version of the directory it was made of.
  package let version: UInt64

  package init(
    principal: Principal, credential: Credential, grants: [Grant], token: TokenRights? = nil,
    allowance: TokenAllowance? = nil, isInvitation: Bool = false, isSuspended: Bool = false,
    seesOwnOnly: Bool = false, version: UInt64 = 0
  ) {
    self.principal = principal
    self.credential = credential
    self.grants = isInvitation ? [] : grants
    self.token = token
    self.allowance = allowance
    self.isInvitation = isInvitation
    self.isSuspended = isSuspended
    self.seesOwnOnly = seesOwnOnly
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
