internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// Plans that rows of the same program share, with the memory that running them takes.
package final class PlanCache: Sendable {
  struct Key: Hashable {
    var circuitHash: [UInt8]
    var observed: UInt64?
    var precision: Precision
    var threadCount: Int
  }

  /// Plans kept, the one used last at the end.
  private let entries = Lock<[PlanRun]>([])
  private let limit: Int

  package init(limit: Int = 32) { self.limit = limit }

  /// Lends a plan for a row's gates, bound to them; its memory is the borrower's until `keep`.
  /// - Parameter observed: qubits whose outcomes matter; nil for the whole state.
  /// - Throws: `insufficient_memory`.
  func take(
    _ bound: BoundProgram, observed: UInt64?, _ precision: Precision, threadCount: Int
  ) throws(QubusError) -> PlanRun {
    let key = Key(
      circuitHash: bound.program.circuitHash, observed: observed, precision: precision,
      threadCount: threadCount)
    let found = entries.withLock { entries in
      entries.lastIndex { $0.key == key }.map { entries.remove(at: $0) }
    }
    // Control that depends on inputs gives other gates.
    if let found, found.bind(bound.gates) { return found }
    return try PlanRun(key, bound)
  }

  /// Takes a plan back for later rows.
  func keep(_ run: PlanRun) {
    entries.withLock { entries in
      entries.append(run)
      if entries.count > limit { entries.removeFirst() }
    }
  }
}

/// A plan bound to numbers and ready to run; used by one thread at a time.
///
/// `@unchecked Sendable`: handed over under the cache's lock.
final class PlanRun: @unchecked Sendable {
  let key: PlanCache.Key
  private(set) var binding: PlanBinding
  let executor: PlanExecutor
  /// Names the plan in provenance.
  let hash: [UInt8]

  init(_ key: PlanCache.Key, _ bound: BoundProgram) throws(QubusError) {
    let plan = try Planner.plan(
      bound.gates, qubitCount: bound.program.circuit.qubitCount, precision: key.precision,
      observed: key.observed)
    self.key = key
    binding = try PlanBinding(plan, bound.gates)
    executor = try PlanExecutor(plan, threadCount: key.threadCount)
    hash = plan.hash
  }

  /// False when the gates are not the plan's.
  func bind(_ gates: BoundGateList) -> Bool { (try? binding.update(gates)) != nil }
}
