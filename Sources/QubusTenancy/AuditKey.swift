internal import Crypto
internal import Glibc
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
  /// - Throws: `invalid_key` when others may read the file, or it is no key;
  ///   `data_directory_not_writable`, `disk_full`.
  package init(directory: String) throws(QubusError) {
    let path = directory + "/" + Self.fileName
    if let bytes = try Self.read(path) {
      guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes) else {
        throw QubusError(.invalidKey, "\(path) does not hold a key of \(Self.byteCount) bytes")
      }
      self.key = key
      return
    }
    key = Curve25519.Signing.PrivateKey()
    try Self.write(Array(key.rawRepresentation), to: path, in: directory)
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

  /// Nil when there is no file. A link is not followed: it could lead to a file of somebody else.
  private static func read(_ path: String) throws(QubusError) -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw QubusError(.invalidKey, "cannot read \(path): \(String(cString: strerror(errno)))")
    }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw QubusError(.invalidKey, "\(path) is no file")
    }
    guard status.st_mode & 0o077 == 0 else {
      let mode = String(status.st_mode & 0o777, radix: 8)
      throw QubusError(
        .invalidKey, "\(path) has mode \(mode), so that others may read it (limit: 600)")
    }
    // One byte more than a key, so that a longer file is seen.
    var bytes = [UInt8](repeating: 0, count: byteCount + 1)
    let count = Glibc.read(file, &bytes, bytes.count)
    return Array(bytes.prefix(max(0, count)))
  }

  /// Under another name first, so that a crash leaves a whole key or none.
  private static func write(
    _ bytes: [UInt8], to path: String, in directory: String
  ) throws(QubusError) {
    let temporary = path + ".tmp"
    unlink(temporary)
    let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw failure(path) }
    let isWritten = Glibc.write(file, bytes, bytes.count) == bytes.count && fsync(file) == 0
    close(file)
    guard isWritten, rename(temporary, path) == 0 else {
      let error = failure(path)
      unlink(temporary)
      throw error
    }
    let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw failure(path) }
    defer { close(folder) }
    guard fsync(folder) == 0 else { throw failure(path) }
  }

  private static func failure(_ path: String) -> QubusError {
    let code = errno
    let cause = String(cString: strerror(code))
    return code == ENOSPC || code == EDQUOT
      ? QubusError(.diskFull, "no space to create \(path)", cause: cause)
      : QubusError(.dataDirectoryNotWritable, "cannot write \(path): \(cause)", cause: cause)
  }
}
