internal import CZeroMQ
internal import QubusCore
internal import QubusEngine
internal import QubusJobs

#if canImport(Glibc)
  internal import Glibc
#endif

/// Names one call for as long as the daemon runs, also after its id was used again.
struct CallKey: Hashable, Sendable {
  let connection: UInt32
  let callID: UInt64
  let serial: UInt64
}

/// What other threads tell the transport.
enum TransportEvent: Sendable {
  case answered(CallKey, Answer)
  case replayStarted(CallKey, original: Identifier, wait: UInt32, Result<SubmitReport, QubusError>)
  case observing(CallKey, any Observation)
  case eventsRead(CallKey, Result<[JobEvent], QubusError>)
  case resultOpened(CallKey, OpenedResult)
  case chunkRead(CallKey, Result<[UInt8], QubusError>)
  case stopping
  case closing
}

/// How a call ends. The body is made on the transport thread, so that completions only enqueue.
struct Answer: Sendable {
  var error: QubusError?
  let body: @Sendable () -> [UInt8]
  var attachments: [Attachment] = []

  init(_ body: @escaping @Sendable () -> [UInt8]) { self.body = body }

  init(_ error: QubusError, body: @escaping @Sendable () -> [UInt8] = { [] }) {
    self.error = error
    self.body = body
  }

  init<Report: Sendable>(
    _ result: Result<Report, QubusError>, _ encode: @escaping @Sendable (Report) -> [UInt8]
  ) {
    switch result {
    case .success(let report): self.init { encode(report) }
    case .failure(let error): self.init(error)
    }
  }
}

/// Where completions leave their answers for the transport thread, which wakes by an eventfd.
///
/// Bounded by the calls in flight: each holds at most one answer and one progress mark here.
final class Outbox: Sendable {
  private struct State {
    var events: [TransportEvent] = []
    var progress: [CallKey: JobProgressMark] = [:]
    var isSignaled = false
  }

  struct JobProgressMark: Sendable {
    var sequence: UInt64
    var status: JobStatus
  }

  /// Readable while something is waiting.
  let descriptor: Int32
  private let state = Lock(State())

  init() throws(QubusError) {
    descriptor = qubus_eventfd()
    guard descriptor >= 0 else {
      throw QubusError(.serverOverloaded, "no eventfd: \(String(cString: strerror(errno)))")
    }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }

  func push(_ event: TransportEvent) {
    signal { $0.events.append(event) }
  }

  /// Only the newest mark of a call is kept, however fast its job moves. Marks may come out of
  /// order: the first state of an observation is told by another thread than the changes after it.
  func progressed(_ key: CallKey, sequence: UInt64, status: JobStatus) {
    signal { state in
      if let known = state.progress[key], known.sequence > sequence { return }
      state.progress[key] = JobProgressMark(sequence: sequence, status: status)
    }
  }

  /// Everything that waited; the next push signals again.
  func take() -> (events: [TransportEvent], progress: [CallKey: JobProgressMark]) {
    var count: UInt64 = 0
    read(descriptor, &count, 8)
    return state.withLock { state in
      state.isSignaled = false
      let taken = (state.events, state.progress)
      state.events = []
      state.progress = [:]
      return taken
    }
  }

  private func signal(_ change: (inout State) -> Void) {
    let mustWake = state.withLock { state in
      change(&state)
      defer { state.isSignaled = true }
      return !state.isSignaled
    }
    guard mustWake else { return }
    var one: UInt64 = 1
    write(descriptor, &one, 8)
  }
}
