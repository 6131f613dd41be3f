internal import DequeModule
internal import Logging
package import QubusCore
internal import QubusJobs
internal import QubusTenancy
internal import Synchronization

extension SessionEngine {
  package func closeSession(
    _ id: Identifier, context: CallContext,
    completion: @escaping @Sendable (Result<SessionView, QubusError>) -> Void
  ) {
    do throws(QubusError) {
      if let session = try known(id, .closeSessions, context) {
        return close(session, context, completion)
      }
    } catch {
      return completion(.failure(error))
    }
    // Not in memory: reading it may take its time.
    let isTaken = surroundings.compile { [self] in
      do throws(QubusError) {
        completion(.success(try session(id, .closeSessions, context)))
      } catch {
        completion(.failure(error))
      }
    }
    if !isTaken { completion(.failure(isOver ? .shuttingDown : .compileQueueFull)) }
  }

  private func close(
    _ session: Session, _ context: CallContext,
    _ completion: @escaping @Sendable (Result<SessionView, QubusError>) -> Void
  ) {
    let entry = context.entry(
      "CloseSession", .closeSessions, "session \(session.id)", of: session.base.principal,
      at: clock.now())
    let answer: @Sendable (Result<Void, QubusError>) -> Void = { [self] result in
      completion(result.map { view(session) })
    }
    let waits = table.withLock { _ -> Bool in
      guard !session.isPutAway else { return false }
      session.closers.append(answer)
      if session.closing == nil { session.closing = entry }
      return true
    }
    guard waits else { return answer(.success(())) }
    end(session, .closed)
  }

  /// The session is over: what waits is refused, what runs is stopped, and the end is written as
  /// soon as nobody holds the session. Does nothing when it is over already.
  func end(_ session: Session, _ ending: SessionEnding) {
    guard session.markEnded(ending) else { return }
    session.flag.cancel()
    let (tickets, tasks) = room.close(session)
    if !tickets.isEmpty || !tasks.isEmpty {
      let error = overError(session)
      for ticket in tickets { ticket.answer(.failure(error)) }
      for task in tasks { task.fail(error) }
    }
    putAway(session)
  }

  /// Writes the end and forgets the session, once: by whoever ended it, or by whoever still had the
  /// claim then.
  func putAway(_ session: Session) {
    guard let ending = session.ending, ending != .withdrawn, session.tryClaim() else { return }
    let isFirst = !session.core.isFinal
    session.core.isFinal = true
    session.core.evaluator = nil
    let usage = session.core.usage
    session.release()
    guard isFirst else { return }
    residency.forget(session)
    chargeQuotas(session, usage)
    let now = clock.now()
    session.closedAt.store(now, ordering: .relaxed)
    dismiss(session.account)
    forget(session, ending)
    if session.meter != nil { charge(session, usage, at: now) }
    // What a limit ends, nobody closed.
    let entry = ending == .closed ? table.withLock { _ in session.closing } : nil
    store.perform(
      .end(
        session.id, ending.isByLimit ? .ended : .closed, reason: ending.reason, usage: usage,
        at: now, audit: entry
      ) { [self] result in
        if case .failure(let error) = result {
          logger.warning(
            "the end of a session was not written",
            metadata: ["session_id": "\(session.id)", "error": "\(error.logText)"])
        }
        let closers = table.withLock { _ in
          defer { session.closers = [] }
          session.isPutAway = true
          return session.closers
        }
        for closer in closers { closer(result) }
      })
  }

  /// Closed ones at once; those that a limit ended stay known for a while, so that their clients
  /// hear why.
  private func forget(_ session: Session, _ ending: SessionEnding) {
    let gone = table.withLock { table -> Identifier? in
      guard ending.isByLimit else {
        table.sessions[session.id] = nil
        return session.id
      }
      table.ended.append(session.id)
      guard table.ended.count > settings.endedKept, let oldest = table.ended.popFirst()
      else { return nil }
      table.sessions[oldest] = nil
      return oldest
    }
    if let gone { door.remove(gone) }
  }
}
