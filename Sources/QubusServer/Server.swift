internal import CAccept
internal import Dispatch
package import Logging
package import QubusCore
package import QubusEngine
package import QubusTenancy

#if canImport(Glibc)
  internal import Glibc
#endif

/// The daemon's face on the wire: listens on its endpoints and serves the methods of protocol
/// version 1 with what `service`, `sessions` and `tenancy` do, to those whom `admission` knows.
package final class Server: Sendable {
  private struct State {
    var thread: pthread_t?
    var isClosed = false
  }

  /// Changes whenever the daemon starts.
  package let instanceID: String
  /// Where it listens, with the real ports.
  package let endpoints: [String]
  /// The public keys of curve endpoints, by endpoint.
  package let publicKeys: [String: String]
  private let outbox: Outbox
  private let readers: ReaderPool
  private let state: Lock<State>

  /// Binds and starts; when it returns, clients are served.
  /// - Throws: `invalid_configuration` (path too long, plain address not loopback, unknown group),
  ///   `invalid_key`, `endpoint_in_use`.
  package init(
    configuration: ServerConfiguration, service: any JobService, sessions: any SessionService,
    tenancy: any TenancyService, admission: any Admission, quotas: QuotaKeeper = QuotaKeeper(),
    clock: any Clock, logger: Logger
  ) throws(QubusError) {
    Descriptors.raiseLimit()
    if configuration.unadmittedAtOnce > 0 {
      qubus_accept_limit(configuration.unadmittedAtOnce, configuration.unadmittedPerSecond)
    }
    guard !configuration.endpoints.isEmpty else {
      throw .field(.invalidConfiguration, "listen", "at least one endpoint is needed")
    }
    var parsed: [Endpoint] = []
    for text in configuration.endpoints { parsed.append(try Endpoint(text)) }
    let keys = try Self.keys(of: parsed, configuration)
    var files: [SocketFile] = []
    for case .ipc(let path) in parsed {
      files.append(try SocketFile(path: path, group: configuration.socketGroup))
    }
    instanceID = IdentifierSource(clock: clock).next().description
    outbox = try Outbox()
    readers = try ReaderPool(
      threads: configuration.readerThreads, capacity: configuration.callsInFlight)
    let start = TransportStart(
      ServerStart(
        configuration: configuration, endpoints: parsed, keys: keys, service: service,
        sessions: sessions, tenancy: tenancy, admission: admission, quotas: quotas, clock: clock,
        logger: logger, instanceID: instanceID), files: files, outbox: outbox, readers: readers)
    let thread = ServerThread.start(name: "qubus-transport") { start.run() }
    let outcome =
      thread == nil
      ? .failure(QubusError(.serverOverloaded, "the system gives no more threads"))
      : start.wait()
    state = Lock(State(thread: thread))
    switch outcome {
    case .success(let bound):
      endpoints = bound
      publicKeys = Self.publicKeys(parsed, bound, keys)
    case .failure(let error):
      (endpoints, publicKeys) = ([], [:])
      if let thread { pthread_join(thread, nil) }
      state.withLock { $0.isClosed = true }
      readers.close()
      throw error
    }
  }

  private static func keys(
    of endpoints: [Endpoint], _ configuration: ServerConfiguration
  ) throws(QubusError) -> [String: ServerKey] {
    var keys: [String: ServerKey] = [:]
    for case .curve(_, _, let name) in endpoints where keys[name] == nil {
      guard let directory = configuration.keyDirectory else {
        throw .field(.invalidConfiguration, "listen", "a curve endpoint needs a directory of keys")
      }
      keys[name] = try ServerKey(name: name, directory: directory)
    }
    return keys
  }

  private static func publicKeys(
    _ endpoints: [Endpoint], _ bound: [String], _ keys: [String: ServerKey]
  ) -> [String: String] {
    var found: [String: String] = [:]
    for (endpoint, reachable) in zip(endpoints, bound) {
      if case .curve(_, _, let name) = endpoint { found[reachable] = keys[name]?.publicKey }
    }
    return found
  }

  /// Tells that `admission` may answer otherwise now: who was revoked is cut off at once, not with
  /// the next message.
  package func rightsChanged() { outbox.push(.rightsChanged) }

  /// Tells clients that the server stops and takes no new work; calls in flight go on.
  package func announceStop() { outbox.push(.stopping) }

  /// Ends the listening as if the answers to handshakes had failed, for tests.
  func loseDoor() { outbox.push(.doorLost) }

  /// Finishes calls in flight, within the configured grace, and closes the endpoints. Blocks;
  /// never call it on the cooperative pool. Idempotent.
  package func close() {
    let thread = state.withLock { state -> pthread_t? in
      guard !state.isClosed else { return nil }
      state.isClosed = true
      return state.thread
    }
    guard let thread else { return }
    outbox.push(.closing)
    pthread_join(thread, nil)
    readers.close()
  }

  deinit { close() }
}
