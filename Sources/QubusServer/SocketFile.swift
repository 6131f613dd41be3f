internal import QubusCore

#if canImport(Glibc)
  internal import Glibc
#endif

/// The file of an ipc endpoint: its directory, its permissions, and the lock beside it that tells a
/// live daemon's socket from one left behind. ZeroMQ itself would take over either.
final class SocketFile: Sendable {
  let path: String
  private let lock: Int32

  /// Prepares directory and lock, before the bind.
  /// - Throws: `endpoint_in_use`, `invalid_configuration`.
  init(path: String, group: String?) throws(QubusError) {
    self.path = path
    let directory = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    try Self.prepare(directory: directory.isEmpty ? "/" : directory, group: group)
    let lockPath = path + ".lock"
    lock = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard lock >= 0 else { throw Self.failed("open", lockPath) }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      // `deinit` runs and closes the file: every property is set.
      throw QubusError(
        .endpointInUse, "another daemon listens on ipc://\(path) (it holds \(lockPath))")
    }
  }

  deinit {
    if lock >= 0 { close(lock) }
  }

  /// Sets owner, group and mode of the socket, after the bind.
  func restrict(group: String?) throws(QubusError) {
    if let group {
      guard chown(path, uid_t.max, try Self.groupID(group)) == 0 else {
        throw Self.failed("chgrp", path)
      }
    }
    guard chmod(path, group == nil ? 0o600 : 0o660) == 0 else { throw Self.failed("chmod", path) }
  }

  /// A directory that exists keeps its owner and mode unless a group is asked for; a new one is
  /// private, or open to the group.
  private static func prepare(directory: String, group: String?) throws(QubusError) {
    var info = stat()
    let exists = stat(directory, &info) == 0
    if exists {
      guard info.st_mode & S_IFMT == S_IFDIR else {
        throw .field(.invalidConfiguration, "listen", "\(directory) is no directory")
      }
    } else {
      try create(directory)
    }
    guard let group else { return }
    let identifier = try groupID(group)
    if exists && info.st_gid == identifier && info.st_mode & 0o050 == 0o050 { return }
    guard !exists || info.st_uid == geteuid() else {
      throw .field(
        .invalidConfiguration, "socket-group",
        "\(directory) belongs to another user; its group stays as it is")
    }
    guard chown(directory, uid_t.max, identifier) == 0 else { throw failed("chgrp", directory) }
    guard chmod(directory, 0o750) == 0 else { throw failed("chmod", directory) }
  }

  /// Like `mkdir -p`, mode 0700.
  private static func create(_ directory: String) throws(QubusError) {
    if let slash = directory.lastIndex(of: "/"), slash != directory.startIndex {
      let parent = String(directory[..<slash])
      if access(parent, F_OK) != 0 { try create(parent) }
    }
    guard mkdir(directory, 0o700) == 0 || errno == EEXIST else { throw failed("mkdir", directory) }
  }

  private static func groupID(_ name: String) throws(QubusError) -> gid_t {
    var entry = group()
    var found: UnsafeMutablePointer<group>?
    return try withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16 << 10) { buffer in
      Result<gid_t, QubusError> { () throws(QubusError) in
        guard getgrnam_r(name, &entry, buffer.baseAddress!, buffer.count, &found) == 0,
          found != nil
        else {
          throw .field(.invalidConfiguration, "socket-group", "there is no group \"\(name)\"")
        }
        return entry.gr_gid
      }
    }.get()
  }

  private static func failed(_ action: String, _ path: String) -> QubusError {
    let reason = String(cString: strerror(errno))
    return .field(.invalidConfiguration, "listen", "cannot \(action) \(path): \(reason)")
  }
}
