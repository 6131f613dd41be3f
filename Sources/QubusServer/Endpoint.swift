internal import QubusCore

#if canImport(Glibc)
  internal import Glibc
#endif

/// An address the server may listen on.
enum Endpoint: Equatable {
  case ipc(path: String)
  case tcp(host: String, port: UInt16)

  /// - Throws: `invalid_configuration` for anything but an ipc path that fits or a loopback
  /// address.
  init(_ text: String) throws(QubusError) {
    if text.hasPrefix("ipc://") {
      self = .ipc(path: try Self.checkedPath(String(text.dropFirst(6)), in: text))
    } else if text.hasPrefix("tcp://") {
      self = try Self.tcp(String(text.dropFirst(6)), in: text)
    } else {
      throw Self.invalid(text, "must begin with ipc:// or tcp://")
    }
  }

  /// As ZeroMQ's bind takes it.
  var address: String {
    switch self {
    case .ipc(let path): "ipc://\(path)"
    case .tcp(let host, let port):
      "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port == 0 ? "*" : "\(port)")"
    }
  }

  /// `sun_path` holds 108 bytes with its NUL.
  static let maximumPathBytes = 107

  private static func checkedPath(_ path: String, in text: String) throws(QubusError) -> String {
    guard path.hasPrefix("/") else {
      throw invalid(text, "needs an absolute path, for example ipc:///run/qubus/qubus.sock")
    }
    guard path.utf8.count <= maximumPathBytes else {
      throw invalid(
        text, "has a path of \(path.utf8.count) bytes; choose a shorter directory",
        limit: "\(maximumPathBytes)")
    }
    guard !path.hasSuffix("/"), !path.contains("\0") else {
      throw invalid(text, "names no socket file")
    }
    return path
  }

  private static func tcp(_ rest: String, in text: String) throws(QubusError) -> Endpoint {
    guard let colon = rest.lastIndex(of: ":") else { throw invalid(text, "needs a port") }
    let digits = rest[rest.index(after: colon)...]
    guard let port = digits == "*" ? 0 : UInt16(digits) else {
      throw invalid(text, "needs a port", limit: "0 to 65535")
    }
    var host = String(rest[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    if host == "localhost" { host = "127.0.0.1" }
    guard isLoopback(host) else {
      throw invalid(
        text, "is not a loopback address; others are refused until authentication exists",
        limit: "127.0.0.0/8, ::1 or localhost")
    }
    return .tcp(host: host, port: port)
  }

  private static func isLoopback(_ host: String) -> Bool {
    var four = in_addr()
    if inet_pton(AF_INET, host, &four) == 1 { return UInt32(bigEndian: four.s_addr) >> 24 == 127 }
    var six = in6_addr()
    guard inet_pton(AF_INET6, host, &six) == 1 else { return false }
    return withUnsafeBytes(of: six) { $0.dropLast().allSatisfy { $0 == 0 } && $0.last == 1 }
  }

  private static func invalid(_ text: String, _ why: String, limit: String = "") -> QubusError {
    .field(.invalidConfiguration, "listen", "\"\(text)\" \(why)", limit: limit)
  }
}
