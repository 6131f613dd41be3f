internal import CZeroMQ
internal import QubusCore

#if canImport(Glibc)
  internal import Glibc
#endif

/// What the server listens on: the endpoints with their keys and socket files. Of one thread.
final class Listeners {
  private let socket: RouterSocket
  private let configuration: ServerConfiguration
  private let keys: [String: ServerKey]
  private let files: [SocketFile]
  private(set) var bound: [RouterSocket.Bound] = []

  /// How often a bind is tried again while ZeroMQ still closes the listener before it.
  private static let attempts = 1000
  private static let pauseMicroseconds: UInt32 = 1000

  init(
    _ socket: RouterSocket, _ configuration: ServerConfiguration, keys: [String: ServerKey],
    files: [SocketFile]
  ) {
    self.socket = socket
    self.configuration = configuration
    self.keys = keys
    self.files = files
  }

  /// Those over TCP.
  var ports: Set<UInt16> { Set(bound.map(\.port).filter { $0 > 0 }) }

  func bind(_ endpoints: [Endpoint]) throws(QubusError) {
    for endpoint in endpoints { bound.append(try bind(endpoint)) }
    for file in files { try file.restrict(group: configuration.socketGroup) }
  }

  private func bind(_ endpoint: Endpoint) throws(QubusError) -> RouterSocket.Bound {
    guard case .curve(_, _, let name) = endpoint else {
      return try socket.bind(endpoint, key: nil)
    }
    guard let key = keys[name] else {
      throw QubusError(.internalError, "the key \(name) of \(endpoint) was not read")
    }
    return try socket.bind(endpoint, key: key)
  }

  /// Ends the listening everywhere; every connection goes with it.
  func unbind() {
    for bound in bound { socket.unbind(bound) }
    bound = []
  }

  /// Closes every connection, which frees what ZeroMQ holds of their messages, and listens again at
  /// the same places.
  func rebind() throws(QubusError) {
    let before = bound
    unbind()
    for old in before { bound.append(try bindAgain(old)) }
    for file in files { try file.restrict(group: configuration.socketGroup) }
  }

  private func bindAgain(_ old: RouterSocket.Bound) throws(QubusError) -> RouterSocket.Bound {
    let endpoint = old.endpoint.fixed(port: old.port)
    var attempt = 0
    while true {
      do throws(QubusError) {
        return try bind(endpoint)
      } catch {
        attempt += 1
        guard error.code == .endpointInUse, attempt < Self.attempts else { throw error }
        usleep(Self.pauseMicroseconds)
      }
    }
  }
}

extension Endpoint {
  /// The same, with the port that the system chose.
  fileprivate func fixed(port: UInt16) -> Endpoint {
    switch self {
    case .ipc: self
    case .tcp(let host, _): .tcp(host: host, port: port)
    case .curve(let host, _, let key): .curve(host: host, port: port, key: key)
    }
  }
}
