internal import Dispatch
internal import Glibc
internal import QubusCore
internal import QubusJobs

/// The bounded queue between callers and the writer, with a side lane for results that must be
/// compressed or written to files first.
///
/// Commands of one job keep their order, and a flush waits for everything before it; commands of
/// other jobs overtake a large result in preparation. There is one lock; completions never run
/// under it, and threads are woken after it, lest they run into it at once and sleep again.
final class WriteQueue: Sendable {
  private struct State {
    var pending: [WriteTask] = []
    /// Evidence that waits for a commit to join.
    var notes: [WriteTask] = []
    var preparing: [WriteTask] = []
    var isPreparing = false
    /// Commands of a job in preparation.
    var preparingJobs: [Identifier: Int] = [:]
    var acceptBytes = 0
    var refusal: QubusError?
    var writerWaits = false
    /// The waiting writer will look at the notes by itself.
    var looksAtTime = false
    /// The writer took commands since it last waited.
    var hasWorked = false
    /// The writer was woken for a command that is still on its way.
    var isExpecting = false
    var preparerWaits = false

    var waiting: Int { pending.count + preparing.count }
    var isPreparationEmpty: Bool { preparing.isEmpty && !isPreparing }

    /// True when the writer slept and is owed a signal.
    mutating func rouseWriter() -> Bool {
      defer { writerWaits = false }
      return writerWaits
    }

    mutating func rousePreparer() -> Bool {
      defer { preparerWaits = false }
      return preparerWaits
    }
  }
  private let state = Lock(State())
  private let writerWake = DispatchSemaphore(value: 0)
  private let preparerWake = DispatchSemaphore(value: 0)
  /// Notes that wait no longer, however young.
  private static let noteLimit = 512
  private let capacity: Int
  private let byteCapacity: Int
  /// Looks for an announced command, half a microsecond each on an idle processor.
  private static let expectedLooks = 400

  init(capacity: Int, byteCapacity: Int) {
    self.capacity = capacity
    self.byteCapacity = byteCapacity
  }

  /// Appends a command, or answers why not.
  func enqueue(_ task: WriteTask) -> QubusError? {
    var sleepers = Sleepers()
    defer { wake(sleepers) }
    return state.withLock { enqueue(task, &$0, &sleepers) }
  }

  /// Wakes the writer before its command is there, so that it starts at once.
  func expect() {
    let mustWake = state.withLock { state in
      guard state.rouseWriter() else { return false }
      state.isExpecting = true
      return true
    }
    if mustWake { writerWake.signal() }
  }

  private func enqueue(
    _ task: WriteTask, _ state: inout State, _ sleepers: inout Sleepers
  ) -> QubusError? {
    if let refusal = state.refusal { return refusal }
    if let overload = overload(task, state) { return overload }
    state.acceptBytes += task.bytes
    let follows =
      switch task.work {
      case .flush: !state.isPreparationEmpty
      case .update: task.updatedJob.map { state.preparingJobs[$0] != nil } ?? false
      case .accept, .session, .tenancy, .cut, .use, .quotes, .control: false
      }
    if task.needsPreparation || follows {
      state.preparing.append(task)
      if let job = task.updatedJob { state.preparingJobs[job, default: 0] += 1 }
      if state.rousePreparer() { sleepers.preparer = true }
    } else {
      state.pending.append(task)
      if state.rouseWriter() { sleepers.writer = true }
    }
    return nil
  }

  /// Takes evidence without a change, or answers why not. It waits for the next command, or for the
  /// writer to be idle long enough.
  func note(_ task: WriteTask) -> QubusError? {
    var sleepers = Sleepers()
    defer { wake(sleepers) }
    return state.withLock { state in
      if let refusal = state.refusal { return refusal }
      guard state.notes.count < capacity else {
        return QubusError(
          .serverOverloaded, "too much evidence waits for the disk (limit: \(capacity) entries)")
      }
      state.notes.append(task)
      // The first makes the writer look at the time, the last at the notes.
      if !state.looksAtTime || state.notes.count >= Self.noteLimit {
        sleepers.writer = state.rouseWriter()
      }
      return nil
    }
  }

  private func overload(_ task: WriteTask, _ state: State) -> QubusError? {
    let (limit, bytes): (Int, Int) =
      switch task.work {
      case .accept: (capacity, task.bytes)
      case .session(.open): (capacity, task.bytes)
      case .tenancy, .cut, .use, .quotes: (capacity, 0)
      case .update, .session: (2 * capacity, 0)
      case .flush, .control: (.max, 0)
      }
    guard state.waiting >= limit || (bytes > 0 && state.acceptBytes + bytes > byteCapacity) else {
      return nil
    }
    return QubusError(
      .serverOverloaded,
      "the store's queue is full (limit: \(limit) commands, \(byteCapacity) bytes of requests)",
      retryAfterMilliseconds: 100)
  }

  /// Who sleeps and has been counted as awake; each is owed one signal.
  private struct Sleepers {
    var writer = false
    var preparer = false
  }

  private func wake(_ sleepers: Sleepers) {
    if sleepers.writer { writerWake.signal() }
    if sleepers.preparer { preparerWake.signal() }
  }

  /// Refuses everything from now on; what waits is still carried out.
  func refuse(_ error: QubusError) {
    let sleepers = state.withLock { state in
      if state.refusal == nil { state.refusal = error }
      return Sleepers(writer: state.rouseWriter(), preparer: state.rousePreparer())
    }
    wake(sleepers)
  }

  // The writer's side

  /// Up to `limit` commands, in order, and the notes that go with them; none without waiting.
  func take(_ limit: Int) -> [WriteTask] {
    state.withLock { state in
      guard !state.pending.isEmpty || state.notes.count >= Self.noteLimit else { return [] }
      let group = Array(state.pending.prefix(limit))
      for task in group { state.acceptBytes -= task.bytes }
      state.pending.removeFirst(group.count)
      state.hasWorked = true
      defer { state.notes = [] }
      return state.notes + group
    }
  }

  /// Those that no command came for.
  func takeNotes() -> [WriteTask] {
    state.withLock { state in
      defer { state.notes = [] }
      return state.notes
    }
  }

  enum Wake { case work, idle, finished }

  /// Waits for a command; `idle` after `milliseconds` (nil waits for ever), or after
  /// `noteMilliseconds` when there are notes; `finished` when the queue refuses and has no command.
  func wait(milliseconds: Int?, noteMilliseconds: Int? = nil) -> Wake {
    lookForExpected()
    var milliseconds = milliseconds
    let now: Wake? = state.withLock { state in
      if !state.pending.isEmpty { return .work }
      if state.refusal != nil, state.isPreparationEmpty { return .finished }
      state.writerWaits = true
      // Where commands follow one another, notes come too: a writer that looks at the time anyway
      // need not be woken for them.
      state.looksAtTime = !state.notes.isEmpty || state.hasWorked
      state.hasWorked = false
      if let noteMilliseconds, state.looksAtTime {
        milliseconds = min(milliseconds ?? noteMilliseconds, noteMilliseconds)
      }
      return nil
    }
    if let now { return now }
    guard let milliseconds else {
      writerWake.wait()
      return .work
    }
    if writerWake.wait(timeout: .now() + .milliseconds(milliseconds)) == .success { return .work }
    let isLate = state.withLock { state in
      defer { state.writerWaits = false }
      return !state.writerWaits
    }
    // A producer owes a signal since before the lock: it must not be left over.
    if isLate {
      writerWake.wait()
      return .work
    }
    return .idle
  }

  /// Looks for a command that was announced, but not for ever: it may have been refused on its way.
  private func lookForExpected() {
    let isExpecting = state.withLock { state in
      defer { state.isExpecting = false }
      return state.isExpecting && state.pending.isEmpty
    }
    guard isExpecting else { return }
    var looks = 0
    while looks < Self.expectedLooks, state.withLock({ $0.pending.isEmpty }) {
      sched_yield()
      looks += 1
    }
  }

  // The preparer's side

  /// The next command to prepare; waits for it, nil when the queue refuses and none is left.
  func takePreparation() -> WriteTask? {
    while true {
      let next: WriteTask?? = state.withLock { state in
        if !state.preparing.isEmpty {
          state.isPreparing = true
          return .some(state.preparing.removeFirst())
        }
        if state.refusal != nil { return .some(nil) }
        state.preparerWaits = true
        return nil
      }
      if let next { return next }
      preparerWake.wait()
    }
  }

  /// Hands what `takePreparation` gave on to the writer; nil when it failed and was answered.
  func finishPreparation(of task: WriteTask, as prepared: WriteTask?) {
    let sleepers = state.withLock { state in
      state.isPreparing = false
      if let job = task.updatedJob {
        let left = (state.preparingJobs[job] ?? 1) - 1
        state.preparingJobs[job] = left == 0 ? nil : left
      }
      if let prepared { state.pending.append(prepared) }
      return Sleepers(writer: state.rouseWriter())
    }
    wake(sleepers)
  }
}
