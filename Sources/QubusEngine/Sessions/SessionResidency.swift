internal import QubusCore
internal import Synchronization

/// Memory of all resident plans together. The least recently used plan is dropped when another
/// needs its memory; its session builds it again with its next step.
final class SessionResidency: Sendable {
  private struct State {
    var plans: [Int: (session: Session, bytes: UInt64)] = [:]
    var total: UInt64 = 0
  }
  private let state = Monitor(State())
  let limit: UInt64

  init(limit: UInt64) { self.limit = limit }

  var total: UInt64 { state.withLock { $0.total } }

  /// Sets memory aside for a session that has no plan; drops others' as needed.
  /// - Returns: false when what would have to go is in use now.
  func reserve(_ bytes: UInt64, for session: Session) -> Bool {
    state.withLock { state in
      precondition(state.plans[session.number] == nil, "a session has one plan")
      guard Self.shrink(&state, to: limit - min(limit, bytes)) else { return false }
      state.plans[session.number] = (session, bytes)
      state.total += bytes
      return true
    }
  }

  /// What the plan really takes, now and then: it may grow with what steps ask for.
  func settle(_ session: Session, bytes: UInt64) {
    session.memoryBytes.store(bytes, ordering: .relaxed)
    state.withLock { state in
      guard let plan = state.plans[session.number], plan.bytes != bytes else { return }
      state.plans[session.number] = (session, bytes)
      state.total = state.total - plan.bytes + bytes
      _ = Self.shrink(&state, to: limit, except: session.number)
    }
  }

  /// The session has no plan any more.
  func forget(_ session: Session) {
    session.memoryBytes.store(0, ordering: .relaxed)
    state.withLock { state in
      guard let plan = state.plans.removeValue(forKey: session.number) else { return }
      state.total -= plan.bytes
    }
  }

  /// Drops plans until no more than `bytes` are taken: those of sessions with nothing to do first,
  /// the least recently used before others.
  private static func shrink(_ state: inout State, to bytes: UInt64, except: Int? = nil) -> Bool {
    if state.total <= bytes { return true }
    let candidates = state.plans.values.filter { $0.session.number != except }
      .map { (isBusy($0.session), $0.session.lastUsedAt.load(ordering: .relaxed), $0.session) }
      .sorted { ($0.0 ? 1 : 0, $0.1, $0.2.number) < ($1.0 ? 1 : 0, $1.1, $1.2.number) }
    for (_, _, session) in candidates where state.total > bytes {
      guard session.tryClaim() else { continue }
      let isDropped = session.core.evaluator != nil
      session.core.evaluator = nil
      session.memoryBytes.store(0, ordering: .relaxed)
      session.release()
      guard isDropped, let plan = state.plans.removeValue(forKey: session.number) else { continue }
      state.total -= plan.bytes
    }
    return state.total <= bytes
  }

  private static func isBusy(_ session: Session) -> Bool {
    session.inFlight.load(ordering: .relaxed) > 0
      || session.isOptimizing.load(ordering: .relaxed)
  }
}
