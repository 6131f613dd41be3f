internal import Crypto
package import QubusCore

/// The Ed25519 key that signs checkpoints of the audit: 32 bytes in `audit.key` of the data
/// directory, mode 0600, made at the first start. Whoever has it can sign a false checkpoint, never
/// take back one that was exported.
package struct AuditKey: Sendable {
  package static let fileName = "audit.key"
  private static let byteCount = 32

  private let key: Curve25519.Signing.PrivateKey

  package var publicKey: [UInt8] { Array(key.publicKey.rawRepresentation) }

  /// A key that is nowhere kept.
  package init() { key = Curve25519.Signing.PrivateKey() }

  /// Reads the key of a data directory, or makes it.
  /// - Throws: `invalid_key` when others may read the file, or it is no key; `storage_unavailable`.
  package init(directory: String) throws(QubusError) {
    let path = directory + "/" + Self.fileName
    guard let bytes = try SecretFile.contents(of: path) else {
      key = Curve25519.Signing.PrivateKey()
      try SecretFile.replace(path, with: Array(key.rawRepresentation))
      return
    }
    guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes) else {
      throw .invalidKey(path, "does not hold \(Self.byteCount) bytes")
    }
    self.key = key
  }

  package func sign(
    service: Identifier, number: UInt64, hash: [UInt8], time: Microseconds
  ) throws(QubusError) -> AuditCheckpoint {
    var checkpoint = AuditCheckpoint(
      service: service, number: number, hash: hash, time: time, publicKey: publicKey,
      signature: [])
    do {
      checkpoint.signature = Array(try key.signature(for: checkpoint.signedBytes))
    } catch {
      throw QubusError(.internalError, "the checkpoint cannot be signed", cause: "\(error)")
    }
    return checkpoint
  }
}
