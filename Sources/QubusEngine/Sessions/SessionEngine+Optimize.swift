internal import Logging
package import QubusCore
internal import QubusJobs
internal import QubusOptimizers
internal import QubusSimulator
internal import QubusTenancy
internal import Synchronization

/// Optimizations: the client's loop, run by step workers.
extension SessionEngine {
  package func optimize(
    _ spec: OptimizeSpec, holder: UInt64, context: CallContext,
    watcher: any OptimizationWatcher
  ) {
    onCompileThread(watcher) { [self] () throws(QubusError) in
      let (session, plan) = try usable(spec.session, context)
      guard session.holder.load(ordering: .relaxed) == holder else {
        throw .heldElsewhere(session)
      }
      let optimizer = try spec.optimizer(
        for: plan, seed: session.base.seed, configuration.limits)
      guard
        session.isOptimizing.compareExchange(
          expected: false, desired: true, ordering: .acquiringAndReleasing
        ).exchanged
      else { throw .optimizing }
      let run = OptimizationRun(
        identifiers.next(), session, OptimizationDriver(spec, plan, optimizer), self)
      let record = OptimizationRecord(
        id: run.id, session: session.id, principal: context.principal, request: spec.bytes,
        startedAt: clock.now())
      store.perform(
        .startOptimization(record) { [self] result in
          switch result {
          case .success:
            run.checkpoint { [self] in
              watcher.started(run.id)
              _ = run.log.join(watcher, after: 0)
              begin(run)
            }
          case .failure(let error):
            session.isOptimizing.store(false, ordering: .releasing)
            watcher.ended(.failure(error))
          }
        })
    }
  }

  package func watchOptimization(
    _ id: Identifier, session: Identifier, after: UInt64, context: CallContext,
    watcher: any OptimizationWatcher
  ) {
    onCompileThread(watcher) { [self] () throws(QubusError) in
      let (session, plan) = try usable(session, context)
      if let run = runs.withLock({ $0[id] }) {
        guard run.session === session else { throw .optimizationNotFound(id) }
        watcher.started(id)
        return try watch(run.log, id, after, session, plan, run.spec, watcher)
      }
      guard let record = try store.optimization(id), record.session == session.id,
        let newest = try store.checkpoint(id, atOrBefore: .max)
      else { throw .optimizationNotFound(id) }
      let spec = try OptimizeSpec(bytes: record.request)
      let driver = try OptimizationDriver(spec, plan, checkpoint: newest.state)
      if record.ending.isEmpty {
        let run = try goOn(id, session, driver)
        watcher.started(id)
        return try watch(run.log, id, after, session, plan, spec, watcher)
      }
      // Over: what is missing is replayed, and its end told.
      let log = OptimizationLog(
        id, parameterCount: plan.parameterCount, nextIteration: driver.optimizer.iteration + 1,
        limit: settings.iterationsKept)
      log.append(
        IterationBatch(
          first: driver.optimizer.iteration + 1, parameterCount: plan.parameterCount),
        driver.counters)
      log.end(.success(driver.report(id, ending: record.ending)))
      watcher.started(id)
      try watch(log, id, after, session, plan, spec, watcher)
    }
  }

  package func endWatch(_ watcher: any OptimizationWatcher) {
    for log in watches.withLock({ $0 }) { _ = log.leave(watcher) }
  }

  package func cancelOptimization(
    _ id: Identifier, session: Identifier, context: CallContext
  ) throws(QubusError) -> Bool {
    guard let session = try known(session, .stepSessions, context) else {
      throw .sessionNotFound(session)
    }
    if let run = runs.withLock({ $0[id] }), run.session === session {
      // Looked at first: it may end by this very cancel before the next line.
      let wasRunning = !run.log.isEnded
      run.isCanceled.store(true, ordering: .relaxed)
      return wasRunning
    }
    guard let record = try store.optimization(id), record.session == session.id
    else { throw .optimizationNotFound(id) }
    guard record.ending.isEmpty else { return false }
    // Left by an earlier life of the service.
    store.perform(
      .endOptimization(id, ending: "canceled", at: clock.now()) { [self] in noteTrouble($0, id) })
    return true
  }

  // MARK: Runs

  /// Takes an unfinished optimization of an earlier life up again.
  private func goOn(
    _ id: Identifier, _ session: Session, _ driver: OptimizationDriver
  ) throws(QubusError) -> OptimizationRun {
    guard
      session.isOptimizing.compareExchange(
        expected: false, desired: true, ordering: .acquiringAndReleasing
      ).exchanged
    else {
      // Somebody else may have taken it up at the same time.
      if let run = runs.withLock({ $0[id] }) { return run }
      throw .optimizing
    }
    let run = OptimizationRun(id, session, driver, self)
    begin(run)
    return run
  }

  private func begin(_ run: OptimizationRun) {
    runs.withLock { $0[run.id] = run }
    report(run.log)
    if !room.enter(run, run.session) {
      run.fail(isOver ? .shuttingDown : overError(run.session))
    }
  }

  func forget(_ run: OptimizationRun) { runs.withLock { $0[run.id] = nil } }

  private func watch(
    _ log: OptimizationLog, _ id: Identifier, _ after: UInt64, _ session: Session,
    _ plan: SessionPlan, _ spec: OptimizeSpec, _ watcher: any OptimizationWatcher
  ) throws(QubusError) {
    let missing = log.join(watcher, after: after)
    report(log)
    guard let missing else { return }
    do throws(QubusError) {
      guard let checkpoint = try store.checkpoint(id, atOrBefore: after) else {
        throw .optimizationNotFound(id)
      }
      let driver = try OptimizationDriver(spec, plan, checkpoint: checkpoint.state)
      let replay = OptimizationReplay(
        session, driver, after + 1..<missing, log, watcher, self)
      if !room.enter(replay, session) { throw isOver ? .shuttingDown : overError(session) }
    } catch {
      log.abort(watcher, error)
    }
  }

  /// Lets a replay that is ahead of its watcher go on when the watcher has read.
  func enterLater(
    _ replay: OptimizationReplay, _ session: Session, _ log: OptimizationLog,
    _ watcher: any OptimizationWatcher
  ) {
    surroundings.schedule(clock.now() + settings.reportMicroseconds) { [self] in
      guard log.isWatched(by: watcher), !isOver else { return }
      guard log.hasRoom(for: watcher) else { return enterLater(replay, session, log, watcher) }
      if !room.enter(replay, session) { replay.fail(overError(session)) }
    }
  }

  // MARK: Reports

  /// Reports every 20 ms from now on, as long as somebody watches.
  private func report(_ log: OptimizationLog) {
    let isNew = watches.withLock { watches in
      guard !watches.contains(where: { $0 === log }) else { return false }
      watches.append(log)
      return true
    }
    if isNew { reportLater(log) }
  }

  private func reportLater(_ log: OptimizationLog) {
    surroundings.schedule(clock.now() + settings.reportMicroseconds) { [self] in
      if log.report() { return reportLater(log) }
      watches.withLock { $0.removeAll { $0 === log } }
      // Somebody may have joined in between.
      if log.isWatched { report(log) }
    }
  }

  /// The end is told without waiting for the next report.
  func reportSoon(_ log: OptimizationLog) {
    surroundings.schedule(clock.now()) { _ = log.report() }
  }

  // MARK: Parts

  private func onCompileThread(
    _ watcher: any OptimizationWatcher, _ body: @escaping @Sendable () throws(QubusError) -> Void
  ) {
    let isTaken = surroundings.compile { [self] in
      do throws(QubusError) {
        if isOver { throw .shuttingDown }
        try body()
      } catch {
        watcher.ended(.failure(error))
      }
    }
    if !isTaken { watcher.ended(.failure(isOver ? .shuttingDown : .compileQueueFull)) }
  }

  /// An open session with a plan.
  private func usable(
    _ id: Identifier, _ context: CallContext
  ) throws(QubusError) -> (Session, SessionPlan) {
    guard let session = try known(id, .stepSessions, context) else {
      throw try pastError(id, .stepSessions, context)
    }
    if session.isEnded { throw overError(session) }
    guard let plan = session.plan else { throw .heldElsewhere(session) }
    return (session, plan)
  }

  func noteTrouble(_ result: Result<Void, QubusError>, _ id: Identifier) {
    guard case .failure(let error) = result else { return }
    logger.warning(
      "the state of an optimization was not written",
      metadata: ["optimization_id": "\(id)", "error": "\(error.logText)"])
  }
}
