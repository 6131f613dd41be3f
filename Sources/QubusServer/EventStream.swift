internal import QubusCore
internal import QubusJobs

/// The state of one WatchJob: what the client has, what the job has, and what lies between.
struct EventStream {
  let jobID: Identifier
  /// Sequence of the last event that was sent.
  var sent: UInt64
  /// Sequence of the job's last event, as last told; nil before the first word.
  var known: UInt64?
  var status = JobStatus.accepted
  /// Read and not yet sent, in order.
  var pending: [JobEvent] = []
  var next = 0
  var isReading = false
  var isFinishing = false

  /// Events that one read fetches.
  static let batch = 64

  var hasPending: Bool { next < pending.count }
  var needsEvents: Bool { !hasPending && !isReading && sent < (known ?? 0) }
  /// The terminal event, and all before it, were sent.
  var isComplete: Bool {
    guard let known else { return false }
    return status.isTerminal && sent >= known && !hasPending
  }

  mutating func take() -> JobEvent? {
    guard hasPending else { return nil }
    defer { next += 1 }
    return pending[next]
  }

  /// Adds what was read; events that were sent already are left out.
  mutating func append(_ events: [JobEvent]) {
    pending = events.filter { $0.sequence > sent }
    next = 0
  }
}
