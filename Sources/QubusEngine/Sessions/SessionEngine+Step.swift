internal import QubusCore
internal import QubusJobs
internal import QubusSimulator
package import QubusTenancy
internal import Synchronization

/// The hot path: what the transport thread does with a step. In place there is no lock, no
/// allocation and no SQL between the first line and the answer.
extension SessionEngine {
  package func step(
    _ call: StepCall, parameters: UnsafeRawBufferPointer, identity: Identity, holder: UInt64,
    sink: any StepSink
  ) -> StepDisposition {
    guard let session = door.session(call.session) else {
      return .refused(.sessionNotFound(call.session))
    }
    do throws(QubusError) {
      try checkStepper(session, identity)
      if session.isEnded { throw overError(session) }
      if isOver { throw .shuttingDown }
      guard let plan = session.plan, session.holder.load(ordering: .relaxed) == holder
      else { throw .heldElsewhere(session) }
      let order = try plan.order(call, bytes: parameters.count, configuration)
      if session.inFlight.load(ordering: .acquiring) == 0, session.tryClaim() {
        defer { leave(session) }
        if let result = try stepInPlace(session, order, call.checksum, parameters) {
          return .answered(result)
        }
      }
      try wait(session, order, call, parameters, sink)
      return .pending
    } catch {
      return .refused(blame(session, error))
    }
  }

  /// Whether the caller may step the session. Whoever did before, and is the same object still,
  /// may: an identity is made anew when rights change. What is left is the end of a token.
  @inline(__always)
  private func checkStepper(_ session: Session, _ identity: Identity) throws(QubusError) {
    if session.stepper === identity, identity.token == nil { return }
    try judgeStepper(session, identity)
  }

  @inline(never)
  private func judgeStepper(_ session: Session, _ identity: Identity) throws(QubusError) {
    let now = clock.now()
    if session.stepper === identity, let token = identity.token, now < token.expiresAt { return }
    try identity.check(
      .stepSessions, on: session.account.principal.resource, now: now,
      hidden: .sessionNotFound(session.id))
    session.stepper = identity
  }

  /// What a step's sequence makes of it.
  enum Verdict {
    case next
    /// Was charged before a restart; its answer was lost.
    case again
    case answered(StepResult)
  }

  /// Evaluates the step here, if it is short, nobody waits, and this round and the lease allow it;
  /// nil when it is to wait. The session is claimed and nothing of it waits or runs.
  private func stepInPlace(
    _ session: Session, _ order: StepOrder, _ checksum: UInt32,
    _ parameters: UnsafeRawBufferPointer
  ) throws(QubusError) -> StepResult? {
    if session.isOptimizing.load(ordering: .relaxed) { throw .optimizing }
    let verdict = try verdict(session, order, checksum)
    if case .answered(let result) = verdict { return result }
    let now = clock.now()
    try checkLimits(session, now)
    let numbers = session.core.numbers
    numbers.copy(parameters)
    try check(numbers, rows: order.rows)
    guard let evaluator = session.core.evaluator,
      room.waiting.load(ordering: .relaxed) == 0,
      Double(door.roundNanoseconds) < settings.roundSeconds * 1e9, isLeaseOpen
    else { return nil }
    let seconds = session.core.timing.predict(order, evaluator)
    session.costHint.store(UInt64(min(seconds, 1e6) * 1e9), ordering: .relaxed)
    guard seconds <= settings.stepInPlaceSeconds else { return nil }
    let (result, nanoseconds) = try evaluate(
      session, evaluator, order, checksum, numbers.numbers, context(session, doorTeam),
      isCharged: verdict.isCharged)
    session.lastUsedAt.store(now, ordering: .relaxed)
    session.account.debt.add(nanoseconds, ordering: .relaxed)
    door.roundNanoseconds += nanoseconds
    return result
  }

  /// Copies the step and lets it wait for the transport thread's next round or a step worker.
  private func wait(
    _ session: Session, _ order: StepOrder, _ call: StepCall,
    _ parameters: UnsafeRawBufferPointer, _ sink: any StepSink
  ) throws(QubusError) {
    let ticket = room.ticket()
    ticket.order = order
    ticket.checksum = call.checksum
    ticket.tag = call.tag
    ticket.sink = sink
    ticket.numbers.copy(parameters)
    do throws(QubusError) {
      try check(ticket.numbers, rows: order.rows)
      let hint = Double(session.costHint.load(ordering: .relaxed)) / 1e9
      let isLarge =
        hint > settings.stepInPlaceSeconds || settings.stepInPlaceSeconds == 0
        || session.memoryBytes.load(ordering: .relaxed) == 0
      try room.enter(
        ticket, session, limit: session.plan?.pipelinedSteps(order, settings) ?? 1,
        isLarge: isLarge)
    } catch {
      ticket.sink = nil
      room.recycle(ticket)
      throw error
    }
  }

  // MARK: Of every step, wherever it runs; the session is claimed

  func verdict(
    _ session: Session, _ order: StepOrder, _ checksum: UInt32
  ) throws(QubusError) -> Verdict {
    let last = session.core.usage.lastSequence
    let sequence = order.sequence
    if sequence == last + 1 { return .next }
    if sequence > last {
      throw .outOfOrder(sequence, next: last + 1, "comes before those between")
    }
    switch session.core.answers.find(order, checksum: checksum) {
    case .same(let result):
      result.wasRepeated = true
      return .answered(result)
    case .other:
      throw .outOfOrder(
        sequence, next: last + 1, "was answered already, with other contents")
    case .none:
      let charged = session.core.chargedSequence
      if sequence <= charged, charged - sequence < UInt64(settings.answersKept) { return .again }
      throw .outOfOrder(sequence, next: last + 1, "was answered long ago")
    }
  }

  func check(_ numbers: StepNumbers, rows: Int) throws(QubusError) {
    guard let bad = numbers.firstBad else { return }
    throw .badNumber(
      numbers.numbers[bad], at: bad, columns: rows > 1 ? numbers.count / rows : 0)
  }

  /// Ends the session when it has used up one of its limits.
  /// - Throws: `session_limit_exceeded`, naming limit and use; `quota_exceeded`.
  func checkLimits(
    _ session: Session, _ now: Microseconds, isStep: Bool = true
  ) throws(QubusError) {
    if session.account.isOverQuota.load(ordering: .relaxed) { try checkQuota(session) }
    let usage = session.core.usage
    let ending: SessionEnding
    if isStep, usage.steps >= session.base.maxSteps {
      ending = .maxSteps
    } else if Double(usage.deviceNanoseconds) >= session.base.maxDeviceSeconds * 1e9 {
      ending = .deviceTime
    } else if let over = session.timeEnding(now) {
      ending = over
    } else {
      return
    }
    end(session, ending)
    throw overError(session)
  }

  /// Evaluates a step and keeps its answer.
  func evaluate(
    _ session: Session, _ evaluator: any StepEvaluator, _ order: StepOrder, _ checksum: UInt32,
    _ numbers: UnsafeBufferPointer<Double>, _ context: KernelContext, isCharged: Bool
  ) throws(QubusError) -> (StepResult, nanoseconds: UInt64) {
    let result = session.core.answers.take()
    let start = surroundings.nanoseconds()
    try evaluator.evaluate(order, parameters: numbers, into: result.answer, context)
    let nanoseconds = surroundings.nanoseconds() - start
    let threads = context.team.threadCount
    if threads == 1 {
      session.core.timing.measured(order, seconds: Double(nanoseconds) / 1e9)
    }
    result.sequence = order.sequence
    result.rows = order.rows
    result.columns = evaluator.parameterCount
    result.observables = evaluator.observableCount
    result.bitCount = evaluator.bitCount
    result.qubitCount = evaluator.qubitCount
    result.deviceNanoseconds = isCharged ? nanoseconds : 0
    result.wasRepeated = !isCharged
    result.wasRebuilt = session.core.wasRebuilt
    session.core.wasRebuilt = false
    session.core.answers.keep(order, checksum: checksum)
    lease.charge(nanoseconds: nanoseconds * UInt64(threads))
    if isCharged {
      session.core.usage.steps += 1
      session.core.usage.lastSequence = order.sequence
      session.core.usage.deviceNanoseconds += nanoseconds
      session.core.usage.shotsUsed += result.answer.shotsUsed
      session.usage.write(session.core.usage)
    }
    return (result, nanoseconds)
  }

  /// Gives the claim back; a session that ended meanwhile is put away.
  @inline(__always)
  func leave(_ session: Session) {
    session.release()
    if session.isEnded { putAway(session) }
  }

  /// Whether a step may start now, as far as jobs are concerned.
  var isLeaseOpen: Bool {
    let isCompeting = surroundings.jobsAreRunning()
    return lease.isOpen(now: isCompeting ? clock.monotonic() : 0, isCompeting: isCompeting)
  }

  func overError(_ session: Session) -> QubusError {
    .limitExceeded(session.id, session.ending ?? .closed, session.record)
  }
}

extension SessionEngine.Verdict {
  var isCharged: Bool {
    switch self {
    case .next: true
    case .again, .answered: false
    }
  }
}

extension Session {
  /// Set when the session has been open or unused for too long.
  func timeEnding(_ now: Microseconds) -> SessionEnding? {
    if Double(now - base.openedAt) >= base.wallSeconds * 1e6 { return .wallTime }
    let used = lastUsedAt.load(ordering: .relaxed)
    return Double(now - used) >= base.idleSeconds * 1e6 ? .idle : nil
  }
}
