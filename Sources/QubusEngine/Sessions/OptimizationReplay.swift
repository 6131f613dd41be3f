internal import QubusCore
internal import QubusOptimizers
internal import QubusSimulator

/// Iterations of an optimization once more, from a checkpoint on, for one who did not see them.
/// Nothing of it is charged: equal states that are told equal numbers go on equally.
///
/// `@unchecked Sendable`: `driver` belongs to the thread that has the session's turn.
final class OptimizationReplay: SessionTask, @unchecked Sendable {
  private let session: Session
  private let log: OptimizationLog
  private let watcher: any OptimizationWatcher
  private let driver: OptimizationDriver
  private let engine: SessionEngine
  /// Iterations wanted.
  private let wanted: Range<UInt64>

  /// Precondition: the driver stands before the first iteration that is wanted.
  init(
    _ session: Session, _ driver: OptimizationDriver, _ wanted: Range<UInt64>,
    _ log: OptimizationLog, _ watcher: any OptimizationWatcher, _ engine: SessionEngine
  ) {
    self.session = session
    self.driver = driver
    self.wanted = wanted
    self.log = log
    self.watcher = watcher
    self.engine = engine
  }

  func runSlice(_ context: KernelContext) -> (goesOn: Bool, nanoseconds: UInt64) {
    guard let evaluator = session.core.evaluator else { return (true, 0) }
    guard log.isWatched(by: watcher) else { return (false, 0) }
    let clock = engine.surroundings.nanoseconds
    let begin = clock()
    let limit = begin + UInt64(engine.settings.sliceMicroseconds) * 1000
    var failure: QubusError?
    do throws(QubusError) {
      while driver.batch.next < wanted.upperBound, driver.optimizer.ending == nil {
        _ = try driver.advance(evaluator, context, clock)
        if clock() >= limit { break }
      }
    } catch {
      failure = error
    }
    let batch = driver.batch.slice(from: wanted.lowerBound, limit: .max)
    let isLast = driver.batch.next >= wanted.upperBound || driver.optimizer.ending != nil
    driver.batch.clear()
    let spent = clock() - begin
    let hasRoom = log.append(batch, to: watcher, isLast: isLast)
    if let failure, failure.code != .executionCanceled {
      log.abort(watcher, failure)
      return (false, spent)
    }
    if isLast { return (false, spent) }
    if !hasRoom {
      // Comes back when the watcher has read.
      engine.enterLater(self, session, log, watcher)
      return (false, spent)
    }
    return (true, spent)
  }

  func fail(_ error: QubusError) { log.abort(watcher, error) }
}
