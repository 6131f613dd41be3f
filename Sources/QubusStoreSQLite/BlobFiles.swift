internal import Glibc
internal import QubusCore

/// Content-addressed files of large results, `blobs/ab/<sha256>`, written once and never changed.
struct BlobFiles: Sendable {
  let root: String
  let claims: BlobClaims

  init(root: String, claims: BlobClaims = BlobClaims()) {
    self.root = root
    self.claims = claims
  }

  func path(of sha256: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    let name = String(
      decoding: sha256.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    return "\(root)/\(name.prefix(2))/\(name)"
  }

  /// Writes a file and makes it and its directory entry durable, so that a transaction may name it.
  /// - Returns: what keeps the file until that transaction is committed.
  func write(_ bytes: [UInt8], sha256: [UInt8]) throws(SQLiteFailure) -> BlobClaim {
    let claim = claims.claim(sha256)
    let final = path(of: sha256)
    let folder = String(final.prefix(final.utf8.count - 65))
    if mkdir(folder, 0o700) == 0 {
      try Self.syncDirectory(root)
    } else if errno != EEXIST {
      throw Self.failure("cannot create \(folder)")
    }
    let temporary = final + ".tmp"
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw Self.failure("cannot create \(temporary)") }
    do throws(SQLiteFailure) {
      try Self.writeAll(bytes, to: file)
      guard fsync(file) == 0 else { throw Self.syncFailure("fsync of \(temporary)") }
    } catch {
      close(file)
      unlink(temporary)
      throw error
    }
    close(file)
    guard rename(temporary, final) == 0 else { throw Self.failure("cannot name \(final)") }
    try Self.syncDirectory(folder)
    return claim
  }

  /// Names of all files that are whole.
  func names() -> [[UInt8]] {
    Self.entries(root).flatMap { folder in
      Self.entries("\(root)/\(folder)").compactMap { Hexadecimal.bytes($0) }
    }
  }

  /// Removes one file; one that is not there is as good.
  func remove(_ name: [UInt8]) throws(SQLiteFailure) {
    let path = path(of: name)
    guard unlink(path) == 0 || errno == ENOENT else { throw Self.failure("cannot remove \(path)") }
    try Self.syncDirectory(String(path.prefix(path.utf8.count - 65)))
  }

  /// Removes the files whose names are meant, and what an interrupted write left.
  func removeAll(where isMeant: ([UInt8]) -> Bool) throws(SQLiteFailure) {
    for folder in Self.entries(root) {
      var hasRemoved = false
      for name in Self.entries("\(root)/\(folder)") {
        let sum = Hexadecimal.bytes(name)
        guard sum.map(isMeant) ?? name.hasSuffix(".tmp") else { continue }
        guard unlink("\(root)/\(folder)/\(name)") == 0 else {
          throw Self.failure("cannot remove \(root)/\(folder)/\(name)")
        }
        hasRemoved = true
      }
      if hasRemoved { try Self.syncDirectory("\(root)/\(folder)") }
    }
  }

  static func entries(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// `count` bytes at `offset`, or nil when the file is missing or too short.
  func read(sha256: [UInt8], offset: UInt64, count: Int) -> [UInt8]? {
    let file = open(path(of: sha256), O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, UInt64(status.st_size) >= offset + UInt64(count) else {
      return nil
    }
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
      while done < count {
        let got = pread(
          file, buffer.baseAddress! + done, count - done, off_t(offset) + off_t(done))
        if got < 0 && errno == EINTR { continue }
        guard got > 0 else { return }
        done += got
      }
    }
    return bytes.count == count ? bytes : nil
  }

  static func writeAll(_ bytes: [UInt8], to file: Int32) throws(SQLiteFailure) {
    var done = 0
    while done < bytes.count {
      let wrote = bytes.withUnsafeBytes {
        Glibc.write(file, $0.baseAddress! + done, $0.count - done)
      }
      if wrote < 0 {
        if errno == EINTR { continue }
        throw failure("cannot write a result file")
      }
      done += wrote
    }
  }

  static func syncDirectory(_ path: String) throws(SQLiteFailure) {
    let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw failure("cannot open \(path)") }
    defer { close(directory) }
    guard fsync(directory) == 0 else { throw syncFailure("fsync of \(path)") }
  }

  // The codes of SQLite, so that one place decides what is fatal.
  private static func failure(_ what: String) -> SQLiteFailure {
    let code = errno
    return SQLiteFailure(
      code: 10 | 3 << 8, message: "\(what): \(String(cString: strerror(code)))", systemError: code)
  }

  private static func syncFailure(_ what: String) -> SQLiteFailure {
    let code = errno
    return SQLiteFailure(
      code: SQLiteFailure.fsync, message: "\(what): \(String(cString: strerror(code)))",
      systemError: code)
  }
}
