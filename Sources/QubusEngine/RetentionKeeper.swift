internal import Logging
internal import QubusCore
internal import QubusJobs

/// Looks now and then for what has expired and has it removed, in small pieces with rests between
/// them, on a thread of its own below everything else.
final class RetentionKeeper: Sendable {
  private struct State: Sendable {
    /// Changes of the piece under way that the store has not answered.
    var waiting = 0
    /// Jobs of it that could not be changed.
    var refused: [Identifier] = []
    var isStopping = false
    /// Jobs from before there was a time for results or events may be left without.
    var mayBeUndated = true
  }
  /// Jobs of one piece: together a transaction of about a millisecond.
  private static let jobsAtOnce = 16
  private static let recordsAtOnce = 200
  /// Rows looked at in one read.
  private static let scanned = 1000
  /// Jobs that may stay in the way of a pass, because their tenant's key is damaged, say.
  private static let refusedAtMost = 1000
  /// A piece is followed by a rest of so many times what it took.
  private static let rest: Microseconds = 9

  private let store: any RetentionStore
  private let state = Monitor(State())
  private let thread: ThreadPool

  init(_ store: any RetentionStore, niceness: Int32) {
    self.store = store
    thread = ThreadPool(threads: 1, niceness: niceness)
  }

  func start(_ engine: Engine) { look(engine) }

  /// Returns when the piece under way has ended.
  func stop() {
    state.signal { $0.isStopping = true }
    thread.stop()
  }

  private func look(_ engine: Engine) {
    _ = thread.submit { [weak self, weak engine] _ in
      guard let self, let engine, !isStopping else { return }
      let began = engine.clock.now()
      do throws(QubusError) {
        try pass(engine)
      } catch {
        engine.logger.warning(
          "what has expired waits for the store", metadata: ["error": "\(error.logText)"])
      }
      // From its beginning: what expired behind the look is not passed over when the clock jumps.
      let next = began + engine.configuration.retention.interval
      engine.scheduler.schedule(at: next) { [weak self, weak engine] in
        guard let self, let engine else { return }
        look(engine)
      }
    }
  }

  private var isStopping: Bool { state.withLock { $0.isStopping } }

  private func pass(_ engine: Engine) throws(QubusError) {
    try date(engine)
    try removeExpired(engine)
    try cutAudit(engine)
    let files = try store.removeUnnamedFiles()
    if files > 0 {
      engine.logger.info("files of expired results removed", metadata: ["count": "\(files)"])
    }
  }

  /// Jobs that ended before there was a time get one from now: nothing goes unannounced.
  private func date(_ engine: Engine) throws(QubusError) {
    let times = engine.configuration.retention
    guard state.withLock({ $0.mayBeUndated }), times.results != nil || times.events != nil else {
      return
    }
    var cursor: Int64? = 0
    while let after = cursor, !isStopping {
      let began = engine.clock.monotonic()
      let scan = try store.undatedJobs(
        results: times.results != nil, events: times.events != nil, after: after,
        limit: Self.scanned)
      var rest = scan.jobs[...]
      while !rest.isEmpty, !isStopping {
        let piece = rest.prefix(Self.jobsAtOnce)
        rest = rest.dropFirst(piece.count)
        let started = engine.clock.monotonic()
        _ = change(Array(piece), engine) { (record) throws(QubusError) in engine.dating(record) }
        pause(since: started, engine)
      }
      cursor = scan.next
      if scan.jobs.isEmpty { pause(since: began, engine) }
    }
    if !isStopping { state.withLock { $0.mayBeUndated = false } }
  }

  private func removeExpired(_ engine: Engine) throws(QubusError) {
    var count = 0
    // Looked at again at the next pass.
    var refused: Set<Identifier> = []
    while !isStopping, refused.count < Self.refusedAtMost {
      let started = engine.clock.monotonic()
      let found = try store.expiredJobs(
        by: engine.clock.now(), limit: Self.jobsAtOnce + refused.count)
      let ids = found.filter { !refused.contains($0) }
      guard !ids.isEmpty else { break }
      let failed = change(ids, engine) { (record) throws(QubusError) in
        try engine.removal(record)
      }
      refused.formUnion(failed)
      count += ids.count - failed.count
      pause(since: started, engine)
    }
    if count > 0 {
      engine.logger.info("what has expired is removed", metadata: ["count": "\(count)"])
    }
  }

  private func cutAudit(_ engine: Engine) throws(QubusError) {
    guard let time = engine.configuration.retention.audit else { return }
    while !isStopping {
      let started = engine.clock.monotonic()
      let now = engine.clock.now()
      let outcome = Monitor<Result<Int, QubusError>?>(nil)
      store.cutAudit(
        before: now - time, limit: Self.recordsAtOnce, entry: Engine.entry("", at: now)
      ) { result in
        outcome.signal { $0 = result }
      }
      // Fewer than asked for: the rest is younger.
      guard try outcome.wait({ $0 }).get() == Self.recordsAtOnce else { return }
      pause(since: started, engine)
    }
  }

  /// Has the jobs changed side by side and waits for all of them.
  /// - Parameter update: nil: there is nothing to change.
  /// - Returns: those that were not changed.
  private func change(
    _ ids: [Identifier], _ engine: Engine,
    _ update: (JobRecord) throws(QubusError) -> JobUpdate?
  ) -> [Identifier] {
    state.withLock { $0.refused = [] }
    for id in ids {
      do throws(QubusError) {
        let job = try engine.activate(id)
        guard let update = try update(job.record) else {
          state.withLock { $0.refused.append(id) }
          continue
        }
        state.withLock { $0.waiting += 1 }
        engine.write(update, job) { [state] result in
          state.signal { state in
            state.waiting -= 1
            if case .failure = result { state.refused.append(id) }
          }
        }
      } catch {
        engine.logger.warning(
          "what has expired of a job cannot be removed",
          metadata: ["job_id": "\(id)", "error": "\(error.logText)"])
        state.withLock { $0.refused.append(id) }
      }
    }
    // While the store has no room, the engine tries again; a stop need not wait for that.
    return state.wait { $0.waiting == 0 || $0.isStopping ? $0.refused : nil }
  }

  private func pause(since started: Microseconds, _ engine: Engine) {
    let took = max(0, engine.clock.monotonic() - started)
    _ = state.wait(microseconds: min(1_000_000, Self.rest * took)) { $0.isStopping ? () : nil }
  }
}
