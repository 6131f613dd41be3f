internal import Crypto
internal import DequeModule
internal import Logging
internal import QubusCore
internal import QubusDevices
internal import QubusJobs
internal import QubusSimulator
internal import QubusTenancy
internal import Synchronization

/// What sessions need of the engine around them.
struct SessionSurroundings: Sendable {
  /// Runs work on a compile thread; false when its queue is full.
  var compile: @Sendable (@escaping @Sendable () -> Void) -> Bool
  /// Runs work at a time of the clock.
  var schedule: @Sendable (Microseconds, @escaping @Sendable () -> Void) -> Void
  /// Whether jobs compete for the cores.
  var jobsAreRunning: @Sendable () -> Bool
  /// A clock that never goes back, by which device time is taken.
  var nanoseconds: @Sendable () -> UInt64
}

/// Sessions: opens, steps, resumes and ends them, and shares the machine among them.
///
/// A small step is evaluated on the transport thread, without a lock and without an allocation;
/// others wait in the room for a step worker (decision 0009). Locks: of the table's, the room's and
/// the residency's no two are held together; the residency's may be while a session is claimed.
package final class SessionEngine: Sendable {
  let configuration: EngineConfiguration
  let store: any SessionStore
  let codec: any SessionCodec
  let preparation: SessionPreparation
  let clock: any Clock
  let identifiers: IdentifierSource
  let logger: Logger
  let audit: (any AuditLog)?
  /// Nil: everything is free.
  let ledger: LedgerBook?
  let quotas: QuotaKeeper
  let drains: DeviceDrains
  let surroundings: SessionSurroundings
  let table = Monitor(Table())
  let room: StepRoom
  let door = StepDoor()
  let lease: StepLease
  let residency: SessionResidency
  /// Optimizations that run.
  let runs = Monitor<[Identifier: OptimizationRun]>([:])
  /// Logs that somebody watches.
  let watches = Monitor<[OptimizationLog]>([])
  let isStopping = Atomic<Bool>(false)
  /// Of the transport thread, which computes alone.
  let doorTeam = ComputeTeam(threadCount: 1)
  let workerTeams: [ComputeTeam]
  let allCores: ComputeTeam
  private let workers = Monitor<[EngineThread]>([])

  var settings: SessionConfiguration { configuration.sessions }

  /// Open sessions and who has them.
  struct Table {
    var sessions: [Identifier: Session] = [:]
    var accounts: [Principal: SessionAccount] = [:]
    var nextAccount = 0
    var nextSession = 0
    /// Open ones and those being opened.
    var open = 0
    /// Those that ended by a limit and are still known, oldest first.
    var ended: Deque<Identifier> = []
    var isTicking = false
  }

  init(
    configuration: EngineConfiguration, store: any SessionStore, codec: any SessionCodec,
    preparation: SessionPreparation, clock: any Clock, identifiers: IdentifierSource,
    logger: Logger, audit: (any AuditLog)?, ledger: LedgerBook?, quotas: QuotaKeeper,
    drains: DeviceDrains,
    surroundings: SessionSurroundings
  ) {
    self.configuration = configuration
    self.store = store
    self.codec = codec
    self.preparation = preparation
    self.clock = clock
    self.identifiers = identifiers
    self.logger = logger
    self.audit = audit
    self.ledger = ledger
    self.quotas = quotas
    self.drains = drains
    self.surroundings = surroundings
    let sessions = configuration.sessions
    room = StepRoom(
      smallBacklog: sessions.smallBacklog, smallSeconds: sessions.stepInPlaceSeconds)
    lease = StepLease(
      windowMicroseconds: sessions.leaseMicroseconds, share: sessions.leaseShare,
      cores: configuration.computeThreads)
    residency = SessionResidency(limit: configuration.sessionMemoryBytes)
    workerTeams = (0..<configuration.computeThreads).map { _ in ComputeTeam(threadCount: 1) }
    allCores = ComputeTeam(
      threadCount: configuration.computeThreads, niceness: Int(sessions.niceness))
  }

  /// Remembers the sessions of an earlier life, which wait for their clients to resume them, ends
  /// those whose time is over, and starts the step workers.
  /// - Throws: what the store throws when it cannot be read.
  func start() throws(QubusError) {
    try recover()
    workers.withLock { threads in
      threads = (0..<configuration.computeThreads).map { worker in
        EngineThread(niceness: settings.niceness) { [self] in work(worker) }
      }
    }
  }

  /// Refuses what waits, stops what runs, ends the workers and writes what was used. Sessions stay
  /// open: their clients resume them from the next life. May block.
  func stop() {
    isStopping.store(true, ordering: .sequentiallyConsistent)
    let sessions = table.withLock { Array($0.sessions.values) }
    for session in sessions {
      session.flag.cancel()
      let (tickets, tasks) = room.close(session)
      for ticket in tickets { ticket.answer(.failure(.shuttingDown)) }
      for task in tasks { task.fail(.shuttingDown) }
    }
    room.stop()
    for thread in workers.withLock({ $0 }) { thread.join() }
    let done = Monitor(false)
    journal { done.signal { $0 = true } }
    done.wait { $0 ? () : nil }
  }

  /// Sessions that are open now.
  var openCount: Int { table.withLock { $0.open } }

  var isOver: Bool { isStopping.load(ordering: .relaxed) }

  /// The session in memory, open or lately ended, if the caller may do this with it.
  /// - Throws: as `CallContext.check`.
  func known(
    _ id: Identifier, _ action: Action, _ context: CallContext
  ) throws(QubusError) -> Session? {
    guard let session = table.withLock({ $0.sessions[id] }) else { return nil }
    try context.check(action, session: id, of: session.account.principal, now: clock.now())
    return session
  }

  /// Where a session's steps run when no one asked for more cores.
  func context(_ session: Session, _ team: ComputeTeam) -> KernelContext {
    KernelContext(team: team, cancellation: session.flag)
  }

  static func hash(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }
}
