internal import Glibc

/// Small text files.
enum TextFile {
  /// The file's bytes as text; nil when it cannot be read, is longer, or is not UTF-8.
  static func read(_ path: String, byteLimit: Int) -> String? {
    guard case .success(let bytes) = bytes(path, byteLimit: byteLimit) else { return nil }
    return String(validating: bytes, as: UTF8.self)
  }

  struct Failure: Error {
    let message: String
  }

  static func bytes(_ path: String, byteLimit: Int) -> Result<[UInt8], Failure> {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return .failure(Failure(message: String(cString: strerror(errno)))) }
    defer { close(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    var count = 0
    repeat {
      count = Glibc.read(file, &buffer, buffer.count)
      if count < 0 { return .failure(Failure(message: String(cString: strerror(errno)))) }
      bytes += buffer[..<count]
      if bytes.count > byteLimit {
        return .failure(Failure(message: "it is larger than \(byteLimit) bytes"))
      }
    } while count > 0
    return .success(bytes)
  }
}
