internal import QubusCore

/// The iterations of an optimization on their way to those who watch. One thread reports, so that
/// every watcher is told in order; slices append, anyone joins and leaves.
final class OptimizationLog: Sendable {
  private struct Watch: Sendable {
    var watcher: any OptimizationWatcher
    /// The first iteration that was not told.
    var next: UInt64
    /// Earlier iterations, from a replay.
    var replayed: IterationBatch
    var isReplaying: Bool
  }
  private struct State: Sendable {
    var recent: IterationBatch
    var counters = OptimizationCounters()
    var ending: Result<OptimizationReport, QubusError>?
    var watches: [ObjectIdentifier: Watch] = [:]
  }
  /// Numbers in one report.
  private static let reportNumbers = 1 << 18
  private let state: Monitor<State>
  private let id: Identifier
  /// Iterations kept for a watcher that does not read.
  private let limit: Int

  init(_ id: Identifier, parameterCount: Int, nextIteration: UInt64, limit: Int) {
    self.id = id
    self.limit = limit
    state = Monitor(
      State(recent: IterationBatch(first: nextIteration, parameterCount: parameterCount)))
  }

  var isWatched: Bool { state.withLock { !$0.watches.isEmpty } }
  var isEnded: Bool { state.withLock { $0.ending != nil } }

  /// Tells a watcher the iterations after `after`.
  /// - Returns: the first iteration that this log still knows, when earlier ones are missing: they
  ///   have to be replayed to the watcher.
  func join(_ watcher: any OptimizationWatcher, after: UInt64) -> UInt64? {
    state.withLock { state in
      let known = state.recent.first
      let isMissing = after + 1 < known
      state.watches[ObjectIdentifier(watcher)] = Watch(
        watcher: watcher, next: isMissing ? known : after + 1,
        replayed: IterationBatch(
          first: after + 1, parameterCount: state.recent.parameterCount),
        isReplaying: isMissing)
      return isMissing ? known : nil
    }
  }

  /// - Returns: whether it was watching.
  func leave(_ watcher: any OptimizationWatcher) -> Bool {
    state.withLock { $0.watches.removeValue(forKey: ObjectIdentifier(watcher)) != nil }
  }

  func isWatched(by watcher: any OptimizationWatcher) -> Bool {
    state.withLock { $0.watches[ObjectIdentifier(watcher)] != nil }
  }

  /// What a slice did.
  func append(_ batch: IterationBatch, _ counters: OptimizationCounters) {
    state.withLock { state in
      state.counters = counters
      state.recent.append(batch)
      if state.watches.isEmpty {
        state.recent.clear()
      } else if state.recent.count > limit {
        state.recent.removeFirst(state.recent.count - limit)
      }
    }
  }

  /// Iterations replayed for one watcher.
  /// - Returns: whether there is room for more.
  func append(_ batch: IterationBatch, to watcher: any OptimizationWatcher, isLast: Bool) -> Bool {
    state.withLock { state in
      let key = ObjectIdentifier(watcher)
      guard var watch = state.watches.removeValue(forKey: key) else { return false }
      watch.replayed.append(batch)
      if isLast { watch.isReplaying = false }
      state.watches[key] = watch
      return watch.replayed.count < limit
    }
  }

  func hasRoom(for watcher: any OptimizationWatcher) -> Bool {
    state.withLock { ($0.watches[ObjectIdentifier(watcher)]?.replayed.count ?? 0) < limit }
  }

  /// Nothing follows; told after all iterations before it.
  func end(_ ending: Result<OptimizationReport, QubusError>) {
    state.withLock { if $0.ending == nil { $0.ending = ending } }
  }

  /// Nothing follows, not even what was not told.
  func abort(_ error: QubusError) {
    let watches = state.withLock { state in
      state.ending = .failure(error)
      defer { state.watches = [:] }
      return Array(state.watches.values)
    }
    for watch in watches { watch.watcher.ended(.failure(error)) }
  }

  /// A watcher whose replay failed.
  func abort(_ watcher: any OptimizationWatcher, _ error: QubusError) {
    if leave(watcher) { watcher.ended(.failure(error)) }
  }

  /// Tells everyone who reads what they have not been told. On one thread.
  /// - Returns: whether anyone still watches.
  func report() -> Bool {
    let readers = state.withLock { $0.watches.filter { _ in true } }
      .filter { $0.value.watcher.mayReport }
    for (key, watch) in readers {
      let (progress, ending) = state.withLock { state in Self.news(key, id, &state) }
      if let progress { watch.watcher.progressed(progress) }
      if let ending { watch.watcher.ended(ending) }
    }
    return state.withLock { state in
      Self.trim(&state)
      return !state.watches.isEmpty
    }
  }

  private static func news(
    _ key: ObjectIdentifier, _ id: Identifier, _ state: inout State
  ) -> (OptimizationProgress?, Result<OptimizationReport, QubusError>?) {
    guard var watch = state.watches.removeValue(forKey: key) else { return (nil, nil) }
    let limit = max(1, reportNumbers / max(1, state.recent.parameterCount))
    var batch: IterationBatch
    if watch.replayed.count > 0 {
      batch = watch.replayed.slice(from: 0, limit: limit)
      watch.replayed.removeFirst(batch.count)
    } else if watch.isReplaying {
      batch = watch.replayed
    } else {
      batch = state.recent.slice(from: watch.next, limit: limit)
      watch.next = batch.next
    }
    let isTold =
      !watch.isReplaying && watch.replayed.count == 0 && watch.next >= state.recent.next
    let ending = isTold ? state.ending : nil
    if ending == nil { state.watches[key] = watch }
    guard batch.count > 0 else { return (nil, ending) }
    var progress = OptimizationProgress(id: id, firstIteration: batch.first)
    progress.values = batch.values
    progress.gradientNorms = batch.norms
    progress.parameters = batch.parameters
    progress.evaluations = state.counters.evaluations
    progress.shotsUsed = state.counters.shotsUsed
    progress.deviceMicroseconds = Int64(clamping: state.counters.deviceNanoseconds / 1000)
    return (progress, ending)
  }

  private static func trim(_ state: inout State) {
    let needed = state.watches.values.map(\.next).min() ?? state.recent.next
    let told = Int(min(max(needed, state.recent.first), state.recent.next) - state.recent.first)
    if told > 0 { state.recent.removeFirst(told) }
  }
}
