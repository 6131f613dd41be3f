internal import JWTKit
package import QubusCore
internal import QubusJobs

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// What a token is asked for.
package struct TokenRequest: Sendable, Hashable {
  /// The connection that will use it.
  package var boundTo: Credential
  package var actions: [Action]
  /// Of the caller's tenant; nil: wherever the caller's own rights reach.
  package var project: String?
  package var lifetimeSeconds: Int64
  /// In all calls together; nil: no bound. With one it is good for jobs only.
  package var maxShots: UInt64?

  package init(
    boundTo: Credential, actions: [Action], project: String? = nil, lifetimeSeconds: Int64 = 900,
    maxShots: UInt64? = nil
  ) {
    self.boundTo = boundTo
    self.actions = actions
    self.project = project
    self.lifetimeSeconds = lifetimeSeconds
    self.maxShots = maxShots
  }
}

/// A token and what the store keeps of it: good once the store has the record and the directory
/// knows it.
package struct IssuedToken: Sendable {
  package let text: String
  package let record: TokenRecord
}

/// Makes tokens by which a principal hands a part of its rights to another key for some minutes.
package struct TokenIssuer: Sendable {
  private let keys: TokenKeys
  private let service: String
  private let directory: Directory
  private let identifiers: IdentifierSource

  /// - Parameter service: the id of the data directory, in the claim `iss`.
  package init(
    keys: TokenKeys, service: String, directory: Directory, identifiers: IdentifierSource
  ) {
    self.keys = keys
    self.service = service
    self.directory = directory
    self.identifiers = identifiers
  }

  /// - Throws: `permission_denied` when the caller may issue no tokens or has not the rights
  ///   itself; `invalid_request`, naming the field.
  package func issue(
    _ request: TokenRequest, for identity: Identity
  ) throws(QubusError) -> IssuedToken {
    let now = directory.now()
    try identity.check(.issueTokens, on: identity.principal.resource, now: now)
    try check(request, identity, now)
    let seconds = now / 1_000_000
    let claims = TokenClaims(
      iss: service, aud: TokenClaims.audience, sub: identity.principal.text, iat: seconds,
      nbf: seconds, exp: seconds + request.lifetimeSeconds, jti: "\(identifiers.next())",
      cnf: TokenClaims.Confirmation(bound: request.boundTo.text),
      act: request.actions.map(\.rawValue), prj: request.project, shots: request.maxShots)
    let body: [UInt8]
    do {
      body = Array(try DefaultJWTSerializer().serialize(claims))
    } catch {
      throw QubusError(.internalError, "a token cannot be written", cause: "\(error)")
    }
    let text = String(decoding: try keys.sign(body), as: UTF8.self)
    guard text.utf8.count <= TokenVerifier.sizeLimit else {
      throw .field(
        .invalidRequest, "actions", "make a token of \(text.utf8.count) bytes",
        limit: "\(TokenVerifier.sizeLimit)")
    }
    return IssuedToken(
      text: text,
      record: TokenRecord(
        id: claims.jti, principal: identity.principal, boundTo: claims.cnf.bound,
        issuedAt: claims.iat * 1_000_000, expiresAt: claims.exp * 1_000_000,
        maxShots: request.maxShots))
  }

  /// Signs with another key from now on.
  /// - Returns: its id, and the time from which no token of the one before is good.
  /// - Throws: `storage_unavailable`; the key before then still signs.
  package func rotateKey() throws(QubusError) -> (id: String, previousUntil: Microseconds) {
    try keys.rotate(now: directory.now())
  }

  private func check(
    _ request: TokenRequest, _ identity: Identity, _ now: Microseconds
  ) throws(QubusError) {
    let limit = TokenClaims.maximumLifetime / 1_000_000
    guard (1...limit).contains(request.lifetimeSeconds) else {
      throw .field(
        .invalidRequest, "valid_seconds", "is \(request.lifetimeSeconds)", limit: "1 to \(limit)"
      )
    }
    if case .loopback = request.boundTo {
      throw .field(
        .invalidRequest, "bound_to", "a loopback port is nobody: bind it to a key or a uid")
    }
    if let project = request.project, !TenancyName.isValid(project) {
      throw .field(.invalidName, "project", "'\(project.prefix(80))' is no name of a project")
    }
    if request.maxShots == 0 {
      throw .field(.invalidRequest, "shots", "is 0", limit: "1 or more, or none at all")
    }
    guard !request.actions.isEmpty else {
      throw .field(.invalidRequest, "actions", "none are named")
    }
    for (index, action) in request.actions.enumerated() {
      let field = "actions[\(index)]"
      guard action.isDelegable else {
        throw .field(
          .invalidRequest, field,
          "\(action.rawValue) is not handed on: its effect would outlive the token")
      }
      if request.maxShots != nil, Actions.ofSessions.contains(action) {
        throw .field(
          .invalidRequest, field,
          "\(action.rawValue) does not go with a bound of shots: a session's shots are not counted "
            + "beforehand")
      }
      try identity.checkAnywhere(action, now: now)
    }
  }
}
