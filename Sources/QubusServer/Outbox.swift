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
  case sessionOpened(CallKey, Result<OpenedSession, QubusError>)
  case sessionResumed(CallKey, Result<ResumedSession, QubusError>)
  case observing(CallKey, any Observation)
  case eventsRead(CallKey, Result<[JobEvent], QubusError>)
  case resultOpened(CallKey, OpenedResult)
  case chunkRead(CallKey, Result<[UInt8], QubusError>)
  case optimization(CallKey, OptimizationNews)
  /// For tests: the answers to handshakes fail.
  case doorLost
  /// The directory of who may do what has changed.
  case rightsChanged
  case stopping
  case closing
}

/// How a step ended that did not run in place.
struct StepOutcome: Sendable {
  let tag: StepTag
  let result: Result<StepResult, QubusError>
  var checksums: StepChecksums?
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
    var taken = Taken()
    /// The transport looks before it sleeps: nobody need wake it.
    var isAwake = false
  }

  /// What waited. Its arrays are handed to and fro, so that they keep their memory.
  struct Taken: Sendable {
    var events: [TransportEvent] = []
    var steps: [StepOutcome] = []
    var progress: [CallKey: JobProgressMark] = [:]

    var isEmpty: Bool { events.isEmpty && steps.isEmpty && progress.isEmpty }

    mutating func clear() {
      if !events.isEmpty { events.removeAll(keepingCapacity: events.capacity <= 1024) }
      if !steps.isEmpty { steps.removeAll(keepingCapacity: steps.capacity <= 1024) }
      if !progress.isEmpty { progress.removeAll() }
    }
  }

  struct JobProgressMark: Sendable {
    var sequence: UInt64
    var status: JobStatus
  }

  /// Readable while something is waiting for a transport that sleeps.
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
    signal { taken in
      if let known = taken.progress[key], known.sequence > sequence { return }
      taken.progress[key] = JobProgressMark(sequence: sequence, status: status)
    }
  }

  // MARK: The transport's side

  /// Takes back the signal that woke the transport.
  func acknowledge() {
    var count: UInt64 = 0
    read(descriptor, &count, 8)
  }

  /// Everything that waited, in exchange for `taken`, which must be empty. Until `mayRest` has
  /// answered true, nothing signals.
  func take(into taken: inout Taken) {
    state.withLock { state in
      state.isAwake = true
      swap(&state.taken, &taken)
    }
  }

  /// Whether nothing waits; from then on the next push signals.
  func mayRest() -> Bool {
    state.withLock { state in
      state.isAwake = !state.taken.isEmpty
      return !state.isAwake
    }
  }

  private func signal(_ change: (inout Taken) -> Void) {
    let mustWake = state.withLock { state in
      change(&state.taken)
      defer { state.isAwake = true }
      return !state.isAwake
    }
    guard mustWake else { return }
    var one: UInt64 = 1
    write(descriptor, &one, 8)
  }
}

extension Outbox: StepSink {
  func stepAnswered(_ tag: StepTag, _ result: StepResult) {
    let checksums = StepChecksums(ofLarge: result)
    signal {
      $0.steps.append(StepOutcome(tag: tag, result: .success(result), checksums: checksums))
    }
  }

  func stepFailed(_ tag: StepTag, _ error: QubusError) {
    signal { $0.steps.append(StepOutcome(tag: tag, result: .failure(error))) }
  }
}
