internal import QubusCore
internal import QubusSimulator

/// A step that waits for its turn, with a copy of its numbers. Belongs to the room's lock while it
/// waits and to the thread that serves it then.
final class StepTicket {
  var order = StepOrder(sequence: 0)
  var checksum: UInt32 = 0
  var tag = StepTag(connection: 0, callID: 0, serial: 0)
  var sink: (any StepSink)?
  let numbers = StepNumbers()
  /// Nobody waits for the answer any more.
  var isAbandoned = false

  /// Tells who waits, unless nobody does, and lets go of it.
  func answer(_ result: Result<StepResult, QubusError>) {
    defer { sink = nil }
    guard !isAbandoned, let sink else { return }
    switch result {
    case .success(let result): sink.stepAnswered(tag, result)
    case .failure(let error): sink.stepFailed(tag, error)
    }
  }
}

/// What of one session waits or runs; under the room's lock.
struct StepLine {
  var waiting: [StepTicket] = []
  var running: StepTicket?
  /// Slices that take turns with each other when no step waits.
  var tasks: [any SessionTask] = []
  /// Set while a thread has the session out of the queue.
  var isTaken = false
  /// No step gets in any more.
  var isClosed = false

  /// The highest sequence of what waits or runs.
  var lastSequence: UInt64 {
    waiting.reduce(running?.order.sequence ?? 0) { max($0, $1.order.sequence) }
  }
  var count: Int { waiting.count + (running == nil ? 0 : 1) }
  var isEmpty: Bool { waiting.isEmpty && tasks.isEmpty }
}

/// Work of a session that is done slice by slice: an optimization, or the replay of one.
protocol SessionTask: AnyObject, Sendable {
  /// Works for about a slice; the session is claimed and its plan resident.
  /// - Returns: whether it goes on, and the device time used.
  func runSlice(_ context: KernelContext) -> (goesOn: Bool, nanoseconds: UInt64)
  /// The session is gone, or its plan cannot be built.
  func fail(_ error: QubusError)
}
