package import QubusCore

#if canImport(Glibc)
  internal import Glibc
#endif

/// An address the server may listen on: a file of this machine or a loopback port.
package enum Endpoint: Sendable, Hashable {
  case ipc(path: String)
  /// Port 0 lets the system choose.
  case tcp(host: String, port: UInt16)

  /// Bytes of a Unix socket's path: `sun_path` holds 108 with the final NUL.
  package static let pathLimit = 107

  /// Reads `ipc:///path` or `tcp://127.0.0.1:port`; anything that is not of this machine is
  /// refused, because nobody could be told apart there yet.
  /// - Throws: `invalid_configuration` for field `listen`.
  package init(_ text: String) throws(QubusError) {
    if text.hasPrefix("ipc://") {
      self = .ipc(path: try Self.checkedPath(String(text.dropFirst(6)), in: text))
    } else if text.hasPrefix("tcp://") {
      self = try Self.tcp(String(text.dropFirst(6)), in: text)
    } else {
      throw Self.invalid("'\(text)' is neither ipc:///path nor tcp://127.0.0.1:port")
    }
  }

  /// As ZeroMQ's bind takes it.
  package var address: String {
    switch self {
    case .ipc(let path): "ipc://\(path)"
    case .tcp(let host, let port): "tcp://\(Self.bracketed(host)):\(port == 0 ? "*" : "\(port)")"
    }
  }

  private static func bracketed(_ host: String) -> String {
    host.contains(":") ? "[\(host)]" : host
  }

  private static func checkedPath(_ path: String, in text: String) throws(QubusError) -> String {
    guard path.hasPrefix("/"), !path.hasSuffix("/"), !path.contains("\0") else {
      throw invalid("'\(text)': the path of an ipc endpoint must be absolute and name a file")
    }
    guard path.utf8.count <= pathLimit else {
      throw invalid(
        "'\(text)': the path has \(path.utf8.count) bytes; choose a shorter directory",
        limit: "\(pathLimit)")
    }
    return path
  }

  private static func tcp(_ rest: String, in text: String) throws(QubusError) -> Endpoint {
    guard let colon = rest.lastIndex(of: ":"),
      let port = UInt16(rest[rest.index(after: colon)...])
    else { throw invalid("'\(text)': a tcp endpoint needs a port from 0 to 65535") }
    var host = String(rest[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    if host == "localhost" { host = "127.0.0.1" }
    guard let isLoopback = isLoopback(host) else {
      throw invalid("'\(text)': '\(host)' is not a numeric address; use 127.0.0.1 or [::1]")
    }
    guard isLoopback else {
      throw invalid(
        "'\(text)': \(host) is not a loopback address; the network is refused until "
          + "authentication exists; use 127.0.0.1 or [::1]")
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

  private static func invalid(_ why: String, limit: String = "") -> QubusError {
    .field(.invalidConfiguration, "listen", why, limit: limit)
  }
}

extension Endpoint: CustomStringConvertible {
  package var description: String {
    switch self {
    case .ipc(let path): "ipc://\(path)"
    case .tcp(let host, let port): "tcp://\(Self.bracketed(host)):\(port)"
    }
  }
}
