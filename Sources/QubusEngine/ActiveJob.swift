internal import DequeModule
internal import QubusCore
internal import QubusJobs

/// A job in memory: its committed record, the writes under way, its recent events and who watches.
///
/// The lock is held for moments only and never while the store, the scheduler or an observer is
/// called. Whoever moves `phase` to `finishing` owns the terminal write; that is how a cancel and a
/// finish that race come to one end.
final class ActiveJob: Sendable {
  enum Phase: Sendable {
    /// Waits in the scheduler.
    case queued
    /// A compute thread has it.
    case running
    /// The terminal write is on its way.
    case finishing
    case finished
  }

  /// Why running work must stop.
  enum Stop: Sendable {
    case canceled(reason: String)
    case expired
    case runLimit
    /// A budget, the credit or the job's own `max_cost` is used up.
    case costLimit(QubusError)
    /// The service stops; the job runs again at the next start.
    case interrupted
  }

  struct Write: Sendable {
    var number: UInt64
    var update: JobUpdate
    var completion: (@Sendable (Result<[JobEvent], QubusError>) -> Void)?
  }

  struct State: Sendable {
    /// As committed.
    var record: JobRecord
    var phase: Phase
    var prepared: PreparedJob?
    var stop: Stop?
    /// Shots of the running attempt so far.
    var shotsDone: UInt64 = 0
    /// Committed events, the oldest dropped first.
    var events: Deque<JobEvent> = []
    /// Writes not yet committed, in order; one that failed stays to be tried again.
    var writes: [Write] = []
    var writeCount: UInt64 = 0
    var writesInFlight = 0
    var retryDelay: Microseconds = 0
    var observers: [UInt64: @Sendable (UInt64, JobStatus) -> Void] = [:]
    var observerCount: UInt64 = 0
    var cancelWaiters: [@Sendable (JobRecord) -> Void] = []
    var lastQueuePosition: UInt64?
    /// Whoever watches it was told that its device is drained.
    var isToldOffline = false
    /// While there is any, no thread begins the waiting job.
    var withheld: Withholding = []
    /// How often by whom: an end that is on its way does not end what begins behind it.
    var withholdCounts: [Withholding: UInt64] = [:]
    /// A committed result that is small, so that whoever waits for it needs no read of the disk.
    var result: JobResult?
    /// It was never accepted: what it wrote means nothing.
    var isDropped = false
  }

  let id: Identifier
  let flag = CancellationFlag()
  private let state: Monitor<State>

  init(_ record: JobRecord, prepared: PreparedJob?, events: [JobEvent] = []) {
    id = record.id
    let phase: Phase = record.status.isTerminal ? .finished : .queued
    var state = State(record: record, phase: phase, prepared: prepared, events: Deque(events))
    if record.status == .queued { state.withheld = record.withheld }
    self.state = Monitor(state)
  }

  func withLock<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
    state.withLock { body(&$0) }
  }

  var record: JobRecord { state.withLock { $0.record } }
}

extension ActiveJob.State {
  /// Bytes up to which a result stays in memory as long as its job does.
  static let resultBytes = 16 << 10

  /// Events after `sequence`, at most `limit`; nil when some of them are no longer in memory.
  func events(after sequence: UInt64, limit: Int) -> [JobEvent]? {
    if sequence >= record.lastSequence { return [] }
    guard let first = events.first?.sequence, first <= sequence + 1 else { return nil }
    let start = Int(sequence + 1 - first)
    guard start < events.count else { return nil }
    return Array(events[start..<min(events.count, start + max(0, limit))])
  }

  /// Takes over what its acceptance wrote.
  mutating func accepted(_ record: JobRecord, _ written: [JobEvent]) {
    self.record = record
    events = Deque(written)
  }

  /// Takes over what a commit wrote.
  mutating func commit(_ update: JobUpdate, _ written: [JobEvent], residentEvents: Int) {
    record.apply(update)
    if let result = update.result, result.data.reduce(0, { $0 + $1.count }) <= Self.resultBytes {
      self.result = result
    }
    if update.retention?.removesResult == true { result = nil }
    if let last = update.retention?.removesEventsThrough {
      events.removeAll { $0.sequence <= last }
    }
    if let last = written.last { record.lastSequence = last.sequence }
    events.append(contentsOf: written)
    if events.count > residentEvents { events.removeFirst(events.count - residentEvents) }
    retryDelay = 0
    if record.status.isTerminal { phase = .finished }
  }
}

extension JobRecord {
  func isWithheld(by who: Withholding) -> Bool {
    status == .queued && withheld.isSuperset(of: who)
  }

  /// The record after `update`, whose moves the store has validated.
  mutating func apply(_ update: JobUpdate) {
    if let status = update.moves.last {
      if costHeld != nil, status.isTerminal, !self.status.isTerminal {
        cost = update.settlement?.charge ?? 0
      }
      self.status = status
    }
    if let reason = update.reason { self.reason = reason }
    if let newAttempt = update.newAttempt { attempt = newAttempt }
    if let phases = update.phases { self.phases = phases }
    if let device = update.device { self.device = device }
    if let lane = update.lane { self.lane = lane }
    if let priority = update.priority { self.priority = priority }
    if let shotsDone = update.shotsDone { self.shotsDone = shotsDone }
    if let error = update.error { self.error = error }
    if let annotations = update.annotations { self.annotations = annotations }
    if let cancelRequested = update.cancelRequested { self.cancelRequested = cancelRequested }
    if update.result != nil { hasResult = true }
    if let change = update.retention { retention.apply(change) }
    if let change = update.withholding { withheld.apply(change) }
  }
}

extension JobUpdate {
  /// One update that does what these do one after another. Places in the queue are left out: they
  /// are old by now, and the moves beside them may have ended the waiting.
  /// - Precondition: at least one, all of one job.
  static func merged(_ updates: [JobUpdate]) -> JobUpdate {
    var result = updates[0]
    guard updates.count > 1 else { return result }
    result.events.removeAll { $0.kind == .queueMoved }
    for update in updates.dropFirst() {
      result.moves += update.moves
      result.events += update.events.filter { $0.kind != .queueMoved }
      result.reason = update.reason ?? result.reason
      result.newAttempt = update.newAttempt ?? result.newAttempt
      result.phases = update.phases ?? result.phases
      result.device = update.device ?? result.device
      result.lane = update.lane ?? result.lane
      result.priority = update.priority ?? result.priority
      result.shotsDone = update.shotsDone ?? result.shotsDone
      result.error = update.error ?? result.error
      result.annotations = update.annotations ?? result.annotations
      result.cancelRequested = update.cancelRequested ?? result.cancelRequested
      result.result = update.result ?? result.result
      result.settlement = update.settlement ?? result.settlement
      if let change = update.retention {
        result.retention = result.retention?.merged(with: change) ?? change
      }
      if let change = update.withholding {
        result.withholding = result.withholding?.merged(with: change) ?? change
      }
      result.audit += update.audit
    }
    return result
  }
}
