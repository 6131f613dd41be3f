internal import Logging
package import QubusCore
internal import QubusDevices
package import QubusJobs
internal import QubusSimulator
internal import QubusTenancy
internal import Synchronization

extension SessionEngine {
  package func openSession(
    _ spec: SessionSpec, request: [UInt8], holder: UInt64, context: CallContext,
    completion: @escaping @Sendable (Result<OpenedSession, QubusError>) -> Void
  ) {
    guard !isOver else { return completion(.failure(.shuttingDown)) }
    // Before anything is compiled for a caller who may open none at all.
    do throws(QubusError) {
      try context.check(.openSessions, now: clock.now())
    } catch {
      return completion(.failure(error))
    }
    let isTaken = surroundings.compile { [self] in
      do throws(QubusError) {
        guard !isOver else { throw .shuttingDown }
        try open(spec, request, holder, context, completion)
      } catch {
        completion(.failure(error))
      }
    }
    if !isTaken { completion(.failure(isOver ? .shuttingDown : .compileQueueFull)) }
  }

  /// On a compile thread.
  private func open(
    _ spec: SessionSpec, _ request: [UInt8], _ holder: UInt64, _ context: CallContext,
    _ completion: @escaping @Sendable (Result<OpenedSession, QubusError>) -> Void
  ) throws(QubusError) {
    let hash = Self.hash(request)
    if !spec.idempotencyKey.isEmpty,
      let known = openSession(of: context.principal, key: spec.idempotencyKey),
      known.base.requestHash == hash
    {
      audit?.note(entry(known.base, context).duplicate(of: known.id, kind: "session"))
      return completion(opened(again: known, holder))
    }
    let (account, number) = try admit(context.principal)
    let session: Session
    do throws(QubusError) {
      let plan = try preparation.prepare(spec, for: context.principal)
      let now = clock.now()
      try context.check(.openSessions, device: plan.device.name, now: now)
      if let drain = drains[plan.device.name] { throw .deviceOffline(drain) }
      if let ledger, let price = ledger.price(of: plan.device.name) {
        try ledger.check(price.perJob, class: "", for: context.principal, now: now)
      }
      try quotas.checkDay(
        of: context.principal, on: Resource.family(ofDevice: plan.device.name), shots: 0)
      try quotas.checkMemory(plan.estimatedBytes, of: context.principal)
      let secret = makeSecret()
      var record = record(plan, request, context)
      record.requestHash = hash
      record.secretHash = Self.hash(secret)
      session = Session(
        record, account: account, number: number, plan: plan, evaluator: nil, holder: holder,
        secret: secret, configuration: settings, meter: meter(record))
      try prepareFirstPlan(session)
    } catch {
      dismiss(account)
      throw error
    }
    store.perform(
      .open(session.base, audit: entry(session.base, context)) { [self] result in
        completion(committed(session, result, holder))
      })
  }

  private func entry(_ record: SessionRecord, _ context: CallContext) -> AuditEntry {
    context.entry(
      "OpenSession", .openSessions, "session \(record.id)", of: record.principal,
      device: record.device, at: clock.now())
  }

  /// After the commit, on the store's thread.
  private func committed(
    _ session: Session, _ result: Result<SessionRecord, QubusError>, _ holder: UInt64
  ) -> Result<OpenedSession, QubusError> {
    switch result {
    case .success(let record) where record.id == session.id:
      publish(session)
      logger.debug(
        "session opened",
        metadata: ["session_id": "\(session.id)", "trace_id": "\(record.traceID)"])
      return .success(OpenedSession(session: view(session), secret: session.secret))
    case .success(let record):
      withdraw(session)
      guard let known = table.withLock({ $0.sessions[record.id] }) else {
        return .success(OpenedSession(session: view(record), secret: []))
      }
      return opened(again: known, holder)
    case .failure(let error):
      withdraw(session)
      return .failure(error)
    }
  }

  /// An open that was repeated. Before the first step its answer may have been lost, so it is told
  /// again and the session goes to the connection that asks; later the first secret counts.
  private func opened(again session: Session, _ holder: UInt64) -> Result<OpenedSession, QubusError>
  {
    let isFresh = session.usage.lastSequence == 0 && !session.secret.isEmpty
    if isFresh { session.holder.store(holder, ordering: .relaxed) }
    return .success(
      OpenedSession(session: view(session), secret: isFresh ? session.secret : []))
  }

  private func openSession(of principal: Principal, key: String) -> Session? {
    table.withLock { table in
      table.sessions.values.first {
        $0.base.idempotencyKey == key && $0.account.principal == principal && !$0.isEnded
      }
    }
  }

  private func record(
    _ plan: SessionPlan, _ request: [UInt8], _ context: CallContext
  ) -> SessionRecord {
    let spec = plan.spec
    var record = SessionRecord(
      id: identifiers.next(), principal: context.principal, request: request,
      seed: spec.seed ?? identifiers.randomSeed(), openedAt: clock.now())
    record.clientVersion = context.clientVersion
    record.traceID = context.traceID
    record.idempotencyKey = spec.idempotencyKey
    record.device = plan.device.name
    record.name = spec.name
    record.tags = spec.tags
    record.idleSeconds = plan.limits.idleSeconds
    record.wallSeconds = plan.limits.wallSeconds
    record.maxSteps = plan.limits.maxSteps
    record.maxDeviceSeconds = plan.limits.maxDeviceSeconds
    record.memoryLimitBytes = plan.limits.memoryBytes
    return record
  }

  /// 32 bytes that nobody guesses.
  private func makeSecret() -> [UInt8] {
    (0..<4).flatMap { _ in
      withUnsafeBytes(of: identifiers.randomSeed().littleEndian) { Array($0) }
    }
  }

  // MARK: The table

  /// Counts a session that is about to be opened.
  /// - Throws: `too_many_sessions`, `quota_exceeded`.
  func admit(_ principal: Principal) throws(QubusError) -> (SessionAccount, number: Int) {
    try quotas.openSession(of: principal)
    do throws(QubusError) {
      return try place(of: principal)
    } catch {
      quotas.closeSession(of: principal)
      throw error
    }
  }

  private func place(
    of principal: Principal
  ) throws(QubusError) -> (SessionAccount, number: Int) {
    try table.withLock { (table) throws(QubusError) in
      guard table.open < settings.sessions else {
        throw QubusError(
          .tooManySessions,
          "the service holds \(table.open) sessions (limit: \(settings.sessions))",
          retryAfterMilliseconds: 5000)
      }
      let account = account(principal, &table)
      guard account.sessions < settings.sessionsPerPrincipal else {
        throw QubusError(
          .tooManySessions,
          "\(principal.name) holds \(account.sessions) sessions (limit: "
            + "\(settings.sessionsPerPrincipal)); close one first", retryAfterMilliseconds: 5000)
      }
      return count(account, &table)
    }
  }

  /// The same for one of an earlier life, which is never refused.
  func adopt(_ principal: Principal) -> (SessionAccount, number: Int) {
    quotas.restoreSession(of: principal)
    return table.withLock { table in count(account(principal, &table), &table) }
  }

  private func account(_ principal: Principal, _ table: inout Table) -> SessionAccount {
    if let account = table.accounts[principal] { return account }
    table.nextAccount += 1
    let account = SessionAccount(principal, number: table.nextAccount)
    table.accounts[principal] = account
    return account
  }

  private func count(_ account: SessionAccount, _ table: inout Table) -> (SessionAccount, Int) {
    account.sessions += 1
    table.open += 1
    table.nextSession += 1
    return (account, table.nextSession)
  }

  /// The session is not open any more, or never came to be.
  func dismiss(_ account: SessionAccount) {
    table.withLock { table in
      account.sessions -= 1
      table.open -= 1
      if account.sessions == 0 { table.accounts[account.principal] = nil }
    }
    quotas.closeSession(of: account.principal)
  }

  /// From now on it is found.
  func publish(_ session: Session) {
    table.withLock { $0.sessions[session.id] = session }
    door.add(session)
    tickFromNowOn()
  }

  /// One that was never found, and whose memory goes.
  private func withdraw(_ session: Session) {
    session.claimNow()
    session.core.evaluator = nil
    session.release()
    residency.forget(session)
    dismiss(session.account)
  }
}
