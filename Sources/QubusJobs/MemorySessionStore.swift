package import QubusCore

/// A session store that forgets: the reference of the contract suite, and the store of engine
/// tests. A completion runs at once, on the caller's thread.
package final class MemorySessionStore: SessionStore {
  private struct State {
    var sessions: [Identifier: SessionRecord] = [:]
    var optimizations: [Identifier: OptimizationRecord] = [:]
    var checkpoints: [Identifier: [OptimizationCheckpoint]] = [:]
  }
  private let state = Lock(State())

  package let audit: MemoryAudit

  package init(audit: MemoryAudit = MemoryAudit()) { self.audit = audit }

  package func perform(_ command: SessionCommand) {
    switch command {
    case .open(let record, let entry, let completion):
      completion(
        state.withLock { state in
          let opened = Self.open(record, &state)
          if let entry, case .success(let session) = opened {
            let isNew = session.id == record.id
            audit.append(isNew ? entry : entry.duplicate(of: session.id, kind: "session"))
          }
          return opened
        })
    case .journal(let entries, let completion):
      state.withLock { state in
        for entry in entries where state.sessions[entry.id]?.state == .open {
          state.sessions[entry.id]?.usage = entry.usage
          state.sessions[entry.id]?.lastUsedAt = entry.lastUsedAt
        }
      }
      completion(.success(()))
    case .end(let id, let ending, let reason, let usage, let time, let entry, let completion):
      state.withLock { state in
        guard var record = state.sessions[id], record.state == .open else { return }
        record.state = ending
        record.reason = reason
        record.usage = usage
        record.closedAt = time
        state.sessions[id] = record
        if let entry { audit.append(entry) }
      }
      completion(.success(()))
    case .startOptimization(let record, let completion):
      completion(
        state.withLock { state in
          guard state.sessions[record.session] != nil else {
            return .failure(.sessionNotFound(record.session))
          }
          state.optimizations[record.id] = record
          return .success(())
        })
    // Money is kept in a database only.
    case .charge(_, let completion): completion(.success(()))
    case .checkpoint(let checkpoint, let completion):
      completion(state.withLock { Self.keep(checkpoint, &$0) })
    case .endOptimization(let id, let ending, let time, let completion):
      state.withLock { state in
        guard state.optimizations[id]?.ending == "" else { return }
        state.optimizations[id]?.ending = ending
        state.optimizations[id]?.endedAt = time
      }
      completion(.success(()))
    }
  }

  private static func open(
    _ record: SessionRecord, _ state: inout State
  ) -> Result<SessionRecord, QubusError> {
    let known = state.sessions.values.first {
      $0.state == .open && !$0.idempotencyKey.isEmpty && $0.principal == record.principal
        && $0.idempotencyKey == record.idempotencyKey
    }
    if let known {
      guard known.requestHash == record.requestHash else {
        return .failure(
          .idempotencyConflict(
            key: record.idempotencyKey, of: "session", existing: known.id,
            existingFingerprint: known.requestHash, fingerprint: record.requestHash))
      }
      return .success(known)
    }
    guard state.sessions[record.id] == nil else {
      return .failure(QubusError(.invariantViolated, "session id \(record.id) is taken"))
    }
    state.sessions[record.id] = record
    return .success(record)
  }

  private static func keep(
    _ checkpoint: OptimizationCheckpoint, _ state: inout State
  ) -> Result<Void, QubusError> {
    guard state.optimizations[checkpoint.optimization] != nil else {
      return .failure(.optimizationNotFound(checkpoint.optimization))
    }
    var kept = state.checkpoints[checkpoint.optimization, default: []]
    kept.removeAll { $0.iteration == checkpoint.iteration }
    kept.append(checkpoint)
    kept.sort { $0.iteration < $1.iteration }
    if let spare = OptimizationCheckpoint.spare(of: kept.map(\.iteration)) {
      kept.removeAll { $0.iteration == spare }
    }
    state.checkpoints[checkpoint.optimization] = kept
    return .success(())
  }

  package func session(_ id: Identifier) -> SessionRecord? {
    state.withLock { $0.sessions[id] }
  }

  package func sessions(
    of principal: Principal, endedAfter: Microseconds?, before: Identifier?, limit: Int
  ) -> [SessionRecord] {
    let all = state.withLock { Array($0.sessions.values) }
    let wanted = all.filter { record in
      let owner = record.principal
      return owner.tenant == principal.tenant && owner.project == principal.project
        && (principal.name.isEmpty || owner.name == principal.name)
        && before.map { record.id < $0 } ?? true
        && (record.state == .open
          || endedAfter.map { (record.closedAt ?? 0) > $0 } ?? false)
    }
    return Array(wanted.sorted { $0.id > $1.id }.prefix(max(0, limit)))
  }

  package func openSessions() -> [SessionRecord] {
    state.withLock { $0.sessions.values.filter { $0.state == .open } }.sorted { $0.id < $1.id }
  }

  package func optimization(_ id: Identifier) -> OptimizationRecord? {
    state.withLock { $0.optimizations[id] }
  }

  package func checkpoint(
    _ id: Identifier, atOrBefore iteration: UInt64
  ) -> OptimizationCheckpoint? {
    state.withLock { $0.checkpoints[id]?.last { $0.iteration <= iteration } }
  }
}
