internal import QubusCore
internal import QubusJobs
internal import QubusOptimizers
internal import QubusSimulator
internal import Synchronization

/// An optimization that runs, slice by slice in turn with everybody else's steps.
///
/// `@unchecked Sendable`: `driver` and what is beside it belong to the thread that has the turn of
/// the session, or to `fail`, which comes when no turn follows.
final class OptimizationRun: SessionTask, @unchecked Sendable {
  let id: Identifier
  let session: Session
  let log: OptimizationLog
  let isCanceled = Atomic<Bool>(false)
  private let engine: SessionEngine
  private let driver: OptimizationDriver
  var spec: OptimizeSpec { driver.spec }
  private let startedAt: Microseconds
  private var checkpointedAt: Microseconds

  init(_ id: Identifier, _ session: Session, _ driver: OptimizationDriver, _ engine: SessionEngine)
  {
    self.id = id
    self.session = session
    self.driver = driver
    self.engine = engine
    let now = engine.clock.monotonic()
    startedAt = now - driver.counters.microseconds
    checkpointedAt = now
    log = OptimizationLog(
      id, parameterCount: driver.optimizer.parameterCount,
      nextIteration: driver.optimizer.iteration + 1, limit: engine.settings.iterationsKept)
  }

  func runSlice(_ context: KernelContext) -> (goesOn: Bool, nanoseconds: UInt64) {
    guard let evaluator = session.core.evaluator else { return (true, 0) }
    let clock = engine.surroundings.nanoseconds
    let before = driver.counters
    let begin = clock()
    let limit = begin + UInt64(engine.settings.sliceMicroseconds) * 1000
    var outcome: Result<String?, QubusError>
    do throws(QubusError) {
      repeat {
        outcome = .success(ending)
        if case .success(.some) = outcome { break }
        _ = try driver.advance(evaluator, context, clock)
      } while clock() < limit
    } catch {
      outcome = .failure(error)
    }
    // Charged is the slice: what the optimizer itself takes is device time, too.
    let spent = clock() - begin
    driver.charge(spent, since: before)
    note(spent, driver.counters.shotsUsed - before.shotsUsed)
    driver.noteLast()
    log.append(driver.batch, driver.counters)
    driver.batch.clear()
    switch outcome {
    case .success(.none):
      checkpointNowAndThen()
      return (true, spent)
    case .success(.some(let ending)):
      end(ending, .success(report(ending)))
    case .failure(let error):
      // The engine knows why it stopped the step, and tells `fail`.
      if error.code == .executionCanceled { return (true, spent) }
      end("failed", .failure(error))
    }
    return (false, spent)
  }

  func fail(_ error: QubusError) {
    checkpoint()
    session.isOptimizing.store(false, ordering: .releasing)
    log.abort(error)
    // A service that stops leaves it to be gone on with.
    if error.code == .serverShuttingDown { return engine.forget(self) }
    write(ending: session.isEnded ? "canceled" : "failed")
  }

  private var ending: String? {
    if isCanceled.load(ordering: .relaxed) { return "canceled" }
    if let ending = driver.ending { return ending }
    guard let limit = driver.spec.maxSeconds else { return nil }
    return Double(elapsed) >= limit * 1e6 ? "max_seconds" : nil
  }

  private var elapsed: Microseconds { engine.clock.monotonic() - startedAt }

  /// Counts the slice for the session.
  private func note(_ nanoseconds: UInt64, _ shots: UInt64) {
    session.core.usage.deviceNanoseconds += nanoseconds
    session.core.usage.shotsUsed += shots
    session.usage.write(session.core.usage)
    session.lastUsedAt.store(engine.clock.now(), ordering: .relaxed)
  }

  private func end(_ ending: String, _ result: Result<OptimizationReport, QubusError>) {
    checkpoint()
    session.isOptimizing.store(false, ordering: .releasing)
    log.end(result)
    engine.reportSoon(log)
    write(ending: ending)
  }

  private func report(_ ending: String) -> OptimizationReport {
    driver.report(id, ending: ending)
  }

  private func checkpointNowAndThen() {
    let now = engine.clock.monotonic()
    guard now - checkpointedAt >= engine.settings.checkpointMicroseconds else { return }
    checkpointedAt = now
    checkpoint()
  }

  /// At the start, for whoever joins late and is told what came before; now and then; at the end.
  /// - Parameter then: called when it is written, or was refused.
  func checkpoint(then: @escaping @Sendable () -> Void = {}) {
    let checkpoint = OptimizationCheckpoint(
      optimization: id, iteration: driver.optimizer.iteration, time: engine.clock.now(),
      state: driver.checkpoint(microseconds: elapsed))
    engine.store.perform(
      .checkpoint(checkpoint) { [engine, id] in
        engine.noteTrouble($0, id)
        then()
      })
  }

  /// Only then do others look for it in the store.
  private func write(ending: String) {
    engine.store.perform(
      .endOptimization(id, ending: ending, at: engine.clock.now()) { [self] in
        engine.noteTrouble($0, id)
        engine.forget(self)
      })
  }
}

extension OptimizationDriver {
  func report(_ id: Identifier, ending: String) -> OptimizationReport {
    var report = OptimizationReport(id: id, ending: ending)
    if isNoisy {
      // The best of many noisy values is mostly luck: the answer is where it stands.
      report.best = last
      report.bestValue = lastValue
    } else {
      report.best = optimizer.best?.parameters ?? spec.initial
      report.bestValue = optimizer.best?.value ?? .nan
    }
    report.last = last
    report.lastValue = lastValue
    report.iterations = optimizer.iteration
    report.evaluations = counters.evaluations
    report.shotsUsed = counters.shotsUsed
    report.deviceMicroseconds = Int64(clamping: counters.deviceNanoseconds / 1000)
    return report
  }
}
