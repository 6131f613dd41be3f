internal import QubusCompiler
internal import QubusCore

/// Plans that rows of the same program share, with the memory that running them takes.
package final class PlanCache: Sendable {
  private struct Key: Hashable {
    var circuitHash: [UInt8]
    var observed: UInt64?
    var precision: Precision
    var threadCount: Int
  }

  private struct Entry {
    var key: Key
    var run: PlanRun
  }

  /// Plans kept, the one used last at the end.
  private let entries = Lock<[Entry]>([])
  private let limit: Int

  package init(limit: Int = 32) { self.limit = limit }

  /// Evolves |0…0⟩ by a row's gates.
  /// - Parameter observed: qubits whose outcomes matter; nil for the whole state.
  /// - Throws: `execution_canceled`, `insufficient_memory`.
  func run(
    _ bound: BoundProgram, observed: UInt64?, on state: BlockedState, _ context: KernelContext
  ) throws(QubusError) {
    let key = Key(
      circuitHash: bound.program.circuitHash, observed: observed, precision: state.precision,
      threadCount: context.team.threadCount)
    let run: PlanRun
    if let known = take(key, bound.gates) {
      run = known
    } else {
      run = try PlanRun(
        bound.gates, observed: observed, state, threadCount: context.team.threadCount)
    }
    try run.executor.run(run.binding.numbers, on: state, context)
    entries.withLock { entries in
      entries.append(Entry(key: key, run: run))
      if entries.count > limit { entries.removeFirst() }
    }
  }

  /// Lends a plan of the same structure, bound to these gates.
  private func take(_ key: Key, _ gates: BoundGateList) -> PlanRun? {
    let found = entries.withLock { entries in
      entries.lastIndex { $0.key == key }.map { entries.remove(at: $0).run }
    }
    // Control that depends on inputs gives other gates.
    guard let found, (try? found.binding.update(gates)) != nil else { return nil }
    return found
  }
}

/// A plan bound to numbers and ready to run; used by one thread at a time.
///
/// `@unchecked Sendable`: handed over under the cache's lock.
private final class PlanRun: @unchecked Sendable {
  var binding: PlanBinding
  let executor: PlanExecutor

  init(
    _ gates: BoundGateList, observed: UInt64?, _ state: BlockedState, threadCount: Int
  ) throws(QubusError) {
    let plan = try Planner.plan(
      gates, qubitCount: state.qubitCount, precision: state.precision, observed: observed)
    binding = try PlanBinding(plan, gates)
    executor = try PlanExecutor(plan, threadCount: threadCount)
  }
}
