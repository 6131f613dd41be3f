internal import JWTKit
package import QubusCore
internal import QubusJobs

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// Makes tokens by which a principal hands a part of its rights to another key for some minutes.
///
/// A token is good once the store has its record and the directory knows it. Whether the caller may
/// issue it is judged before; what no token may be is refused here.
package struct TokenIssuer: Sendable {
  private let keys: TokenKeys
  private let service: String

  /// - Parameter service: of the data directory, in the claim `iss`.
  package init(keys: TokenKeys, service: Identifier) {
    self.keys = keys
    self.service = service.description
  }

  /// - Parameters:
  ///   - record: what the store will keep of it. The token's times are whole seconds: from the one
  ///     in which it was issued to the one in which it ends.
  ///   - project: of the principal's tenant; nil: wherever the principal's rights reach.
  /// - Returns: the token's text.
  /// - Throws: `invalid_request`, naming the field.
  package func issue(
    _ record: TokenRecord, actions: Actions, project: String? = nil
  ) throws(QubusError) -> String {
    try check(record, actions, project)
    let issuedAt = record.issuedAt / 1_000_000
    let claims = TokenClaims(
      iss: service, aud: TokenClaims.audience, sub: record.principal.text, iat: issuedAt,
      nbf: issuedAt, exp: record.expiresAt / 1_000_000, jti: record.id,
      cnf: TokenClaims.Confirmation(bound: record.boundTo), act: actions.list.map(\.rawValue),
      prj: project, shots: record.maxShots)
    let body: [UInt8]
    do {
      body = Array(try DefaultJWTSerializer().serialize(claims))
    } catch {
      throw QubusError(.internalError, "a token cannot be written", cause: "\(error)")
    }
    let text = String(decoding: try keys.sign(body), as: UTF8.self)
    guard text.utf8.count <= TokenVerifier.sizeLimit else {
      throw .field(
        .invalidRequest, "token", "has \(text.utf8.count) bytes",
        limit: "\(TokenVerifier.sizeLimit)")
    }
    return text
  }

  private func check(
    _ record: TokenRecord, _ actions: Actions, _ project: String?
  ) throws(QubusError) {
    let lifetime = record.expiresAt - record.issuedAt
    // Less than a second may be no second at all.
    guard (1_000_000...TokenClaims.maximumLifetime).contains(lifetime) else {
      throw .field(
        .invalidRequest, "valid_seconds", "is \(Double(lifetime) / 1e6)",
        limit: "1 to \(TokenClaims.maximumLifetime / 1_000_000)")
    }
    guard let credential = Credential(text: record.boundTo), credential != .loopback else {
      throw .field(
        .invalidRequest, "bound_to", "'\(record.boundTo.prefix(80))' proves nothing",
        limit: "key:… or uid:…")
    }
    if let project, !TenancyName.isValid(project) {
      throw .field(.invalidName, "project", "'\(project.prefix(80))' is no name of a project")
    }
    if record.maxShots == 0 {
      throw .field(.invalidRequest, "shots", "is 0", limit: "1 or more, or none at all")
    }
    guard actions != Actions() else {
      throw .field(.invalidRequest, "actions", "none are named")
    }
    let rest = actions.subtracting(.delegable).list
    guard rest.isEmpty else {
      throw .field(
        .invalidRequest, "actions", "\(rest[0].rawValue) would outlive a token",
        limit: Actions.delegable.list.map(\.rawValue).joined(separator: ", "))
    }
    let ofSessions = actions.intersection(.ofSessions).list
    if record.maxShots != nil, !ofSessions.isEmpty {
      throw .field(
        .invalidRequest, "actions",
        "\(ofSessions[0].rawValue) does not go with a bound of shots: those of a session are not "
          + "known beforehand")
    }
  }
}
