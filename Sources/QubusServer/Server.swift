internal import Dispatch
package import Logging
package import QubusCore
package import QubusEngine

#if canImport(Glibc)
  internal import Glibc
#endif

/// The daemon's face on the wire: listens on its endpoints and serves the methods of protocol
/// version 1 with what `service` and
/// `sessions` do.
package final class Server: Sendable {
  private struct State {
    var thread: pthread_t?
    var isClosed = false
  }

  /// Changes whenever the daemon starts.
  package let instanceID: String
  /// Where it listens, with the real ports.
  package let endpoints: [String]
  private let outbox: Outbox
  private let readers: ReaderPool
  private let state: Lock<State>

  /// Binds and starts; when it returns, clients are served.
  /// - Throws: `invalid_configuration` (path too long, address not loopback, unknown group),
  ///   `endpoint_in_use`.
  package init(
    configuration: ServerConfiguration, service: any JobService, sessions: any SessionService,
    clock: any Clock, logger: Logger
  ) throws(QubusError) {
    Descriptors.raiseLimit()
    guard !configuration.endpoints.isEmpty else {
      throw .field(.invalidConfiguration, "listen", "at least one endpoint is needed")
    }
    var parsed: [Endpoint] = []
    for text in configuration.endpoints { parsed.append(try Endpoint(text)) }
    var files: [SocketFile] = []
    for case .ipc(let path) in parsed {
      files.append(try SocketFile(path: path, group: configuration.socketGroup))
    }
    instanceID = IdentifierSource(clock: clock).next().description
    outbox = try Outbox()
    readers = try ReaderPool(
      threads: configuration.readerThreads, capacity: configuration.callsInFlight)
    let start = TransportStart(
      configuration: configuration, endpoints: parsed, files: files, service: service,
      sessions: sessions, clock: clock, logger: logger, instanceID: instanceID, outbox: outbox,
      readers: readers)
    let thread = ServerThread.start(name: "qubus-transport") { start.run() }
    let outcome =
      thread == nil
      ? .failure(QubusError(.serverOverloaded, "the system gives no more threads"))
      : start.wait()
    state = Lock(State(thread: thread))
    switch outcome {
    case .success(let bound): endpoints = bound
    case .failure(let error):
      endpoints = []
      if let thread { pthread_join(thread, nil) }
      state.withLock { $0.isClosed = true }
      readers.close()
      throw error
    }
  }

  /// Tells clients that the server stops and takes no new work; calls in flight go on.
  package func announceStop() { outbox.push(.stopping) }

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

/// Carries what the transport thread needs to start, and the outcome back.
private final class TransportStart: Sendable {
  private let configuration: ServerConfiguration
  private let endpoints: [Endpoint]
  /// Held by the transport thread alone once it runs; the locks live as long as the sockets.
  private let files: Lock<[SocketFile]>
  private let service: any JobService
  private let sessions: any SessionService
  private let clock: any Clock
  private let logger: Logger
  private let instanceID: String
  private let outbox: Outbox
  private let readers: ReaderPool
  private let outcome = Lock<Result<[String], QubusError>?>(nil)
  private let isReady = DispatchSemaphore(value: 0)

  init(
    configuration: ServerConfiguration, endpoints: [Endpoint], files: [SocketFile],
    service: any JobService, sessions: any SessionService, clock: any Clock, logger: Logger,
    instanceID: String, outbox: Outbox, readers: ReaderPool
  ) {
    self.configuration = configuration
    self.endpoints = endpoints
    self.files = Lock(files)
    self.service = service
    self.sessions = sessions
    self.clock = clock
    self.logger = logger
    self.instanceID = instanceID
    self.outbox = outbox
    self.readers = readers
  }

  func wait() -> Result<[String], QubusError> {
    isReady.wait()
    return outcome.withLock { $0 } ?? .failure(QubusError(.internalError, "no outcome"))
  }

  func run() {
    let transport: Transport
    do throws(QubusError) {
      transport = try Transport(
        configuration: configuration, service: service, sessions: sessions, clock: clock,
        logger: logger, instanceID: instanceID, outbox: outbox, readers: readers)
    } catch {
      finish(.failure(error))
      return
    }
    do throws(QubusError) {
      finish(.success(try bind(transport)))
    } catch {
      transport.socket.close(lingerMilliseconds: 0)
      finish(.failure(error))
      return
    }
    transport.run()
    files.withLock { $0 = [] }
  }

  private func bind(_ transport: Transport) throws(QubusError) -> [String] {
    var bound: [String] = []
    for endpoint in endpoints { bound.append(try transport.socket.bind(endpoint)) }
    try files.withLock { files in
      Result { () throws(QubusError) in
        for file in files { try file.restrict(group: configuration.socketGroup) }
      }
    }.get()
    return bound
  }

  private func finish(_ result: Result<[String], QubusError>) {
    outcome.withLock { $0 = result }
    isReady.signal()
  }
}
