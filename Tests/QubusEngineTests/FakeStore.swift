import QubusCore
import QubusJobs

@testable import QubusEngine

/// A memory store that a test can hold back or let fail; it outlives engines, as a disk does.
final class FakeStore: JobStore {
  struct State: Sendable {
    var isHolding = false
    var held: [StoreCommand] = []
    /// Answers the error of a command that is to fail.
    var failure: (@Sendable (JobUpdate) -> QubusError?)?
    var acceptFailure: QubusError?
    /// Changes what a command writes, as a store that another release wrote would have it.
    var rewrite: (@Sendable (inout JobUpdate) -> Void)?
    var updates: [JobUpdate] = []
    var refusedCount = 0
    /// Called by whoever hands a change over, on its thread.
    var whenCalled: Hook?
    /// Accepts and updates of each call, in order.
    var groups: [Int] = []
  }
  struct Hook: Sendable {
    var call: @Sendable () -> Void
  }
  let memory: MemoryJobStore
  let state = Monitor(State())

  init(clock: any Clock) { memory = MemoryJobStore(clock: clock) }

  var schemaVersion: Int { memory.schemaVersion }

  func perform(_ command: StoreCommand) {
    if case .flush = command {
    } else {
      state.signal { $0.groups.append(1) }
      state.withLock { $0.whenCalled }?.call()
    }
    hold(command)
  }

  private func hold(_ command: StoreCommand) {
    let isHeld = state.signal { state -> Bool in
      if state.isHolding { state.held.append(command) }
      return state.isHolding
    }
    if !isHeld { pass(command) }
  }

  /// Carries out what was held back and holds no more.
  func release() {
    let held = state.signal { state -> [StoreCommand] in
      state.isHolding = false
      defer { state.held = [] }
      return state.held
    }
    for command in held { pass(command) }
  }

  private func pass(_ command: StoreCommand) {
    switch command {
    case .accept(_, _, _, let completion):
      if let error = state.withLock({ $0.acceptFailure }) { return completion(.failure(error)) }
    case .update(let update, let completion):
      let failure = state.withLock { $0.failure }
      if let error = failure?(update) {
        state.signal { $0.refusedCount += 1 }
        return completion(.failure(error))
      }
      state.signal { $0.updates.append(update) }
      if let rewrite = state.withLock({ $0.rewrite }) {
        var changed = update
        rewrite(&changed)
        return memory.perform(.update(changed, completion: completion))
      }
    case .flush: break
    }
    memory.perform(command)
  }

  func refused(_ count: Int) async {
    let state = self.state
    await onThread { state.wait { $0.refusedCount >= count ? () : nil } }
  }
  func held(_ count: Int) async {
    let state = self.state
    await onThread { state.wait { $0.held.count >= count ? () : nil } }
  }

  func job(_ id: Identifier) throws(QubusError) -> JobRecord? { try memory.job(id) }
  func jobs(_ filter: JobFilter) throws(QubusError) -> [JobRecord] { try memory.jobs(filter) }
  func unfinishedJobs() throws(QubusError) -> [JobRecord] { try memory.unfinishedJobs() }
  func events(
    _ id: Identifier, after sequence: UInt64, limit: Int
  ) throws(QubusError) -> [JobEvent] {
    try memory.events(id, after: sequence, limit: limit)
  }
  func result(_ id: Identifier) throws(QubusError) -> (ResultManifest, Provenance)? {
    try memory.result(id)
  }
  func resultChunk(
    _ id: Identifier, item: Int, chunk: Int
  ) throws(QubusError) -> [UInt8] {
    try memory.resultChunk(id, item: item, chunk: chunk)
  }
  func close() throws(QubusError) { try memory.close() }
}
