import Crypto
import Foundation
import QubusCore
import QubusJobs
import Testing

@testable import QubusTenancy

/// A folder of its own that goes with the test.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/qubus-tokens-\(UUID())"
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: false,
      attributes: [.posixPermissions: 0o700])
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Alice of `lab/qc` hands a part of her rights to dave's key; an attacker holds whatever a test
/// gives them.
final class TokenFixture {
  let folder: TemporaryFolder
  let world: DirectoryFixture
  let keys: TokenKeys
  let issuer: TokenIssuer
  let verifier: TokenVerifier
  let service = "018f3f5e-7c1a-7000-8000-0123456789ab"
  let spent = Lock<[TenancyChange]>([])

  var path: String { folder.path + "/token.key" }
  var directory: Directory { world.directory }
  var clock: JumpingClock { world.clock }

  init() throws {
    folder = try TemporaryFolder()
    let spent = self.spent
    world = DirectoryFixture(spent: { change in spent.withLock { $0.append(change) } })
    keys = try TokenKeys(path: folder.path + "/token.key")
    issuer = TokenIssuer(
      keys: keys, service: service, directory: world.directory,
      identifiers: IdentifierSource(clock: world.clock))
    verifier = TokenVerifier(keys: keys, service: service, directory: world.directory)
  }

  func request(
    seconds: Int64 = 900, boundTo: Credential = .key(DirectoryFixture.daveKey),
    maxShots: UInt64? = nil, actions: [Action] = [.submitJobs, .readJobs, .readResults],
    project: String? = nil
  ) -> TokenRequest {
    TokenRequest(
      boundTo: boundTo, actions: actions, project: project, lifetimeSeconds: seconds,
      maxShots: maxShots)
  }

  /// A token of alice's that the store and the directory know.
  func issue(_ request: TokenRequest? = nil) throws -> IssuedToken {
    let alice = try connection(.localUser(uid: 1001))
    let token = try issuer.issue(request ?? self.request(), for: alice)
    directory.apply(.issueToken(token.record))
    return token
  }

  func issued(_ request: TokenRequest? = nil) throws -> String { try issue(request).text }

  func connection(_ credential: Credential = .key(DirectoryFixture.daveKey)) throws -> Identity {
    try #require(directory.identity(of: credential))
  }

  func verify(
    _ token: String, over credential: Credential = .key(DirectoryFixture.daveKey)
  ) throws -> Identity {
    try verifier.identity(token, over: connection(credential))
  }

  func refusal(
    _ token: String, over credential: Credential = .key(DirectoryFixture.daveKey)
  ) throws -> QubusError? {
    let connection = try connection(credential)
    return Result { () throws(QubusError) in
      try verifier.identity(token, over: connection)
    }.failure
  }

  /// What a token says, to be changed by an attacker.
  static func claims(_ token: String) throws -> [String: Any] {
    let part = token.split(separator: ".")[1]
    let bytes = try #require(Base64URL.decode(part.utf8))
    return try #require(
      try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
  }

  static func encoded(_ object: [String: Any]) throws -> String {
    String(
      decoding: Base64URL.encode(try JSONSerialization.data(withJSONObject: object)),
      as: UTF8.self)
  }

  /// The service's own secret key, as if it were stolen: for what even its signature must not allow.
  var stolenKey: Curve25519.Signing.PrivateKey {
    get throws {
      let text = try String(contentsOfFile: path, encoding: .utf8)
      let hexadecimal = try #require(text.split(separator: "\"").dropFirst().first)
      let bytes = try #require(Hexadecimal.bytes(hexadecimal))
      return try Curve25519.Signing.PrivateKey(rawRepresentation: bytes)
    }
  }

  /// A token signed with this key over these claims, under the header of `model`.
  static func signed(
    _ claims: [String: Any], like model: String, with key: Curve25519.Signing.PrivateKey
  ) throws -> String {
    let text = try model.split(separator: ".")[0] + "." + encoded(claims)
    let signature = try key.signature(for: Data(text.utf8))
    return text + "." + String(decoding: Base64URL.encode(signature), as: UTF8.self)
  }
}
