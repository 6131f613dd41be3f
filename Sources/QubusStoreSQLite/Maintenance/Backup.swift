internal import Foundation
internal import GRDB
internal import Glibc
package import QubusCore
internal import QubusTenancy

/// Copies a store while a daemon works on it, or puts a copy in the place of a store.
///
/// The database is copied as of one moment (`VACUUM INTO` in one read transaction), then every file
/// of results that the copy names: files are written before a row names them and are never changed.
/// The copy gets its name when all of it is durable and passed its check, so that a folder of that
/// name is a whole backup.
package struct Backup: Sendable {
  package struct Report: Sendable, Hashable {
    package var jobs: Int
    package var files: Int
    /// Last record of the audit and its hash, to be kept with the backup.
    package var auditRecords: UInt64
    package var auditHead: [UInt8]
    package var isEncrypted: Bool
  }

  static let databaseName = "qubus.sqlite"
  /// What makes it the same service: who signs checkpoints, and who clients talk to. Tokens live
  /// too short to be worth it.
  static let keyNames = ["audit.key", "server.key"]

  package init() {}

  /// - Parameter target: folder that does not exist yet.
  /// - Throws: `data_directory_corrupt` without a store, `data_directory_not_writable`,
  ///   `backup_invalid` when the copy fails its check, `disk_full`.
  package func make(of directory: String, to target: String) throws(QubusError) -> Report {
    try OfflineStore.mustExist(directory)
    return try build(target) { (folder) throws(QubusError) in
      try copyDatabase(from: directory + "/" + Self.databaseName, to: folder)
      try copyRest(from: directory, to: folder)
    }
  }

  /// Puts a backup where no store is.
  /// - Throws: `backup_invalid`, before anything is in place; `data_directory_not_writable` when
  ///   the directory exists and is not empty; `disk_full`.
  package func restore(_ source: String, to directory: String) throws(QubusError) -> Report {
    _ = try BackupCheck(folder: source).run()
    return try build(directory) { (folder) throws(QubusError) in
      try copy(source + "/" + Self.databaseName, to: folder + "/" + Self.databaseName)
      try copyRest(from: source, to: folder)
    }
  }

  private func build(
    _ target: String, _ fill: (String) throws(QubusError) -> Void
  ) throws(QubusError) -> Report {
    guard rmdir(target) == 0 || errno == ENOENT else {
      throw QubusError(
        .dataDirectoryNotWritable,
        "\(target) exists and is no empty folder: \(String(cString: strerror(errno)))")
    }
    let folder = target + ".partial"
    try? FileManager.default.removeItem(atPath: folder)
    guard mkdir(folder, 0o700) == 0, mkdir(folder + "/blobs", 0o700) == 0 else {
      throw Self.failure("cannot create \(folder)")
    }
    do throws(QubusError) {
      try fill(folder)
      let report = try BackupCheck(folder: folder).run()
      try Self.sync(folder)
      guard rename(folder, target) == 0 else { throw Self.failure("cannot name \(target)") }
      do throws(SQLiteFailure) {
        try BlobFiles.syncDirectory(
          URL(fileURLWithPath: target).deletingLastPathComponent().path)
      } catch { throw error.error(at: target) }
      return report
    } catch {
      try? FileManager.default.removeItem(atPath: folder)
      throw error
    }
  }

  /// Read only: the daemon's writer alone checkpoints, and goes on while this reads.
  private func copyDatabase(from source: String, to folder: String) throws(QubusError) {
    let target = folder + "/" + Self.databaseName
    var configuration = Configuration()
    configuration.readonly = true
    configuration.busyMode = .timeout(30)
    configuration.label = "qubus.backup"
    do {
      let database = try DatabaseQueue(path: source, configuration: configuration)
      defer { try? database.close() }
      try database.unsafeRead { db in
        try db.execute(sql: "VACUUM INTO ?", arguments: [target])
      }
    } catch { throw SQLiteFailure(error).error(at: target) }
    guard chmod(target, 0o600) == 0 else { throw Self.failure("cannot protect \(target)") }
  }

  private func copyRest(from source: String, to folder: String) throws(QubusError) {
    for name in try BackupCheck(folder: folder).files() {
      let inner = "/blobs/\(name.prefix(2))"
      if mkdir(folder + inner, 0o700) != 0, errno != EEXIST {
        throw Self.failure("cannot create \(folder + inner)")
      }
      try copy("\(source)\(inner)/\(name)", to: "\(folder)\(inner)/\(name)")
    }
    for name in Self.keyNames where access(source + "/" + name, F_OK) == 0 {
      try copy(source + "/" + name, to: folder + "/" + name)
    }
  }

  private func copy(_ source: String, to target: String) throws(QubusError) {
    let input = open(source, O_RDONLY | O_CLOEXEC)
    guard input >= 0 else {
      throw QubusError(
        .backupInvalid, "\(source) cannot be read: \(String(cString: strerror(errno)))")
    }
    defer { close(input) }
    let output = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard output >= 0 else { throw Self.failure("cannot create \(target)") }
    defer { close(output) }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = read(input, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Self.failure("cannot read \(source)") }
      if count == 0 { break }
      do throws(SQLiteFailure) {
        try BlobFiles.writeAll(Array(buffer[..<count]), to: output)
      } catch { throw error.error(at: target) }
    }
    guard fsync(output) == 0 else { throw Self.failure("cannot sync \(target)") }
  }

  private static func sync(_ folder: String) throws(QubusError) {
    let database = open(folder + "/" + databaseName, O_RDONLY | O_CLOEXEC)
    guard database >= 0, fsync(database) == 0 else { throw failure("cannot sync \(folder)") }
    close(database)
    do throws(SQLiteFailure) {
      for name in BlobFiles.entries(folder + "/blobs") {
        try BlobFiles.syncDirectory(folder + "/blobs/" + name)
      }
      try BlobFiles.syncDirectory(folder + "/blobs")
      try BlobFiles.syncDirectory(folder)
    } catch { throw error.error(at: folder) }
  }

  private static func failure(_ what: String) -> QubusError {
    let code = errno
    let cause = String(cString: strerror(code))
    return SQLiteFailure.isNoSpace(code)
      ? QubusError(.diskFull, "\(what): \(cause)")
      : QubusError(.dataDirectoryNotWritable, "\(what): \(cause)")
  }
}
