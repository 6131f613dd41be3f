package import Logging
package import QubusCore
package import QubusDevices
package import QubusJobs
internal import QubusScheduler
internal import QubusSimulator
package import QubusTenancy

/// Drives jobs through their lifecycle: validates and compiles on submit, makes them durable, lets
/// the scheduler decide, runs them on compute threads, and writes what became of them.
///
/// In-process; the server puts the wire before it. `start` recovers what an earlier life left,
/// `stop` ends this one. Locks: the table's before a job's, nothing else nests.
package final class Engine: Sendable {
  let configuration: EngineConfiguration
  let store: any JobStore
  let codec: any JobCodec
  let installedDevices: [any Device]
  let clock: any Clock
  let identifiers: IdentifierSource
  let logger: Logger
  /// Nil without one: nothing that is only read leaves evidence.
  let audit: (any AuditLog)?
  let quotas: QuotaKeeper
  let approvalPolicies: ApprovalPolicies
  let weights: ShareWeights
  let exportPolicies: ExportPolicies
  let drains: DeviceDrains
  let reservations: ReservationBook
  /// As the scheduler names them.
  let deviceNumbers: [String: UInt16]
  /// Results that come back from archives and are not whole yet.
  let restorations = RestorationDesk()
  /// Accepted jobs that the scheduler does not know of yet.
  let waitingApprovals = Monitor<[Identifier: WaitingApproval]>([:])
  let runTimes = LearnedRunTimes()
  /// What was told of the starts of waiting jobs.
  let startQuotes = QuoteBook()
  /// Nil: what was told is forgotten with the service.
  let quoteStore: (any StartQuoteStore)?
  /// Jobs that wait for others to end.
  let dependencyBook = Monitor(DependencyBook())
  let preparation: JobPreparation
  let programs: ProgramCache
  let table: JobTable
  let scheduler: SchedulerThread
  let computePool: ThreadPool
  let expressPool: ThreadPool
  let compilePool: ThreadPool
  let teams: [ComputeTeam]
  let allCores: ComputeTeam
  /// Teams of one for jobs that run at once; as many as threads ever brought such jobs together.
  let immediateTeams = Monitor<[ComputeTeam]>([])
  let shared = Monitor(Shared())
  /// Jobs that compute threads run now; read before every step of a session.
  let runningJobs: RunningJobs
  /// Nil without a store for sessions.
  package let sessions: SessionEngine?
  /// Nil: everything is free.
  let ledger: LedgerBook?
  /// Nil: nothing expires.
  let retention: RetentionKeeper?
  /// Nil: every life of the service begins with what nobody used.
  let useStore: (any UsedServiceStore)?
  /// Jobs that had ended when that was last stored; nil: it could not be.
  let notedEndings = Monitor<UInt64?>(0)
  /// Changes handed to the store and not yet answered.
  let writesUnderWay = Monitor(0)

  /// What is counted over all jobs.
  struct Shared: Sendable {
    var isStarted = false
    var isStopping = false
    /// Jobs that a compute thread holds.
    var running: [Identifier: ActiveJob] = [:]
    /// Jobs whose writes the store refused and that are to be tried again.
    var troubled: [Identifier: QubusError] = [:]
    /// Waiting jobs that somebody watches.
    var watched: Set<Identifier> = []
    var isQueueTimerSet = false
  }

  /// - Parameters:
  ///   - devices: the first is the default.
  ///   - programs: compiles sources; keeps the compiled ones.
  ///   - sessionStore: with `sessionCodec`, makes the engine hold sessions.
  ///   - retentionStore: makes what the configuration lets expire go.
  ///   - useStore: keeps what principals used, for their turns after a restart.
  ///   - quoteStore: keeps what was told of the starts of waiting jobs, and how it held.
  ///   - audit: takes evidence of results that are read and sessions that are resumed; that of
  ///     changes goes with them to their store.
  ///   - ledger: holds and settles what jobs and sessions cost.
  ///   - quotas: limits on what is taken in; none by default.
  ///   - approvalPolicies: which jobs wait for somebody's word; none by default.
  ///   - weights: of accounts in the fair queue, before those of the configuration.
  ///   - exportPolicies: who may archive, and where to; everybody who may read by default.
  ///   - drains: devices on which nothing starts; none by default.
  ///   - reservations: the calendars of devices; empty ones by default.
  ///   - nanoseconds: a clock that never goes back, by which the device time of steps is taken.
  package init(
    configuration: EngineConfiguration, store: any JobStore, codec: any JobCodec,
    devices: [any Device], programs: ProgramCache, clock: any Clock,
    identifiers: IdentifierSource, logger: Logger, sessionStore: (any SessionStore)? = nil,
    sessionCodec: (any SessionCodec)? = nil, retentionStore: (any RetentionStore)? = nil,
    useStore: (any UsedServiceStore)? = nil, quoteStore: (any StartQuoteStore)? = nil,
    audit: (any AuditLog)? = nil, ledger: LedgerBook? = nil,
    quotas: QuotaKeeper = QuotaKeeper(), approvalPolicies: ApprovalPolicies = ApprovalPolicies(),
    weights: ShareWeights = ShareWeights(),
    exportPolicies: ExportPolicies = ExportPolicies(), drains: DeviceDrains = DeviceDrains(),
    reservations: ReservationBook = ReservationBook(),
    nanoseconds: @escaping @Sendable () -> UInt64 = DeviceTime.nanoseconds
  ) {
    precondition(!devices.isEmpty, "an engine has a device")
    self.configuration = configuration
    self.store = store
    self.codec = codec
    installedDevices = devices
    self.clock = clock
    self.identifiers = identifiers
    self.logger = logger
    self.audit = audit
    self.useStore = useStore
    self.quoteStore = quoteStore
    self.ledger = ledger
    self.quotas = quotas
    self.approvalPolicies = approvalPolicies
    self.weights = weights
    self.exportPolicies = exportPolicies
    self.drains = drains
    self.reservations = reservations
    deviceNumbers = Dictionary(
      uniqueKeysWithValues: devices.enumerated().map { ($1.name, UInt16($0)) })
    self.programs = programs
    preparation = JobPreparation(
      configuration: configuration, devices: devices, programs: programs, ledger: ledger)
    table = JobTable(
      residentJobs: configuration.residentJobs, recentJobs: configuration.recentJobs)
    retention = retentionStore.flatMap { store in
      configuration.retention.isOff
        ? nil : RetentionKeeper(store, niceness: configuration.niceness)
    }
    let threads = configuration.computeThreads
    scheduler = SchedulerThread(Scheduler(configuration), clock: clock)
    computePool = ThreadPool(threads: threads, niceness: configuration.niceness)
    expressPool = ThreadPool(threads: 1, niceness: configuration.niceness)
    // Below the transport, above the devices: compiling a large program delays nobody's call.
    compilePool = ThreadPool(
      threads: configuration.compileThreads, niceness: configuration.niceness / 2,
      limit: configuration.compileQueue)
    // One team of one for every worker, the express worker's last.
    teams = (0...threads).map { _ in ComputeTeam(threadCount: 1) }
    allCores = ComputeTeam(threadCount: threads, niceness: Int(configuration.niceness))
    let runningJobs = RunningJobs()
    self.runningJobs = runningJobs
    guard let sessionStore, let sessionCodec else {
      sessions = nil
      return
    }
    let (compilePool, scheduler) = (compilePool, scheduler)
    sessions = SessionEngine(
      configuration: configuration, store: sessionStore, codec: sessionCodec,
      preparation: SessionPreparation(
        configuration: configuration, devices: devices, programs: programs, ledger: ledger),
      clock: clock, identifiers: identifiers, logger: logger, audit: audit,
      ledger: ledger,
      quotas: quotas, drains: drains,
      surroundings: SessionSurroundings(
        compile: { work in compilePool.submit { _ in work() } },
        schedule: { scheduler.schedule(at: $0, $1) },
        jobsAreRunning: { runningJobs.isAny }, nanoseconds: nanoseconds))
  }

  /// Takes up what an earlier life of the service left, then starts to decide and run.
  /// - Throws: what the store throws when it cannot be read.
  package func start() throws(QubusError) {
    let isFirst = shared.signal { shared in
      defer { shared.isStarted = true }
      return !shared.isStarted
    }
    precondition(isFirst, "an engine starts once")
    watchQuotas()
    watchWeights()
    watchDrains()
    watchCalendar()
    try restoreUse()
    restoreRunTimes()
    try restoreQuotes()
    try recover()
    try sessions?.start()
    scheduler.start { [weak self] decision in self?.carryOut(decision) }
    retention?.start(self)
  }

  /// Stops taking work, gives running chunks `graceMicroseconds` to end, abandons the rest to be
  /// run again at the next start, and returns when everything is durable. Call once, from a thread
  /// that may block.
  package func stop(graceMicroseconds: Microseconds = 2_000_000) {
    let running = shared.signal { shared in
      shared.isStopping = true
      return Array(shared.running.values)
    }
    scheduler.post(.drained(true))
    sessions?.stop()
    for job in running {
      job.withLock { state in
        if state.phase == .running, state.stop == nil { state.stop = .interrupted }
      }
    }
    let idle: Void? = shared.wait(microseconds: graceMicroseconds) { $0.running.isEmpty ? () : nil }
    if idle == nil {
      for job in shared.withLock({ Array($0.running.values) }) { job.flag.cancel() }
      shared.wait { $0.running.isEmpty ? () : nil }
    }
    retention?.stop()
    compilePool.stop()
    scheduler.stop()
    computePool.stop()
    expressPool.stop()
    noteUse()
    saveQuotes()
    flush()
    logger.info("engine stopped", metadata: ["jobs_abandoned": "\(idle == nil ? "some" : "none")"])
  }

  /// Looks at the injected clock again; a clock that moves by itself needs no such call.
  package func clockMoved() { scheduler.wake() }

  /// Lets jobs wait (true) or run again (false).
  package func drain(_ isDrained: Bool) { scheduler.post(.drained(isDrained)) }

  /// Waits until every change made so far is committed or was refused.
  func flush() {
    let done = Monitor(false)
    store.perform(.flush { _ in done.signal { $0 = true } })
    done.wait { $0 ? () : nil }
  }

  var isStopping: Bool { shared.withLock { $0.isStopping } }

  func logger(_ record: JobRecord) -> Logger {
    var logger = self.logger
    logger[metadataKey: "job_id"] = "\(record.id)"
    logger[metadataKey: "trace_id"] = "\(record.traceID)"
    return logger
  }
}
