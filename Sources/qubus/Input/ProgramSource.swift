internal import Glibc

/// A program's bytes from a file, or from standard input for `-`.
struct ProgramSource {
  /// Beyond this no server takes a program; reading on would only fill the memory.
  static let byteLimit = 256 << 20

  let name: String
  let bytes: [UInt8]

  init(path: String) throws(UsageFailure) {
    name = path == "-" ? "standard input" : path
    let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw UsageFailure(.noInput, "cannot open \(path): \(String(cString: strerror(errno)))")
    }
    defer { if path != "-" { close(descriptor) } }
    bytes = try Self.readAll(descriptor, name: name)
  }

  private static func readAll(_ descriptor: Int32, name: String) throws(UsageFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count == 0 { return bytes }
      if count < 0 {
        if errno == EINTR { continue }
        throw UsageFailure(.noInput, "cannot read \(name): \(String(cString: strerror(errno)))")
      }
      bytes += buffer[..<count]
      guard bytes.count <= byteLimit else {
        throw UsageFailure(.noInput, "\(name) is larger than \(byteLimit >> 20) MiB")
      }
    }
  }
}
