internal import QubusCore
internal import QubusJobs
internal import QubusSimulator
internal import Synchronization

/// Where steps wait that do not run in place, and where step workers find them.
final class StepRoom: Sendable {
  /// What a session does when it is taken.
  enum Turn {
    case step(StepTicket)
    case slice(any SessionTask)
  }
  struct State {
    var queue = StepQueue()
    var sessions: [Int: Session] = [:]
    /// Tickets that nobody uses; their memory serves the next ones.
    var tickets: [StepTicket] = []
    /// Sessions that step workers have taken.
    var busyWorkers = 0
    /// Step workers take small steps too, however few: the transport thread is not there for them.
    var helpsWithSmall = false
    var isStopping = false
  }
  private static let ticketsKept = 64
  private let state = Monitor(State())
  private let smallBacklog: Int
  /// Predicted time up to which a step is for the transport thread.
  private let smallNanoseconds: UInt64
  /// Sessions whose next step waits; all, and small ones.
  let waiting = Atomic<Int>(0)
  let smallWaiting = Atomic<Int>(0)

  init(smallBacklog: Int, smallSeconds: Double) {
    self.smallBacklog = smallBacklog
    smallNanoseconds = UInt64(smallSeconds * 1e9)
  }

  var busyWorkers: Int { state.withLock { $0.busyWorkers } }

  /// A ticket to fill in.
  func ticket() -> StepTicket {
    state.withLock { $0.tickets.popLast() } ?? StepTicket()
  }

  /// Lets the step wait its turn.
  /// - Parameters:
  ///   - answered: sequence of the session's last answered step.
  ///   - isLarge: it is not for the transport thread.
  /// - Throws: `step_out_of_order`, `session_busy`, `server_shutting_down`.
  func enter(
    _ ticket: StepTicket, _ session: Session, limit: Int, isLarge: Bool
  ) throws(QubusError) {
    let sequence = ticket.order.sequence
    let wakes = try state.withLock { (state) throws(QubusError) -> Bool in
      if state.isStopping { throw .shuttingDown }
      if session.line.isClosed { throw .sessionNotFound(session.id) }
      if session.isOptimizing.load(ordering: .relaxed) { throw .optimizing }
      let next = max(session.usage.lastSequence, session.line.lastSequence) + 1
      guard sequence <= next else {
        throw .outOfOrder(sequence, next: next, "comes before those between")
      }
      guard session.line.count < limit else { throw .stepsWaiting(limit) }
      session.line.waiting.append(ticket)
      session.inFlight.store(session.line.count, ordering: .releasing)
      return arrive(session, &state, isLarge: isLarge)
    }
    if wakes { state.signalOne { _ in } }
  }

  /// Lets a task take turns with the session's steps; false when the session is over.
  func enter(_ task: any SessionTask, _ session: Session) -> Bool {
    state.signalOne { state in
      guard !state.isStopping, !session.line.isClosed else { return false }
      session.line.tasks.append(task)
      _ = arrive(session, &state, isLarge: true)
      return true
    }
  }

  /// The session's next turn joins the queue, unless one of it waits or runs.
  /// - Returns: whether a step worker is wanted.
  private func arrive(_ session: Session, _ state: inout State, isLarge: Bool) -> Bool {
    defer { publish(state) }
    guard !session.line.isTaken, !session.line.isEmpty else { return false }
    session.line.isTaken = true
    let isSmall = !isLarge && !session.line.waiting.isEmpty
    // Steps in place while nobody waited weigh little once somebody does.
    let debt = min(session.account.debt.exchange(0, ordering: .relaxed), 1_000_000)
    state.sessions[session.number] = session
    state.queue.arrive(
      session: session.number, owner: session.account.number,
      cost: Double(session.costHint.load(ordering: .relaxed)), isSmall: isSmall,
      debt: Double(debt))
    return !isSmall || state.queue.smallCount > smallBacklog || state.helpsWithSmall
  }

  /// The next small step for the transport thread; `finish` must follow.
  func takeSmall() -> (Session, StepTicket)? {
    let taken = state.withLock { state -> (Session, StepTicket)? in
      guard let number = state.queue.take(.small), let session = state.sessions[number]
      else { return nil }
      publish(state)
      let ticket = session.line.waiting.removeFirst()
      session.line.running = ticket
      return (session, ticket)
    }
    // Its principal is ahead of others: a step worker takes it in its turn, since the transport
    // thread may have no other reason to look again.
    if taken == nil { state.signalOne { $0.helpsWithSmall = $0.queue.smallCount > 0 } }
    return taken
  }

  /// Waits for the next turn of any session; nil when the room is closed. `finish` must follow.
  /// - Parameter isOpen: whether a step may start now; looks again when woken.
  func take(isOpen: () -> Bool) -> (Session, Turn)? {
    state.wait { state -> (Session, Turn)?? in
      if state.isStopping { return .some(nil) }
      guard state.queue.readyCount > 0, isOpen() else { return nil }
      let helps = state.helpsWithSmall || state.queue.smallCount > smallBacklog
      guard let number = state.queue.take(helps ? .any : .large),
        let session = state.sessions[number]
      else { return nil }
      if state.queue.smallCount == 0 { state.helpsWithSmall = false }
      publish(state)
      state.busyWorkers += 1
      if !session.line.waiting.isEmpty {
        let ticket = session.line.waiting.removeFirst()
        session.line.running = ticket
        return .some((session, .step(ticket)))
      }
      let task = session.line.tasks.removeFirst()
      return .some((session, .slice(task)))
    }
  }

  /// The step turned out not to be for the transport thread.
  func putBack(_ session: Session, _ ticket: StepTicket) {
    state.signalOne { state in
      session.line.running = nil
      session.line.isTaken = false
      state.queue.finish(session: session.number, nanoseconds: 0)
      session.line.waiting.insert(ticket, at: 0)
      if session.line.isClosed { return }
      _ = arrive(session, &state, isLarge: true)
    }
  }

  /// The turn that was taken is over.
  /// - Parameter task: that goes on.
  /// - Returns: false when the task cannot go on, because the session is over.
  @discardableResult
  func finish(
    _ session: Session, nanoseconds: UInt64, by worker: Bool, goesOn task: (any SessionTask)? = nil
  ) -> Bool {
    let (wakes, goesOn) = state.withLock { state -> (Bool, Bool) in
      if worker { state.busyWorkers -= 1 }
      session.line.running = nil
      session.line.isTaken = false
      if let task, !session.line.isClosed { session.line.tasks.append(task) }
      session.inFlight.store(session.line.count, ordering: .releasing)
      state.queue.finish(session: session.number, nanoseconds: Double(nanoseconds))
      if session.line.isClosed {
        forget(session, &state)
        return (false, false)
      }
      // The transport thread may be asleep: what comes behind a worker's step is a worker's.
      let isSmall = !worker && session.costHint.load(ordering: .relaxed) <= smallNanoseconds
      return (arrive(session, &state, isLarge: !isSmall), true)
    }
    if wakes { state.signalOne { _ in } }
    return goesOn
  }

  /// Gives the ticket's memory to later ones. Nobody else holds it.
  func recycle(_ ticket: StepTicket) {
    ticket.isAbandoned = false
    state.withLock { state in
      if state.tickets.count < Self.ticketsKept { state.tickets.append(ticket) }
    }
  }

  /// Nobody waits for this step any more: it is dropped while it waits, and computed and kept once
  /// it runs.
  func abandon(_ session: Session, _ tag: StepTag) {
    state.withLock { state in
      if let running = session.line.running, running.tag == tag { running.isAbandoned = true }
      session.line.waiting.removeAll { $0.tag == tag }
      session.inFlight.store(session.line.count, ordering: .releasing)
      if session.line.waiting.isEmpty {
        withdraw(session, &state)
        _ = arrive(session, &state, isLarge: true)
      }
    }
  }

  /// No step gets in any more.
  /// - Returns: what waited. A turn that runs goes on to its end.
  func close(_ session: Session) -> ([StepTicket], [any SessionTask]) {
    state.withLock { state in
      session.line.isClosed = true
      defer {
        session.line.waiting = []
        session.line.tasks = []
        session.inFlight.store(session.line.count, ordering: .releasing)
      }
      withdraw(session, &state)
      if !session.line.isTaken { forget(session, &state) }
      return (session.line.waiting, session.line.tasks)
    }
  }

  /// Lets step workers look at the lease again, and take small steps too.
  func wake() { state.signal { $0.helpsWithSmall = $0.queue.smallCount > 0 } }

  func stop() { state.signal { $0.isStopping = true } }

  /// Takes a waiting turn out of the queue; one that runs stays taken.
  private func withdraw(_ session: Session, _ state: inout State) {
    if state.queue.withdraw(session: session.number) { session.line.isTaken = false }
    publish(state)
  }

  private func forget(_ session: Session, _ state: inout State) {
    state.queue.forget(session: session.number)
    state.sessions[session.number] = nil
    publish(state)
  }

  private func publish(_ state: State) {
    waiting.store(state.queue.readyCount, ordering: .releasing)
    smallWaiting.store(state.queue.smallCount, ordering: .releasing)
  }
}
