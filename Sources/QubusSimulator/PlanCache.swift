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

  private struct Kept {
    /// The one used last at the end.
    var runs: [PlanRun] = []
    var bytes = 0
  }
  private let kept = Lock(Kept())
  private let limit: Int
  private let byteLimit: Int

  /// - Parameter byteLimit: of all plans kept; one that takes more than a quarter is not kept.
  package init(limit: Int = 32, byteLimit: Int = 64 << 20) {
    self.limit = limit
    self.byteLimit = byteLimit
  }

  /// Lends a plan for a row's gates, bound to them; its memory is the borrower's until `keep`.
  /// - Parameter observed: qubits whose outcomes matter; nil for the whole state.
  /// - Throws: `insufficient_memory`, `execution_canceled`.
  func take(
    _ bound: BoundProgram, observed: UInt64?, _ precision: Precision, threadCount: Int,
    _ cancellation: CancellationFlag
  ) throws(QubusError) -> PlanRun {
    let key = Key(
      circuitHash: bound.program.circuitHash, observed: observed, precision: precision,
      threadCount: threadCount)
    let found = kept.withLock { kept -> PlanRun? in
      guard let place = kept.runs.lastIndex(where: { $0.key == key }) else { return nil }
      kept.bytes -= kept.runs[place].bytes
      return kept.runs.remove(at: place)
    }
    // Control that depends on inputs gives other gates.
    if let found, try found.bind(bound.gates, cancellation) { return found }
    return try PlanRun(key, bound, cancellation)
  }

  /// Takes a plan back for later rows.
  func keep(_ run: PlanRun) {
    guard run.bytes <= byteLimit / 4 else { return }
    // Destroyed after the lock was given back.
    var dropped: [PlanRun] = []
    kept.withLock { kept in
      kept.runs.append(run)
      kept.bytes += run.bytes
      while kept.runs.count > limit || kept.bytes > byteLimit {
        let oldest = kept.runs.removeFirst()
        kept.bytes -= oldest.bytes
        dropped.append(oldest)
      }
    }
    dropped.removeAll()
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
  /// Memory it takes, roughly: gates, terms and operations with their numbers.
  let bytes: Int

  init(
    _ key: PlanCache.Key, _ bound: BoundProgram, _ cancellation: CancellationFlag
  ) throws(QubusError) {
    let plan = try Planner.plan(
      bound.gates, qubitCount: bound.program.circuit.qubitCount, precision: key.precision,
      observed: key.observed, cancellation: cancellation)
    self.key = key
    binding = try PlanBinding(plan, bound.gates, cancellation: cancellation)
    executor = try PlanExecutor(
      plan, threadCount: key.threadCount, cancellation: cancellation)
    hash = try plan.hash(cancellation)
    bytes =
      512 * (bound.gates.gates.count + plan.operations.count) + 32 * plan.coefficientCount
      + executor.buffers.chunkMemory
  }

  /// False when the gates are not the plan's.
  /// - Throws: `execution_canceled`.
  func bind(_ gates: BoundGateList, _ cancellation: CancellationFlag) throws(QubusError) -> Bool {
    do throws(QubusError) {
      try binding.update(gates, cancellation: cancellation)
      return true
    } catch {
      if error.code == .executionCanceled { throw error }
      return false
    }
  }
}
