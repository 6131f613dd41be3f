internal import GRDB
internal import Glibc
internal import QubusCore

/// The daemon's directory: made private, locked against a second daemon, refused when it is newer.
final class DataDirectory: Sendable {
  let path: String
  private let lock: Lock<Int32>

  var databasePath: String { path + "/qubus.sqlite" }
  private let claims = BlobClaims()
  var blobs: BlobFiles { BlobFiles(root: path + "/blobs", claims: claims) }

  /// Creates what is missing (directories 0700, files 0600) and takes the lock.
  /// - Throws: `data_directory_not_writable`, `data_directory_locked`,
  ///   `data_directory_newer_version`, `data_directory_corrupt`, `disk_full`.
  init(path: String) throws(QubusError) {
    self.path = path
    try Self.makeDirectories(path)
    let file = try Self.openPrivate(path + "/qubus.lock")
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
      let holder = Self.readText(file)
      close(file)
      throw QubusError(
        .dataDirectoryLocked, "\(path) is in use by process \(holder)", details: ["pid": holder])
    }
    lock = Lock(file)
    ftruncate(file, 0)
    let pid = Array("\(getpid())\n".utf8)
    pwrite(file, pid, pid.count, 0)
    do throws(QubusError) {
      try refuseForeignFile()
      try Self.makeDirectories(blobs.root)
      close(try Self.openPrivate(databasePath))
      try makeDurable()
    } catch {
      release()
      throw error
    }
  }

  deinit { release() }

  /// Lets another daemon in. The file stays: removing it would let two hold a lock each.
  func release() {
    lock.withLock { file in
      if file >= 0 { close(file) }
      file = -1
    }
  }

  static func newerVersion(_ path: String, found: Int) -> QubusError {
    QubusError(
      .dataDirectoryNewerVersion,
      "\(path) has schema version \(found), this daemon (\(Versions.server)) knows up to"
        + " \(Schema.version); it was left untouched",
      details: ["found": String(found), "known": String(Schema.version)])
  }

  /// Looks at the header before SQLite opens the file, because opening already changes it.
  private func refuseForeignFile() throws(QubusError) {
    let file = open(databasePath, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { return }
      throw Self.failure(databasePath)
    }
    defer { close(file) }
    var header = [UInt8](repeating: 0, count: 100)
    let count = pread(file, &header, 100, 0)
    if count == 0 { return }
    guard count == 100, header.starts(with: Array("SQLite format 3\0".utf8)) else {
      throw QubusError(.dataDirectoryCorrupt, "\(databasePath) is not a database")
    }
    let word = { (offset: Int) in
      header[offset..<offset + 4].reduce(Int32(0)) { $0 << 8 | Int32($1) }
    }
    guard word(68) == 0 || word(68) == Schema.applicationID else {
      throw QubusError(.dataDirectoryCorrupt, "\(databasePath) belongs to another program")
    }
    guard word(60) <= Schema.version else {
      throw Self.newerVersion(path, found: Int(word(60)))
    }
  }

  /// The names just made have to survive a power cut as much as what is written under them.
  private func makeDurable() throws(QubusError) {
    do throws(SQLiteFailure) {
      try BlobFiles.syncDirectory(path)
      try BlobFiles.syncDirectory(path + "/..")
    } catch { throw error.error(at: path) }
  }

  private static func makeDirectories(_ path: String) throws(QubusError) {
    var prefix = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      prefix += "/" + part
      guard mkdir(prefix, 0o700) != 0 else { continue }
      // A parent that may not be written is no fault as long as it exists.
      let code = errno
      guard access(prefix, F_OK) == 0 else { throw failure(prefix, code: code) }
    }
  }

  private static func openPrivate(_ path: String) throws(QubusError) -> Int32 {
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw failure(path) }
    return file
  }

  private static func failure(_ path: String, code: Int32 = errno) -> QubusError {
    let cause = String(cString: strerror(code))
    if SQLiteFailure.isNoSpace(code) {
      return QubusError(.diskFull, "no space to create \(path)", cause: cause)
    }
    return QubusError(.dataDirectoryNotWritable, "cannot write \(path): \(cause)", cause: cause)
  }

  private static func readText(_ file: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 32)
    let count = max(0, pread(file, &bytes, 32, 0))
    let digits = bytes.prefix(count).prefix { $0 >= 48 && $0 <= 57 }
    return digits.isEmpty ? "unknown" : String(decoding: digits, as: UTF8.self)
  }
}
