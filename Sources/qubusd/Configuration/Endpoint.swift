internal import Glibc

/// An address the daemon listens on.
enum Endpoint: Sendable, Hashable {
  case ipc(path: String)
  /// Port 0 lets the system choose.
  case tcp(host: String, port: UInt16)

  struct Failure: Error {
    let message: String
  }

  /// Bytes of a Unix socket's path, without the final NUL.
  static let pathLimit = 107

  /// Reads `ipc:///path` or `tcp://127.0.0.1:port`; anything that is not of this machine is
  /// refused, because nobody could be told apart there yet.
  init(_ text: String) throws(Failure) {
    if text.hasPrefix("ipc://") {
      self = try Self.ipc(String(text.dropFirst(6)), text)
    } else if text.hasPrefix("tcp://") {
      self = try Self.tcp(String(text.dropFirst(6)), text)
    } else {
      throw Failure(message: "'\(text)' is neither ipc:///path nor tcp://127.0.0.1:port")
    }
  }

  private static func ipc(_ path: String, _ text: String) throws(Failure) -> Endpoint {
    guard path.hasPrefix("/"), !path.hasSuffix("/") else {
      throw Failure(
        message: "'\(text)': the path of an ipc endpoint must be absolute and name a file")
    }
    guard path.utf8.count <= pathLimit else {
      throw Failure(
        message: "'\(text)': the path has \(path.utf8.count) bytes (limit: \(pathLimit))")
    }
    return .ipc(path: path)
  }

  private static func tcp(_ address: String, _ text: String) throws(Failure) -> Endpoint {
    guard let colon = address.lastIndex(of: ":"),
      let port = UInt16(address[address.index(after: colon)...])
    else { throw Failure(message: "'\(text)': a tcp endpoint needs a port from 0 to 65535") }
    var host = String(address[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    if host == "localhost" { host = "127.0.0.1" }
    guard let isLoopback = isLoopback(host) else {
      throw Failure(
        message: "'\(text)': '\(host)' is not a numeric address; use 127.0.0.1 or [::1]")
    }
    guard isLoopback else {
      throw Failure(
        message: "'\(text)': \(host) is not a loopback address; the network is refused until "
          + "clients can be authenticated there; use 127.0.0.1 or [::1]")
    }
    return .tcp(host: host, port: port)
  }

  /// nil when `host` is no numeric address.
  private static func isLoopback(_ host: String) -> Bool? {
    var four = in_addr()
    if inet_pton(AF_INET, host, &four) == 1 { return UInt32(bigEndian: four.s_addr) >> 24 == 127 }
    var six = in6_addr()
    guard inet_pton(AF_INET6, host, &six) == 1 else { return host == "*" ? false : nil }
    return withUnsafeBytes(of: six) { $0.dropLast().allSatisfy { $0 == 0 } && $0.last == 1 }
  }
}

extension Endpoint: CustomStringConvertible {
  var description: String {
    switch self {
    case .ipc(let path): "ipc://\(path)"
    case .tcp(let host, let port): "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }
  }
}
