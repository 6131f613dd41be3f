internal import CZeroMQ
package import QubusCore
internal import QubusTenancy

#if canImport(Glibc)
  internal import Glibc
#endif

/// The long-lived CURVE key of an endpoint: `NAME.key` holds its secret half (40 characters of Z85,
/// mode 0600), `NAME.pub` the public one that clients are given. Both are made at the first start.
package struct ServerKey: Sendable {
  package let name: String
  /// Z85, 40 characters.
  package let publicKey: String
  let secretKey: String

  /// - Parameter directory: exists; one daemon at a time uses it.
  /// - Throws: `invalid_key` for a file that others may read, that belongs to somebody else or that
  ///   holds no key; `storage_unavailable`.
  package init(name: String, directory: String) throws(QubusError) {
    guard zmq_has("curve") == 1 else {
      throw .field(
        .invalidConfiguration, "listen", "this libzmq is built without CURVE: no curve endpoints")
    }
    self.name = name
    let path = "\(directory)/\(name).key"
    if let bytes = try SecretFile.contents(of: path) {
      let text = bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...]
      secretKey = String(decoding: text, as: UTF8.self)
    } else {
      secretKey = try Self.make()
      try SecretFile.replace(path, with: Array("\(secretKey)\n".utf8))
    }
    guard let publicKey = Self.publicKey(of: secretKey) else {
      throw QubusError(
        .invalidKey, "key file \(path) holds no secret key: 40 characters of Z85 and no more",
        details: ["path": path])
    }
    self.publicKey = publicKey
    let publicPath = "\(directory)/\(name).pub"
    try SecretFile.replace(publicPath, with: Array("\(publicKey)\n".utf8))
    // Nothing in it is secret.
    chmod(publicPath, 0o644)
  }

  private static func publicKey(of secret: String) -> String? {
    guard PublicKeyText.isValid(secret) else { return nil }
    return text { zmq_curve_public($0, secret) == 0 }
  }

  private static func make() throws(QubusError) -> String {
    var secret = [CChar](repeating: 0, count: PublicKeyText.count + 1)
    guard text({ zmq_curve_keypair($0, &secret) == 0 }) != nil else {
      throw QubusError(
        .internalError, "libzmq makes no key: \(String(cString: zmq_strerror(zmq_errno())))")
    }
    return secret.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  /// The key that `write` writes; nil when it says that it has not.
  private static func text(_ write: (UnsafeMutablePointer<CChar>) -> Bool) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: PublicKeyText.count + 1) { buffer in
      write(buffer.baseAddress!) ? String(cString: buffer.baseAddress!) : nil
    }
  }
}
