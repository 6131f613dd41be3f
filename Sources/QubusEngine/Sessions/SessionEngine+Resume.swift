internal import Logging
package import QubusCore
internal import QubusJobs
internal import QubusSimulator
internal import QubusTenancy
internal import Synchronization

extension SessionEngine {
  /// Sequences above are no step's: a client's counter cannot have come so far.
  private static let sequenceLimit: UInt64 = 1 << 48

  package func resumeSession(
    _ id: Identifier, secret: [UInt8], lastSequence: UInt64, holder: UInt64,
    context: CallContext,
    completion: @escaping @Sendable (Result<ResumedSession, QubusError>) -> Void
  ) {
    guard !isOver else { return completion(.failure(.shuttingDown)) }
    let isTaken = surroundings.compile { [self] in
      do throws(QubusError) {
        guard !isOver else { throw .shuttingDown }
        guard lastSequence < Self.sequenceLimit else {
          throw .field(
            .invalidRequest, "last_sequence", "is \(lastSequence)",
            limit: "below \(Self.sequenceLimit)")
        }
        guard let session = try known(id, .stepSessions, context) else {
          throw try pastError(id, .stepSessions, context)
        }
        guard Self.hash(secret) == session.base.secretHash else { throw .sessionNotFound(id) }
        let resumed = try resume(session, lastSequence, holder)
        audit?.note(
          context.entry(
            "ResumeSession", .stepSessions, "session \(id)", of: session.base.principal,
            at: clock.now()))
        completion(.success(resumed))
      } catch {
        completion(.failure(error))
      }
    }
    if !isTaken { completion(.failure(isOver ? .shuttingDown : .compileQueueFull)) }
  }

  private func resume(
    _ session: Session, _ lastSequence: UInt64, _ holder: UInt64
  ) throws(QubusError) -> ResumedSession {
    if session.isEnded { throw overError(session) }
    if session.plan == nil { return try rebuild(session, lastSequence, holder) }
    let answered = session.usage.lastSequence
    // Steps that are on their way now are answered before this one's caller sends another.
    let inFlight = session.inFlight.load(ordering: .acquiring)
    guard lastSequence <= answered + UInt64(inFlight) else {
      throw .outOfOrder(
        lastSequence, next: answered + 1, "is what the client has, and was never answered")
    }
    session.holder.store(holder, ordering: .relaxed)
    session.lastUsedAt.store(clock.now(), ordering: .relaxed)
    return ResumedSession(
      session: view(session), nextSequence: answered + 1, wasRebuilt: false)
  }

  /// Brings back a session of an earlier life of the service from its record and its journal.
  private func rebuild(
    _ dormant: Session, _ lastSequence: UInt64, _ holder: UInt64
  ) throws(QubusError) -> ResumedSession {
    if let ending = dormant.timeEnding(clock.now()) {
      end(dormant, ending)
      throw overError(dormant)
    }
    var record = dormant.record
    let plan = try preparation.prepare(try codec.decodeSession(record.request))
    let charged = record.usage.lastSequence
    record.usage.lastSequence = max(charged, lastSequence)
    record.lastUsedAt = clock.now()
    let session = Session(
      record, account: dormant.account, number: dormant.number, plan: plan, evaluator: nil,
      holder: holder, secret: [], configuration: settings, meter: dormant.meter)
    session.core.chargedSequence = charged
    session.core.wasRebuilt = true
    try prepareFirstPlan(session)
    // Another connection may have been faster, or a limit.
    let isOurs = table.withLock { table in
      guard table.sessions[dormant.id] === dormant, dormant.markEnded(.withdrawn) else {
        return false
      }
      table.sessions[dormant.id] = session
      return true
    }
    guard isOurs else {
      drop(session)
      guard let now = table.withLock({ $0.sessions[dormant.id] }) else {
        throw .sessionNotFound(dormant.id)
      }
      return try resume(now, lastSequence, holder)
    }
    door.add(session)
    logger.debug("session resumed", metadata: ["session_id": "\(session.id)"])
    return ResumedSession(
      session: view(session), nextSequence: record.usage.lastSequence + 1, wasRebuilt: true)
  }

  /// Builds the plan of a session that nobody knows of yet.
  func prepareFirstPlan(_ session: Session) throws(QubusError) {
    session.claimNow()
    defer { session.release() }
    warm(session, try build(session))
  }

  /// Frees the memory of a session that was built for nothing.
  private func drop(_ session: Session) {
    session.claimNow()
    session.core.evaluator = nil
    session.release()
    residency.forget(session)
  }

  // MARK: After a restart

  /// Reads the sessions that are open and keeps them in mind without their plans; ends those whose
  /// time is over.
  func recover() throws(QubusError) {
    let records = try store.openSessions()
    let now = clock.now()
    for record in records {
      let (account, number) = adopt(record.principal)
      let session = Session(
        record, account: account, number: number, plan: nil, evaluator: nil, holder: 0,
        secret: [], configuration: settings, meter: meter(record))
      publish(session)
      if let ending = session.timeEnding(now) { end(session, ending) }
    }
    if !records.isEmpty {
      logger.info("sessions wait to be resumed", metadata: ["sessions": "\(records.count)"])
    }
  }

  /// Why there is no such session in memory.
  /// - Throws: as `CallContext.check`; what the store throws. May block.
  func pastError(
    _ id: Identifier, _ action: Action, _ context: CallContext
  ) throws(QubusError) -> QubusError {
    guard let record = try store.session(id) else { return .sessionNotFound(id) }
    try context.check(action, session: id, of: record.principal, now: clock.now())
    guard record.state == .ended else { return .sessionNotFound(id) }
    let ending = SessionEnding.allCases.first { $0.isByLimit && $0.reason == record.reason }
    return ending.map { .limitExceeded(id, $0, record) } ?? .sessionNotFound(id)
  }
}
