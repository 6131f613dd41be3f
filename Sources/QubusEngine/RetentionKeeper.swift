internal import Logging
internal import QubusCore
internal import QubusJobs

/// Looks now and then for what has expired and has it removed, in small pieces with rests between
/// them, on a thread of its own below everything else.
final class RetentionKeeper: Sendable {
  private struct State: Sendable {
    /// Changes of the piece under way that the store has not answered.
    var waiting = 0
    /// Those it carried out.
    var done = 0
    var isStopping = false
    /// Jobs from before there was a time for results or events may be left without.
    var mayBeUndated = true
  }
  /// Jobs of one piece: together a transaction of about a millisecond.
  private static let jobsAtOnce = 16
  private static let recordsAtOnce = 200
  /// Rows looked at in one read.
  private static let scanned = 1000
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
      do throws(QubusError) {
        try pass(engine)
      } catch {
        engine.logger.warning(
          "what has expired waits for the store", metadata: ["error": "\(error.logText)"])
      }
      let next = engine.clock.now() + engine.configuration.retention.interval
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
        _ = try change(Array(piece), engine) { (record) throws(QubusError) in
          engine.dating(record)
        }
        pause(since: started, engine)
      }
      cursor = scan.next
      if scan.jobs.isEmpty { pause(since: began, engine) }
    }
    if !isStopping { state.withLock { $0.mayBeUndated = false } }
  }

  private func removeExpired(_ engine: Engine) throws(QubusError) {
    var count = 0
    while !isStopping {
      let started = engine.clock.monotonic()
      let ids = try store.expiredJobs(by: engine.clock.now(), limit: Self.jobsAtOnce)
      guard !ids.isEmpty else { break }
      let done = try change(ids, engine) { (record) throws(QubusError) in
        try engine.removal(record)
      }
      // What the store refuses, or another setting keeps, is looked at again at the next pass.
      guard done > 0 else { break }
      count += done
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
  /// - Returns: how many were.
  private func change(
    _ ids: [Identifier], _ engine: Engine,
    _ update: (JobRecord) throws(QubusError) -> JobUpdate?
  ) throws(QubusError) -> Int {
    state.withLock { $0.done = 0 }
    for id in ids {
      let job = try engine.activate(id)
      guard let update = try update(job.record) else { continue }
      state.withLock { $0.waiting += 1 }
      engine.write(update, job) { [state] result in
        state.signal { state in
          state.waiting -= 1
          if case .success = result { state.done += 1 }
        }
      }
    }
    // While the store has no room, the engine tries again; a stop need not wait for that.
    return state.wait { $0.waiting == 0 || $0.isStopping ? $0.done : nil }
  }

  private func pause(since started: Microseconds, _ engine: Engine) {
    let took = max(0, engine.clock.monotonic() - started)
    _ = state.wait(microseconds: min(1_000_000, Self.rest * took)) { $0.isStopping ? () : nil }
  }
}
