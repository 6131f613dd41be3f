package import QubusJobs

extension SessionEngine {
  /// Ends the open sessions of those principals: their project, their tenant or they themselves
  /// were disabled. Returns before the ends are written.
  package func endSessions(of isMeant: (Principal) -> Bool) {
    let meant = table.withLock { table in
      table.sessions.values.filter { isMeant($0.account.principal) }
    }
    for session in meant { end(session, .disabled) }
  }
}
