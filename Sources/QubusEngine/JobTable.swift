internal import DequeModule
internal import QubusCore
internal import QubusJobs

/// The jobs in memory: every running one, waiting ones up to a bound, and the newest finished ones.
/// A job that is not here is in the store.
final class JobTable: Sendable {
  private struct State {
    var jobs: [Identifier: ActiveJob] = [:]
    var finished: Deque<Identifier> = []
    /// Raised when a job leaves, so that a record read from the store before cannot come back.
    var departures: UInt64 = 0
  }
  private let state = Monitor(State())
  private let residentJobs: Int
  private let recentJobs: Int

  init(residentJobs: Int, recentJobs: Int) {
    self.residentJobs = residentJobs
    self.recentJobs = recentJobs
  }

  func job(_ id: Identifier) -> ActiveJob? { state.withLock { $0.jobs[id] } }
  var departures: UInt64 { state.withLock { $0.departures } }
  var count: Int { state.withLock { $0.jobs.count } }

  /// Keeps a job that was just accepted, unless memory holds enough of them; one that runs already
  /// in any case, as nobody else may bring it in from the store.
  func keep(_ job: ActiveJob, isRunning: Bool = false) -> Bool {
    state.withLock { state in
      guard isRunning || state.jobs.count < residentJobs else { return false }
      state.jobs[job.id] = job
      return true
    }
  }

  /// Brings in a job read from the store; answers the one that is already here, or nil when a job
  /// left since `departures` was read and the record may be stale.
  func insert(_ job: ActiveJob, departures: UInt64) -> ActiveJob? {
    state.withLock { state in
      if let present = state.jobs[job.id] { return present }
      guard state.departures == departures else { return nil }
      state.jobs[job.id] = job
      return job
    }
  }

  /// Marks a job as finished; the oldest finished ones leave.
  func retire(_ job: ActiveJob) {
    state.withLock { state in
      guard state.jobs[job.id] != nil else { return }
      state.finished.append(job.id)
      var examined = 0
      while state.finished.count > recentJobs, examined < 8 {
        examined += 1
        guard let id = state.finished.popFirst(), let oldest = state.jobs[id] else { continue }
        let isWatched = oldest.withLock { !$0.observers.isEmpty || !$0.writes.isEmpty }
        if isWatched {
          state.finished.append(id)
        } else {
          state.jobs[id] = nil
          state.departures += 1
        }
      }
    }
  }
}
