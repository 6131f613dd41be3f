internal import CZeroMQ
package import QubusCore

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
  ///   holds no key; `data_directory_not_writable`.
  package init(name: String, directory: String) throws(QubusError) {
    guard zmq_has("curve") == 1 else {
      throw .field(
        .invalidConfiguration, "listen", "this libzmq is built without CURVE: no curve endpoints")
    }
    self.name = name
    let path = "\(directory)/\(name).key"
    secretKey = try Self.read(path) ?? Self.make(path)
    guard let publicKey = Self.publicKey(of: secretKey) else {
      throw QubusError(.invalidKey, "\(path) holds no secret key: 40 characters of Z85 and no more")
    }
    self.publicKey = publicKey
    try Self.write(publicKey, to: "\(directory)/\(name).pub", mode: 0o644)
  }

  private static func publicKey(of secret: String) -> String? {
    guard secret.utf8.count == keyCharacters else { return nil }
    var text = [CChar](repeating: 0, count: keyCharacters + 1)
    guard zmq_curve_public(&text, secret) == 0 else { return nil }
    return text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  private static let keyCharacters = 40

  /// nil when there is no such file.
  private static func read(_ path: String) throws(QubusError) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw unusable(path, String(cString: strerror(errno)))
    }
    defer { close(file) }
    var info = stat()
    guard fstat(file, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
      throw unusable(path, "it is no plain file")
    }
    guard info.st_uid == geteuid() else {
      throw unusable(path, "it belongs to user \(info.st_uid), not to the daemon's (\(geteuid()))")
    }
    guard info.st_mode & 0o077 == 0 else {
      throw unusable(
        path, "others may open it (mode 0\(String(info.st_mode & 0o777, radix: 8))); set 0600")
    }
    var bytes = [UInt8](repeating: 0, count: keyCharacters + 2)
    let count = Glibc.read(file, &bytes, bytes.count)
    guard count >= 0 else { throw unusable(path, String(cString: strerror(errno))) }
    var text = bytes[..<count]
    if text.last == 10 { text.removeLast() }
    return String(decoding: text, as: UTF8.self)
  }

  private static func make(_ path: String) throws(QubusError) -> String {
    var publicKey = [CChar](repeating: 0, count: keyCharacters + 1)
    var secretKey = publicKey
    guard zmq_curve_keypair(&publicKey, &secretKey) == 0 else {
      throw unusable(path, String(cString: zmq_strerror(zmq_errno())))
    }
    let secret = secretKey.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    try write(secret, to: path, mode: 0o600)
    return secret
  }

  /// All of it or nothing: a crash leaves no half of a key.
  private static func write(_ text: String, to path: String, mode: mode_t) throws(QubusError) {
    let draft = path + ".new"
    unlink(draft)
    let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
    guard file >= 0 else { throw unwritable(draft) }
    defer { close(file) }
    let bytes = Array("\(text)\n".utf8)
    guard Glibc.write(file, bytes, bytes.count) == bytes.count, fchmod(file, mode) == 0,
      fsync(file) == 0, rename(draft, path) == 0
    else {
      let error = unwritable(draft)
      unlink(draft)
      throw error
    }
  }

  private static func unusable(_ path: String, _ why: String) -> QubusError {
    QubusError(.invalidKey, "the server's key \(path) is not used: \(why)")
  }

  private static func unwritable(_ path: String) -> QubusError {
    QubusError(
      .dataDirectoryNotWritable, "cannot write \(path): \(String(cString: strerror(errno)))")
  }
}
