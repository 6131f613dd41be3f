internal import Glibc

/// Whole files.
enum FileBytes {
  /// - Throws: exit status 66 when it cannot be read.
  static func read(_ path: String) throws(UsageFailure) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(.noInput, "open", path) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count == 0 { return bytes }
      if count < 0 {
        if errno == EINTR { continue }
        throw failure(.noInput, "read", path)
      }
      bytes += buffer[..<count]
    }
  }

  /// Durable, for its owner alone, and under its name only when it is whole. What lies under the
  /// partial name is not written into: it may be a link, or somebody else's to read.
  /// - Throws: exit status 74.
  static func write(_ bytes: [UInt8], to path: String) throws(UsageFailure) {
    let partial = path + ".partial"
    unlink(partial)
    let descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw failure(.inputOutput, "make", partial) }
    var isWritten = writeAll(bytes, to: descriptor) && fsync(descriptor) == 0
    isWritten = close(descriptor) == 0 && isWritten
    guard isWritten, rename(partial, path) == 0 else {
      let error = failure(.inputOutput, "write", path)
      unlink(partial)
      throw error
    }
  }

  /// - Throws: exit status 74 when there is no folder and none can be made.
  static func makeFolder(_ path: String) throws(UsageFailure) {
    guard mkdir(path, 0o700) != 0, errno != EEXIST else { return }
    throw failure(.inputOutput, "make", path)
  }

  private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        return false
      }
      rest = rest.dropFirst(count)
    }
    return true
  }

  private static func failure(
    _ status: ExitStatus, _ verb: String, _ path: String
  ) -> UsageFailure {
    UsageFailure(status, "cannot \(verb) \(path): \(String(cString: strerror(errno)))")
  }
}
