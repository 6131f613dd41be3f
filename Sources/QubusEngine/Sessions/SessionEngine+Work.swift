package import QubusCore
internal import QubusJobs
internal import QubusSimulator
internal import Synchronization

/// Steps that waited: run by step workers, and small ones by the transport thread between its
/// rounds of messages.
extension SessionEngine {
  package func runDueSteps(sink: any StepSink) -> Bool {
    door.roundNanoseconds = 0
    guard room.smallWaiting.load(ordering: .acquiring) > 0 else { return false }
    var spent: UInt64 = 0
    let budget = UInt64(settings.roundSeconds * 1e9)
    while spent < budget {
      guard isLeaseOpen else {
        wakeWithLease()
        return false
      }
      guard let (session, ticket) = room.takeSmall() else { return false }
      guard let nanoseconds = serveSmall(session, ticket) else { continue }
      spent += nanoseconds
    }
    return room.smallWaiting.load(ordering: .acquiring) > 0
  }

  package func abandonStep(_ session: Identifier, _ tag: StepTag) {
    guard let session = door.session(session) else { return }
    room.abandon(session, tag)
  }

  /// A step worker's life.
  func work(_ worker: Int) {
    while let (session, turn) = room.take(isOpen: { mayWork }) {
      session.claimNow()
      let team = team(for: session, worker)
      switch turn {
      case .step(let ticket): serve(session, ticket, context(session, team))
      case .slice(let task): serve(session, task, context(session, team))
      }
    }
  }

  /// All cores for a long step while no other waits or runs. Jobs go on behind it: their threads
  /// give way, and the lease leaves them their share.
  private func team(for session: Session, _ worker: Int) -> ComputeTeam {
    let seconds = Double(session.costHint.load(ordering: .relaxed)) / 1e9
    let least =
      surroundings.jobsAreRunning()
      ? settings.allCoresBesideJobsSeconds : settings.allCoresSeconds
    let isAlone =
      seconds >= least && room.busyWorkers == 1
      && room.waiting.load(ordering: .relaxed) == 0
    return isAlone ? allCores : workerTeams[worker]
  }

  /// Whether the lease lets a worker start; when not, the workers are woken with the next window.
  private var mayWork: Bool {
    if isLeaseOpen { return true }
    wakeWithLease()
    return false
  }

  private func wakeWithLease() {
    guard let wait = lease.claimWakeUp(now: clock.monotonic()) else { return }
    surroundings.schedule(clock.now() + wait) { [self] in room.wake() }
  }

  // MARK: Turns

  /// On the transport thread; nil when the step was not small after all.
  private func serveSmall(_ session: Session, _ ticket: StepTicket) -> UInt64? {
    session.claimNow()
    guard let evaluator = session.core.evaluator else {
      room.putBack(session, ticket)
      leave(session)
      return nil
    }
    let seconds = session.core.timing.predict(ticket.order, evaluator)
    session.costHint.store(UInt64(min(seconds, 1e6) * 1e9), ordering: .relaxed)
    guard seconds <= settings.stepInPlaceSeconds else {
      room.putBack(session, ticket)
      leave(session)
      return nil
    }
    return serve(session, ticket, context(session, doorTeam), by: false)
  }

  /// Answers a step. The session is claimed, and free afterwards.
  @discardableResult
  private func serve(
    _ session: Session, _ ticket: StepTicket, _ context: KernelContext, by worker: Bool = true
  ) -> UInt64 {
    var nanoseconds: UInt64 = 0
    let outcome: Result<StepResult, QubusError>
    do throws(QubusError) {
      outcome = .success(try answer(session, ticket, context, &nanoseconds))
    } catch {
      outcome = .failure(blame(session, error))
    }
    leave(session)
    room.finish(session, nanoseconds: nanoseconds, by: worker)
    ticket.answer(outcome)
    room.recycle(ticket)
    return nanoseconds
  }

  private func answer(
    _ session: Session, _ ticket: StepTicket, _ context: KernelContext,
    _ nanoseconds: inout UInt64
  ) throws(QubusError) -> StepResult {
    if session.isEnded { throw overError(session) }
    let verdict = try verdict(session, ticket.order, ticket.checksum)
    if case .answered(let result) = verdict { return result }
    try checkLimits(session, clock.now())
    let evaluator = try residentEvaluator(session)
    let seconds = session.core.timing.predict(ticket.order, evaluator)
    session.costHint.store(UInt64(min(seconds, 1e6) * 1e9), ordering: .relaxed)
    let result: StepResult
    (result, nanoseconds) = try evaluate(
      session, evaluator, ticket.order, ticket.checksum, ticket.numbers.numbers, context,
      isCharged: verdict.isCharged)
    session.lastUsedAt.store(clock.now(), ordering: .relaxed)
    residency.settle(session, bytes: evaluator.memoryBytes)
    return result
  }

  private func serve(_ session: Session, _ task: any SessionTask, _ context: KernelContext) {
    var turn = (goesOn: false, nanoseconds: UInt64(0))
    do throws(QubusError) {
      if session.isEnded { throw overError(session) }
      try checkLimits(session, clock.now(), isStep: false)
      _ = try residentEvaluator(session)
      turn = task.runSlice(context)
      lease.charge(nanoseconds: turn.nanoseconds * UInt64(context.team.threadCount))
    } catch {
      task.fail(blame(session, error))
    }
    leave(session)
    let goesOn = room.finish(
      session, nanoseconds: turn.nanoseconds, by: true, goesOn: turn.goesOn ? task : nil)
    // Closed while the slice ran: nobody else tells the task.
    if turn.goesOn, !goesOn { task.fail(isOver ? .shuttingDown : overError(session)) }
  }

  /// What stopped a step that was stopped from outside.
  func blame(_ session: Session, _ error: QubusError) -> QubusError {
    guard error.code == .executionCanceled else { return error }
    return session.isEnded ? overError(session) : isOver ? .shuttingDown : error
  }
}
