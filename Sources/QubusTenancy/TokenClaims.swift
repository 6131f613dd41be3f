internal import JWTKit
internal import QubusCore
internal import QubusJobs

/// What a token says, under the names of RFC 7519 and 7800 and three of its own.
struct TokenClaims: JWTPayload {
  struct Confirmation: Codable, Sendable {
    /// `Credential.text` of the connection that may use it.
    var bound: String
  }

  static let audience = "qubus"
  /// Microseconds that a token lives at most.
  static let maximumLifetime: Microseconds = 900_000_000

  /// The service, by the id of its data.
  var iss: String
  var aud: String
  /// `tenant/project/name`.
  var sub: String
  // Whole seconds UTC.
  var iat: Int64
  var nbf: Int64
  var exp: Int64
  var jti: String
  var cnf: Confirmation
  /// Words of actions.
  var act: [String]
  var prj: String?
  var shots: UInt64?

  /// Everything is checked by `TokenVerifier`, with the service's own clock.
  func verify(using algorithm: some JWTAlgorithm) {}

  /// - Throws: `token_invalid` when no time at all is right; `token_expired`.
  func checkTime(_ now: Microseconds) throws(QubusError) {
    let limit = Self.maximumLifetime / 1_000_000
    // Signed or not: nobody's clock is so far off.
    guard iat >= 0, iat <= nbf, nbf < exp, exp < 1 << 40, exp - iat <= limit else {
      throw .tokenInvalid
    }
    guard now >= nbf * 1_000_000 else { throw .tokenExpired("its time has not come") }
    guard now < exp * 1_000_000 else { throw .tokenExpired("it has expired") }
  }

  /// - Throws: `token_invalid` for words that are no actions.
  func rights() throws(QubusError) -> TokenRights {
    let actions = act.compactMap { Action(rawValue: $0) }
    guard actions.count == act.count else { throw .tokenInvalid }
    return TokenRights(
      id: jti, actions: Actions(actions), project: prj, expiresAt: exp * 1_000_000,
      maxShots: shots)
  }
}
