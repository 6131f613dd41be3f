package import QubusCore

#if canImport(Glibc)
  internal import Glibc
#endif

/// An address the server may listen on: a file of this machine, a loopback port, or a port on which
/// CURVE tells who calls and hides what is said.
package enum Endpoint: Sendable, Hashable {
  case ipc(path: String)
  /// Plain, hence on loopback only. Port 0 lets the system choose.
  case tcp(host: String, port: UInt16)
  /// - Parameters:
  ///   - host: a numeric address, or `*` for all of the machine's.
  ///   - key: name of the server's key: `NAME.key` in the directory of keys.
  case curve(host: String, port: UInt16, key: String)

  /// Bytes of a Unix socket's path: `sun_path` holds 108 with the final NUL.
  package static let pathLimit = 107
  /// The key of curve endpoints that name none.
  package static let defaultKey = "server"

  /// Reads `ipc:///path`, `tcp://127.0.0.1:port` or `curve://host:port`, the last with `/name`
  /// behind it when its key is another one than `server`. Plain tcp beyond loopback is refused:
  /// nobody could be told apart there.
  /// - Throws: `invalid_configuration` for field `listen`.
  package init(_ text: String) throws(QubusError) {
    if text.hasPrefix("ipc://") {
      self = .ipc(path: try Self.checkedPath(String(text.dropFirst(6)), in: text))
    } else if text.hasPrefix("tcp://") {
      self = try Self.tcp(String(text.dropFirst(6)), in: text)
    } else if text.hasPrefix("curve://") {
      self = try Self.curve(String(text.dropFirst(8)), in: text)
    } else {
      throw Self.invalid(
        "'\(text)' is none of ipc:///path, tcp://127.0.0.1:port and curve://host:port")
    }
  }

  /// As ZeroMQ's bind takes it.
  package var address: String {
    switch self {
    case .ipc(let path): "ipc://\(path)"
    case .tcp(let host, let port), .curve(let host, let port, _):
      "tcp://\(Self.bracketed(host)):\(port == 0 ? "*" : "\(port)")"
    }
  }

  /// As clients name it, with the port that was bound.
  func reachable(at port: UInt16) -> String {
    switch self {
    case .ipc(let path): "ipc://\(path)"
    case .tcp(let host, _): "tcp://\(Self.bracketed(host)):\(port)"
    case .curve(let host, _, _): "curve://\(Self.bracketed(host)):\(port)"
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
    let (host, port) = try hostAndPort(rest, in: text)
    guard let isLoopback = isLoopback(host) else {
      throw invalid("'\(text)': '\(host)' is not a numeric address; use 127.0.0.1 or [::1]")
    }
    guard isLoopback else {
      throw invalid(
        "'\(text)': \(host) is not a loopback address, and plain tcp does not exist beyond one; "
          + "use curve://\(bracketed(host)):\(port), which tells clients apart, or 127.0.0.1"
      )
    }
    return .tcp(host: host, port: port)
  }

  private static func curve(_ rest: String, in text: String) throws(QubusError) -> Endpoint {
    let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    let key = parts.count > 1 ? String(parts[1]) : defaultKey
    guard isKeyName(key) else {
      throw invalid(
        "'\(text)': '\(key.prefix(64))' names no key; a name has 1 to 32 of a-z, 0-9, - and _",
        limit: "32")
    }
    let (host, port) = try hostAndPort(String(parts[0]), in: text)
    guard isLoopback(host) != nil else {
      throw invalid("'\(text)': '\(host)' is neither a numeric address nor *")
    }
    return .curve(host: host, port: port, key: key)
  }

  private static func isKeyName(_ name: String) -> Bool {
    (1...32).contains(name.utf8.count)
      && name.utf8.allSatisfy { byte in
        (97...122).contains(byte) || (48...57).contains(byte) || byte == 45 || byte == 95
      }
  }

  private static func hostAndPort(
    _ rest: String, in text: String
  ) throws(QubusError) -> (host: String, port: UInt16) {
    guard let colon = rest.lastIndex(of: ":"),
      let port = UInt16(rest[rest.index(after: colon)...])
    else { throw invalid("'\(text)': the endpoint needs a port from 0 to 65535") }
    var host = String(rest[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    return (host == "localhost" ? "127.0.0.1" : host, port)
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
    case .curve(let host, let port, let key):
      "curve://\(Self.bracketed(host)):\(port)" + (key == Self.defaultKey ? "" : "/\(key)")
    }
  }
}
