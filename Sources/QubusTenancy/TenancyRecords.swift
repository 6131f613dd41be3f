package import QubusCore
package import QubusJobs

/// Rules of names of tenants, projects and principals: 1 to 64 of `a-z 0-9 . _ - @`, beginning
/// with a letter or digit.
package enum TenancyName {
  package static let limit = 64

  package static func isValid(_ name: String) -> Bool {
    guard let first = name.utf8.first, name.utf8.count <= limit else { return false }
    func isAlphanumeric(_ c: UInt8) -> Bool { (97...122).contains(c) || (48...57).contains(c) }
    return isAlphanumeric(first)
      && name.utf8.allSatisfy { isAlphanumeric($0) || [46, 95, 45, 64].contains($0) }
  }
}

package struct TenantRecord: Sendable, Hashable {
  package var name: String
  /// A disabled tenant's principals can do nothing; nothing of it is deleted.
  package var isDisabled = false
  package var createdAt: Microseconds

  package init(name: String, createdAt: Microseconds) {
    self.name = name
    self.createdAt = createdAt
  }
}

package struct ProjectRecord: Sendable, Hashable {
  package var tenant: String
  package var name: String
  /// Principal of the tenant who answers for it; empty for the default project.
  package var owner: String
  package var isDisabled = false
  package var createdAt: Microseconds

  package init(tenant: String, name: String, owner: String, createdAt: Microseconds) {
    self.tenant = tenant
    self.name = name
    self.owner = owner
    self.createdAt = createdAt
  }
}

package struct PrincipalRecord: Sendable, Hashable {
  package var principal: Principal
  /// The user of this machine who is this principal over ipc.
  package var uid: UInt32?
  package var isDisabled = false
  package var createdAt: Microseconds

  package init(principal: Principal, uid: UInt32? = nil, createdAt: Microseconds) {
    self.principal = principal
    self.uid = uid
    self.createdAt = createdAt
  }
}

/// A client's public CURVE key.
package struct ClientKeyRecord: Sendable, Hashable {
  /// Z85, 40 characters. Belongs to one principal for ever: a revoked key is never taken again.
  package var key: String
  package var principal: Principal
  /// An invitation's key may only be exchanged for one's own, once.
  package var isInvitation = false
  package var createdAt: Microseconds
  package var expiresAt: Microseconds?
  /// May lie ahead, so that an old key and its successor overlap.
  package var revokedAt: Microseconds?

  package init(key: String, principal: Principal, createdAt: Microseconds) {
    self.key = key
    self.principal = principal
    self.createdAt = createdAt
  }

  package func isValid(at now: Microseconds) -> Bool {
    (revokedAt.map { now < $0 } ?? true) && (expiresAt.map { now < $0 } ?? true)
  }
}

package struct GrantRecord: Sendable, Hashable {
  package var principal: Principal
  package var grant: Grant

  package init(principal: Principal, grant: Grant) {
    self.principal = principal
    self.grant = grant
  }
}

/// A token that was issued; kept until it has expired.
package struct TokenRecord: Sendable, Hashable {
  /// The `jti` claim.
  package var id: String
  /// Whose rights it carries.
  package var principal: Principal
  /// The credential it is bound to (`Credential.text`).
  package var boundTo: String
  package var issuedAt: Microseconds
  package var expiresAt: Microseconds
  package var maxShots: UInt64?
  package var shotsUsed: UInt64 = 0
  package var revokedAt: Microseconds?

  package init(
    id: String, principal: Principal, boundTo: String, issuedAt: Microseconds,
    expiresAt: Microseconds, maxShots: UInt64?
  ) {
    self.id = id
    self.principal = principal
    self.boundTo = boundTo
    self.issuedAt = issuedAt
    self.expiresAt = expiresAt
    self.maxShots = maxShots
  }

  package func isValid(at now: Microseconds) -> Bool {
    now < expiresAt && (revokedAt.map { now < $0 } ?? true)
  }
}
