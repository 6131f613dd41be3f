package import QubusCore

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Files with secrets: none but their owner can read them.
package enum SecretFile {
  private static let sizeLimit = 4096

  /// - Returns: nil when there is no such file.
  /// - Throws: `invalid_key` when others may read or write it, when it belongs to somebody else, or
  ///   is no ordinary file; `storage_unavailable` when it cannot be read.
  package static func contents(of path: String) throws(QubusError) -> [UInt8]? {
    let file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      if errno == ELOOP { throw .invalidKey(path, "is a symbolic link") }
      throw .unreadable(path, "open")
    }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw .unreadable(path, "fstat") }
    try check(status, path)
    var bytes = [UInt8](repeating: 0, count: sizeLimit + 1)
    var count = 0
    while count < bytes.count {
      let part = bytes.withUnsafeMutableBytes {
        read(file, $0.baseAddress! + count, $0.count - count)
      }
      if part < 0, errno == EINTR { continue }
      guard part >= 0 else { throw .unreadable(path, "read") }
      if part == 0 { break }
      count += part
    }
    guard count <= sizeLimit else {
      throw .invalidKey(path, "is larger than \(sizeLimit) bytes")
    }
    return Array(bytes[..<count])
  }

  private static func check(_ status: stat, _ path: String) throws(QubusError) {
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw .invalidKey(path, "is no ordinary file")
    }
    guard status.st_uid == geteuid() || status.st_uid == 0 else {
      throw .invalidKey(path, "belongs to uid \(status.st_uid), not to \(geteuid())")
    }
    let mode = status.st_mode & 0o777
    guard mode & 0o077 == 0 else {
      throw .invalidKey(
        path,
        "is open to others (mode 0\(String(mode, radix: 8))): make a new key, or `chmod 600` it "
          + "when nobody can have read it")
    }
  }

  /// Puts the file in place whole, readable by its owner only, and durable.
  /// - Throws: `storage_unavailable`.
  package static func replace(_ path: String, with bytes: [UInt8]) throws(QubusError) {
    let temporary = path + ".new"
    unlink(temporary)
    // The mode is there from the first byte on; a link that somebody put here is not followed.
    let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw .unwritable(path, "open") }
    do throws(QubusError) {
      defer { close(file) }
      var count = 0
      while count < bytes.count {
        let part = bytes.withUnsafeBytes {
          write(file, $0.baseAddress! + count, $0.count - count)
        }
        if part < 0, errno == EINTR { continue }
        guard part > 0 else { throw .unwritable(path, "write") }
        count += part
      }
      guard fsync(file) == 0 else { throw .unwritable(path, "fsync") }
    } catch {
      unlink(temporary)
      throw error
    }
    guard rename(temporary, path) == 0 else {
      unlink(temporary)
      throw .unwritable(path, "rename")
    }
    try syncFolder(of: path)
  }

  private static func syncFolder(of path: String) throws(QubusError) {
    let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
    let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard file >= 0 else { throw .unwritable(path, "open its folder") }
    defer { close(file) }
    guard fsync(file) == 0 else { throw .unwritable(path, "fsync its folder") }
  }
}

extension QubusError {
  static func invalidKey(_ path: String, _ reason: String) -> QubusError {
    QubusError(.invalidKey, "key file \(path) \(reason)", details: ["path": path])
  }

  fileprivate static func unreadable(_ path: String, _ call: String) -> QubusError {
    QubusError(
      .storageUnavailable, "key file \(path) cannot be read: \(call): \(systemError())")
  }

  fileprivate static func unwritable(_ path: String, _ call: String) -> QubusError {
    QubusError(
      .storageUnavailable, "key file \(path) cannot be written: \(call): \(systemError())")
  }

  private static func systemError() -> String { String(cString: strerror(errno)) }
}
