internal import Logging
internal import QubusCore
internal import QubusJobs
internal import Synchronization

/// What comes with time while there are sessions: the journal of what they used, and the end of
/// those that are idle or open for too long.
extension SessionEngine {
  func tickFromNowOn() {
    let starts = table.withLock { table in
      defer { table.isTicking = true }
      return !table.isTicking
    }
    if starts { scheduleTick() }
  }

  private func scheduleTick() {
    surroundings.schedule(clock.now() + settings.journalMicroseconds) { [weak self] in
      self?.tick()
    }
  }

  private func tick() {
    guard !isOver else { return }
    let now = clock.now()
    let sessions = openSessions
    for session in sessions {
      guard let ending = session.timeEnding(now) else { continue }
      // A step that runs is use; the wall time is over whatever runs.
      let isUsed =
        session.inFlight.load(ordering: .relaxed) > 0
        || session.isOptimizing.load(ordering: .relaxed)
      if ending == .wallTime || !isUsed { end(session, ending) }
    }
    chargeQuotas(openSessions)
    journal {}
    let goesOn = table.withLock { table in
      table.isTicking = table.open > 0
      return table.isTicking
    }
    if goesOn { scheduleTick() }
  }

  private var openSessions: [Session] {
    table.withLock { $0.sessions.values.filter { !$0.isEnded } }
  }

  /// Writes what sessions used since the last time, all in one command.
  func journal(_ completion: @escaping @Sendable () -> Void) {
    var entries: [(id: Identifier, usage: SessionUsage, lastUsedAt: Microseconds)] = []
    var written: [(Session, UInt64)] = []
    for session in openSessions {
      let (usage, version) = session.usage.read()
      guard version != session.journaledVersion.load(ordering: .relaxed) else { continue }
      entries.append((session.id, usage, session.lastUsedAt.load(ordering: .relaxed)))
      written.append((session, version))
    }
    guard !entries.isEmpty else { return completion() }
    if ledger != nil { charge(written.map(\.0)) }
    store.perform(
      .journal(entries) { [self, written] result in
        switch result {
        case .success:
          for (session, version) in written {
            session.journaledVersion.store(version, ordering: .relaxed)
          }
        case .failure(let error):
          // Tried again with the next tick.
          logger.warning(
            "usage of sessions was not written", metadata: ["error": "\(error.logText)"])
        }
        completion()
      })
  }
}
