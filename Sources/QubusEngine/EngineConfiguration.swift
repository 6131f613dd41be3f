package import QubusCore
package import QubusScheduler

/// What a service is set up with; every figure is a limit that errors name.
package struct EngineConfiguration: Sendable {
  package var limits = Limits()
  /// Threads that compute; a large job uses all of them.
  package var computeThreads = 2
  /// Memory that all running jobs may use together, and the most that one may use.
  package var memoryBytes: UInt64 = 4 << 30
  /// Memory of the extra slot for interactive jobs, on top of `memoryBytes`.
  package var expressMemoryBytes: UInt64 = 64 << 20
  /// Jobs that may wait in one lane; absent lanes share `limits.jobsQueued`.
  package var jobsQueuedPerLane: [String: Int] = [:]
  /// Predicted run time up to which a job counts as interactive.
  package var interactiveSeconds = 0.05
  /// Predicted run time up to which a job runs on the thread that brings it, when nothing waits; 0
  /// lets every job be made durable before it starts.
  package var immediateSeconds = 100e-6
  /// Predicted run time from which a job gets all cores.
  package var allCoresSeconds = 0.05
  /// Predicted run time from which `running` is made durable before the job has finished.
  package var announceSeconds = 0.005
  /// Jobs kept in memory while they wait; later ones are read again when their turn comes.
  package var residentJobs = 20_000
  /// Finished jobs whose events stay in memory.
  package var recentJobs = 1024
  /// Events of one job that stay in memory.
  package var residentEvents = 4096
  /// Changes under way to the store at which compute threads wait, so that results never crowd
  /// submits out of the store's queue.
  package var writesUnderWay = 1024
  /// Bytes of programs that the compile cache may hold.
  package var programCacheBytes = 256 << 20
  package var compileThreads = 2
  /// Submits that may wait for a compile thread.
  package var compileQueue = 1024
  /// Bytes of one result.
  package var resultBytes: UInt64 = 4 << 30
  /// Least time between two progress reports of a job.
  package var progressMicroseconds: Microseconds = 50_000
  /// Least time between two queue positions of a job.
  package var queueMovedMicroseconds: Microseconds = 1_000_000
  /// Longest run time of a job that asks for none; nil is no limit.
  package var maxRunSeconds: Double?
  package var niceness: Int32 = 19
  package var sessions = SessionConfiguration()
  package var retention = RetentionConfiguration()
  /// Shares of lanes, weights of accounts and the other rules of who goes first. Whoever takes them
  /// from outside checks them (`FairPolicy.validate`).
  package var fairness = FairPolicy()

  package init() {}
}

extension Scheduler {
  /// With the fair order, nothing waiting.
  init(_ configuration: EngineConfiguration) {
    var laneLimits: [Lane: Int] = [:]
    for (name, limit) in configuration.jobsQueuedPerLane {
      if let lane = Lane(rawValue: name) { laneLimits[lane] = limit }
    }
    let capacity = SchedulerCapacity(
      computeSlots: configuration.computeThreads, memoryBytes: configuration.memoryBytes,
      expressMemoryBytes: configuration.expressMemoryBytes,
      jobsQueued: configuration.limits.jobsQueued, jobsQueuedPerLane: laneLimits)
    let order: FairOrder
    do throws(QubusError) {
      order = try FairOrder(configuration.fairness, capacity: capacity)
    } catch {
      preconditionFailure("rules that nobody checked: \(error.message)")
    }
    self.init(capacity: capacity, policy: order)
  }
}
