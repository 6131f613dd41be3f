internal import CZeroMQ
internal import Logging
internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusTenancy
internal import QubusWire

#if canImport(Glibc)
  internal import Glibc
#endif

/// The transport thread: owner of the sockets, of every connection and of every call in flight.
///
/// It blocks in one poll over the ROUTER, the admission socket and the outbox. Cheap calls are
/// answered in place; engine and readers answer through the outbox. Nothing here waits for anything
/// else. Used by its thread only.
final class Transport {
  let configuration: ServerConfiguration
  let service: any JobService
  let sessions: any SessionService
  let tenancy: any TenancyService
  let clock: any Clock
  let logger: Logger
  let instanceID: String
  let outbox: Outbox
  let readers: ReaderPool
  let decoder: RequestDecoder
  let admission: any Admission
  let quotas: QuotaKeeper
  let socket: RouterSocket
  let listeners: Listeners
  let steps: StepExchange
  private let keeper: CoreKeeper
  let startedAt: Microseconds

  var connections: [UInt32: Connection] = [:]
  var timers = TimerQueue()
  var serial: UInt64 = 0
  var callsInFlight = 0
  /// Opens whose call is over before they are.
  var abandonedOpens: [CallKey: CallContext] = [:]
  var isStopping = false
  var closeBy: Microseconds?
  var generator = SystemRandomNumberGenerator()
  var malformedLog = LogRateLimit()
  var refusals = RefusalTally()
  var badTokens = BadTokens()
  /// Of the directory, as of the last look at all connections.
  var reviewedVersion: UInt64
  /// Whether anybody was let in since the start: from then on memory is watched.
  var hasAdmitted = false
  var memoryWatch: MemoryWatch
  let unfinished: UnfinishedMessages
  /// Used again by every message that is copied, and by every look into the outbox.
  var message = ReceivedMessage()
  var taken = Outbox.Taken()
  /// Connections whose results wait until their clients have read more.
  var crowded: Set<UInt32> = []
  var nextCrowdedLook: Microseconds = 0
  private var nextHousekeeping: Microseconds
  /// Until then it looks for answers again and again, yielding the processor in between.
  private var looksUntil: Microseconds = 0
  private var nextDescriptorLog: Microseconds = 0
  private let descriptors: Descriptors

  /// Messages taken before other work has its turn.
  private static let messagesPerRound = 128
  static let housekeepingMicroseconds: Microseconds = 5_000_000

  init(
    _ start: ServerStart, outbox: Outbox, readers: ReaderPool, files: [SocketFile]
  ) throws(QubusError) {
    configuration = start.configuration
    service = start.service
    sessions = start.sessions
    tenancy = start.tenancy
    admission = start.admission
    quotas = start.quotas
    (clock, logger, instanceID) = (start.clock, start.logger, start.instanceID)
    steps = StepExchange(limits: configuration.limits)
    self.outbox = outbox
    self.readers = readers
    decoder = RequestDecoder(limits: configuration.limits)
    descriptors = Descriptors(limit: configuration.descriptorLimit)
    socket = try RouterSocket(configuration: configuration)
    listeners = Listeners(socket, configuration, keys: start.keys, files: files)
    reviewedVersion = admission.version
    memoryWatch = MemoryWatch(cap: configuration.memoryCapBytes)
    unfinished = UnfinishedMessages(limit: configuration.unfinishedBytes)
    keeper = CoreKeeper(window: configuration.keepAwakeMicroseconds, clock: clock)
    startedAt = clock.monotonic()
    nextHousekeeping = startedAt + Self.housekeepingMicroseconds
  }

  /// Runs until the outbox says `closing` and the calls in flight are done or out of time.
  func run() {
    var items = [
      zmq_pollitem_t(socket: socket.router, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0),
      zmq_pollitem_t(socket: nil, fd: outbox.descriptor, events: Int16(ZMQ_POLLIN), revents: 0),
      zmq_pollitem_t(socket: socket.admission, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0),
    ]
    var hasDueSteps = false
    keeper.start()
    if let processor = configuration.messageProcessor { ProcessorSet.keepThread(on: [processor]) }
    while !isDone {
      let isLooking = callsInFlight > 0 && clock.monotonic() < looksUntil
      if isLooking { sched_yield() }
      let mustLook = hasDueSteps || isLooking || !outbox.mayRest()
      // A lost door is not waited for: the outbox stands in its place.
      if socket.admission == nil { items[2] = items[1] }
      guard zmq_poll(&items, Int32(items.count), mustLook ? 0 : pollMilliseconds()) >= 0 else {
        if zmq_errno() == EINTR { continue }
        logger.critical("poll failed", metadata: ["error": "\(zmq_errno())"])
        break
      }
      if items[2].revents != 0, socket.admission != nil { answerDoor() }
      if items[1].revents != 0 { outbox.acknowledge() }
      drainOutbox()
      let callsBefore = callsInFlight
      if items[0].revents != 0 {
        for _ in 0..<Self.messagesPerRound {
          guard socket.receiveHead() else { break }
          received()
        }
      }
      let waitsForMore = callsInFlight > callsBefore
      // One turn at a time, so that new messages, also a CANCEL, are taken in between.
      hasDueSteps = sessions.runDueSteps(sink: outbox)
      drainOutbox()
      reviewConnections()
      let now = clock.monotonic()
      // As long as processors are kept awake for its answer, this thread need not sleep either.
      if waitsForMore, keeper.heard(now) { looksUntil = now + configuration.keepAwakeMicroseconds }
      fireTimers(now)
      tellRefusals(now)
      lookAtCrowded(now)
      if hasAdmitted { watchMemory(now) }
      if now >= nextHousekeeping { keepHouse(now) }
    }
    for connection in connections.values {
      for call in Array(connection.calls.values) { forget(call, connection) }
    }
    socket.close(lingerMilliseconds: 500)
    keeper.close()
  }

  private var isDone: Bool {
    guard let closeBy else { return false }
    return callsInFlight == 0 || clock.monotonic() >= closeBy
  }

  private func pollMilliseconds() -> Int {
    var due = connections.isEmpty ? Microseconds.max : nextHousekeeping
    if let time = timers.earliest { due = min(due, time) }
    if let closeBy { due = min(due, closeBy) }
    if let time = refusals.due { due = min(due, time) }
    if !crowded.isEmpty { due = min(due, nextCrowdedLook) }
    if hasAdmitted, let time = memoryWatch.due { due = min(due, time) }
    guard due < .max else { return -1 }
    return Int(max(0, (due - clock.monotonic() + 999) / 1000))
  }

  func verdictByDescriptors() -> RouterSocket.Verdict {
    let used = descriptors.inUse
    guard used >= descriptors.limit * 8 / 10 else { return .admitted }
    let now = clock.monotonic()
    if now >= nextDescriptorLog {
      nextDescriptorLog = now + 1_000_000
      logger.warning(
        "new connections refused: file descriptors run short",
        metadata: ["in_use": "\(used)", "limit": "\(descriptors.limit)"])
    }
    // Near the end of the descriptors the connection must go at once.
    return used >= descriptors.limit * 9 / 10 ? .full : .later
  }

  // MARK: Timers

  private func fireTimers(_ now: Microseconds) {
    while let entry = timers.take(dueAt: now) {
      guard let call = call(entry.key) else { continue }
      switch entry.purpose {
      case .timeout:
        abandon(call)
        finish(
          call,
          Answer(
            QubusError(
              .deadlineExceeded,
              "\(call.method.rawValue) did not end within its time-out; "
                + (call.method.isOfSessions
                  ? "what the session does goes on" : "the job goes on"))))
      case .wait: waitEnded(call)
      case .pace: paceEnded(call)
      }
    }
  }

  /// Forgets idle connections, and asks after silent ones that have calls: ZeroMQ tells of a peer
  /// that is gone only when something is sent to it.
  private func keepHouse(_ now: Microseconds) {
    nextHousekeeping = now + Self.housekeepingMicroseconds
    for connection in Array(connections.values) {
      let silent = now - connection.lastHeard
      if connection.calls.isEmpty {
        if silent > configuration.idleConnectionSeconds * 1_000_000 {
          connections[connection.key] = nil
        }
      } else if silent > configuration.probeSeconds * 1_000_000 {
        var pong = Envelope(.pong)
        pong.serverInstanceID = instanceID
        send(pong, [], to: connection)
      }
    }
  }
}
