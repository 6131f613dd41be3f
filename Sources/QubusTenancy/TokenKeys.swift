internal import Crypto
package import QubusCore

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// The Ed25519 keys of a service's tokens: one signs, those before it are good for checking for as
/// long as a token can live. Made at first use, kept in a file that only the owner reads.
///
/// The file's text: `secret = "64 hexadecimal digits"`, and for each key before it
/// `previous = "public key, 64 digits" until`, in microseconds UTC.
package final class TokenKeys: Sendable {
  /// A key's public half, and the first part of all its tokens.
  struct Checking: Sendable {
    let key: Curve25519.Signing.PublicKey
    /// `{"alg":"EdDSA","kid":…,"typ":"JWT"}`, as it stands in the token.
    let header: [UInt8]
    /// `kid` of the header.
    let id: String
    /// Nil: the one in use.
    let until: Microseconds?

    init(_ key: Curve25519.Signing.PublicKey, until: Microseconds? = nil) {
      self.key = key
      self.until = until
      id = Hexadecimal.text(SHA256.hash(data: key.rawRepresentation).prefix(8))
      let json = #"{"alg":"EdDSA","kid":"\#(id)","typ":"JWT"}"#
      header = Base64URL.encode(json.utf8)
    }
  }

  fileprivate struct State: Sendable {
    var signing: Curve25519.Signing.PrivateKey
    /// The one in use first.
    var checking: [Checking]
  }

  private let path: String
  private let state: Lock<State>

  /// Reads the keys, or makes the first.
  /// - Throws: `invalid_key` when the file is open to others or is not what this wrote;
  ///   `storage_unavailable`.
  package init(path: String) throws(QubusError) {
    self.path = path
    if let bytes = try SecretFile.contents(of: path) {
      state = Lock(try Self.parse(bytes, path))
    } else {
      let first = State(key: Curve25519.Signing.PrivateKey(), previous: [])
      try SecretFile.replace(path, with: Self.text(first))
      state = Lock(first)
    }
  }

  /// Signs with a new key from now on. Tokens of the one before stay good until they expire.
  /// - Parameter now: of the directory, microseconds UTC.
  /// - Returns: `kid` of the new one, and the time from which no token of the one before is good.
  @discardableResult
  package func rotate(
    now: Microseconds
  ) throws(QubusError) -> (id: String, previousUntil: Microseconds) {
    // One at a time, and in memory only what is durable.
    try state.withLock { (state) throws(QubusError) -> (id: String, previousUntil: Microseconds) in
      let until = now + TokenClaims.maximumLifetime
      let previous = state.checking.compactMap { key -> Checking? in
        let end = key.until ?? until
        return end > now ? Checking(key.key, until: end) : nil
      }
      let next = State(key: Curve25519.Signing.PrivateKey(), previous: previous)
      try SecretFile.replace(path, with: Self.text(next))
      state = next
      return (next.checking[0].id, until)
    }
  }

  /// - Returns: header and signature, for a token with this header over these parts.
  func sign(_ body: [UInt8]) throws(QubusError) -> [UInt8] {
    let (key, header) = state.withLock { ($0.signing, $0.checking[0].header) }
    let signed = header + [UInt8(ascii: ".")] + body
    do {
      let signature = try key.signature(for: signed)
      return signed + [UInt8(ascii: ".")] + Base64URL.encode(signature)
    } catch {
      throw QubusError(.internalError, "a token cannot be signed", cause: "\(error)")
    }
  }

  /// The key whose tokens begin with this header.
  func checking(_ header: some Sequence<UInt8>, now: Microseconds) -> Checking? {
    state.withLock { state in
      state.checking.first { key in
        key.header.elementsEqual(header) && (key.until.map { now < $0 } ?? true)
      }
    }
  }

  // MARK: The file

  private static func text(_ state: State) -> [UInt8] {
    var text = "# qubus token signing key\n"
    text += "secret = \"\(Hexadecimal.text(state.signing.rawRepresentation))\"\n"
    for key in state.checking {
      guard let until = key.until else { continue }
      text += "previous = \"\(Hexadecimal.text(key.key.rawRepresentation))\" \(until)\n"
    }
    return Array(text.utf8)
  }

  private static func parse(_ bytes: [UInt8], _ path: String) throws(QubusError) -> State {
    var signing: Curve25519.Signing.PrivateKey?
    var previous: [Checking] = []
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    for (index, line) in lines.enumerated() where !line.hasPrefix("#") {
      // `name`, `=`, `"digits"` and, for a previous key, a time.
      let words = line.split(separator: " ")
      let key = words.count >= 3 && words[1] == "=" ? key(words[2]) : nil
      if let key, words[0] == "secret", words.count == 3, signing == nil {
        signing = try? Curve25519.Signing.PrivateKey(rawRepresentation: key)
      } else if let key, words[0] == "previous", words.count == 4,
        let until = Microseconds(words[3]),
        let checking = try? Curve25519.Signing.PublicKey(rawRepresentation: key)
      {
        previous.append(Checking(checking, until: until))
      } else {
        throw .invalidKey(path, "is no key file of tokens: line \(index + 1) cannot be read")
      }
    }
    guard let signing else { throw .invalidKey(path, "holds no secret key") }
    return State(key: signing, previous: previous)
  }

  private static func key(_ quoted: Substring) -> [UInt8]? {
    guard quoted.utf8.count == 66, quoted.hasPrefix("\""), quoted.hasSuffix("\"") else {
      return nil
    }
    return Hexadecimal.bytes(quoted.dropFirst().dropLast())
  }
}

extension TokenKeys.State {
  fileprivate init(key: Curve25519.Signing.PrivateKey, previous: [TokenKeys.Checking]) {
    signing = key
    checking = [TokenKeys.Checking(key.publicKey)] + previous
  }
}
