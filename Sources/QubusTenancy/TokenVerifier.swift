internal import Crypto
internal import JWTKit
package import QubusCore
internal import QubusJobs

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// Checks bearer tokens. A hundred microseconds each: whoever is sent one with every call keeps the
/// identity by the token's text, until the token expires or `Directory.version` changes.
///
/// The header decides nothing (decision 0012): a token must begin with the very bytes of a header
/// that this service writes, so that an algorithm cannot be chosen by whoever sends it.
package struct TokenVerifier: Sendable {
  /// Bytes of a token.
  static let sizeLimit = 4096

  private let keys: TokenKeys
  private let service: String
  private let directory: Directory

  /// - Parameter service: as the issuer's.
  package init(keys: TokenKeys, service: String, directory: Directory) {
    self.keys = keys
    self.service = service
    self.directory = directory
  }

  /// Whom the holder of the token acts as.
  /// - Parameter connection: who the connection itself is: the token has to be bound to its
  ///   credential.
  /// - Throws: `token_invalid`, without saying what is wrong; `token_expired` for one that was good
  ///   once, or will be: expired, not valid yet, revoked.
  package func identity(
    _ token: String, over connection: Identity
  ) throws(QubusError) -> Identity {
    let now = directory.now()
    guard connection.token == nil, !connection.isInvitation,
      let claims = claims(Array(token.utf8), now), claims.iss == service,
      claims.aud == TokenClaims.audience, claims.cnf.bound == connection.credential.text,
      connection.credential != .loopback, let principal = Principal(text: claims.sub)
    else { throw .tokenInvalid }
    try claims.checkTime(now)
    guard let record = directory.token(claims.jti), record.principal == principal,
      record.boundTo == claims.cnf.bound, record.maxShots == claims.shots
    else { throw .tokenInvalid }
    guard record.isValid(at: now) else { throw .tokenExpired("it was revoked") }
    let rights = try claims.rights()
    guard
      let identity = directory.identity(of: principal, over: connection.credential, rights)
    else { throw .tokenInvalid }
    return identity
  }

  /// What a token says, once its signature holds: nothing that others wrote is decoded.
  private func claims(_ token: [UInt8], _ now: Microseconds) -> TokenClaims? {
    guard token.count <= Self.sizeLimit else { return nil }
    let parts = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3, let checking = keys.checking(parts[0], now: now),
      let signature = Base64URL.decode(parts[2]), signature.count == 64,
      checking.key.isValidSignature(signature, for: token[..<parts[1].endIndex])
    else { return nil }
    return try? DefaultJWTParser().parse(token, as: TokenClaims.self).payload
  }
}
