internal import Dispatch
internal import Logging
internal import QubusCore
internal import QubusEngine
internal import QubusTenancy

/// What the transport thread is started with.
struct ServerStart: Sendable {
  let configuration: ServerConfiguration
  let endpoints: [Endpoint]
  let keys: [String: ServerKey]
  let service: any JobService
  let sessions: any SessionService
  let tenancy: any TenancyService
  let admission: any Admission
  let quotas: QuotaKeeper
  let clock: any Clock
  let logger: Logger
  let instanceID: String
}

/// Carries what the transport thread needs to start, and the outcome back.
final class TransportStart: Sendable {
  private let start: ServerStart
  /// Held by the transport thread alone once it runs; the locks live as long as the sockets.
  private let files: Lock<[SocketFile]>
  private let outbox: Outbox
  private let readers: ReaderPool
  private let outcome = Lock<Result<[String], QubusError>?>(nil)
  private let isReady = DispatchSemaphore(value: 0)

  init(_ start: ServerStart, files: [SocketFile], outbox: Outbox, readers: ReaderPool) {
    self.start = start
    self.files = Lock(files)
    self.outbox = outbox
    self.readers = readers
  }

  func wait() -> Result<[String], QubusError> {
    isReady.wait()
    return outcome.withLock { $0 } ?? .failure(QubusError(.internalError, "no outcome"))
  }

  func run() {
    let files = files.withLock { files in
      defer { files = [] }
      return files
    }
    let transport: Transport
    do throws(QubusError) {
      transport = try Transport(start, outbox: outbox, readers: readers, files: files)
    } catch {
      finish(.failure(error))
      return
    }
    do throws(QubusError) {
      // The admission socket is bound: nobody slips in before it answers.
      try transport.listeners.bind(start.endpoints)
    } catch {
      transport.socket.close(lingerMilliseconds: 0)
      finish(.failure(error))
      return
    }
    finish(.success(transport.listeners.bound.map(\.reachable)))
    transport.run()
  }

  private func finish(_ result: Result<[String], QubusError>) {
    outcome.withLock { $0 = result }
    isReady.signal()
  }
}
