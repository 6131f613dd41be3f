internal import QubusCircuit
package import QubusCompiler
internal import QubusCore

/// What rows of one pub that run one after another share: the plan, the state's memory and the
/// prepared observables. Nothing of a row stays in it but memory. Used by one thread at a time.
package final class RowWorkspace {
  package let precision: Precision
  private let plans: PlanCache
  /// The plan that ran last.
  private var run: PlanRun?
  private var state: BlockedState?
  private var prepared: (observables: [PauliSum], positions: [UInt8], sums: [PreparedPauliSum])?

  /// - Parameter plans: where plans of earlier jobs are found and left for later ones.
  package init(_ precision: Precision, plans: PlanCache = PlanCache()) {
    self.precision = precision
    self.plans = plans
  }

  deinit {
    if let run { plans.keep(run) }
  }

  /// Evolves |0…0⟩ by a row's gates.
  /// - Parameter observed: qubits whose outcomes matter; nil for the whole state.
  /// - Returns: the state, which nobody else has, and the hash of the plan that ran.
  /// - Throws: `execution_canceled`, `insufficient_memory`.
  func evolve(
    _ bound: BoundProgram, observed: UInt64?, _ context: KernelContext
  ) throws(QubusError) -> (state: BlockedState, planHash: [UInt8]) {
    let state = try idleState(qubitCount: bound.program.circuit.qubitCount)
    let run = try plan(bound, observed: observed, context)
    try run.executor.run(run.binding.numbers, on: state, context)
    return (state, run.hash)
  }

  private func plan(
    _ bound: BoundProgram, observed: UInt64?, _ context: KernelContext
  ) throws(QubusError) -> PlanRun {
    let threadCount = context.team.threadCount
    if let run, run.key.observed == observed, run.key.threadCount == threadCount,
      try run.bind(bound.gates, context.cancellation)
    {
      return run
    }
    if let run { plans.keep(run) }
    run = nil
    let found = try plans.take(
      bound, observed: observed, precision, threadCount: threadCount, context.cancellation)
    run = found
    return found
  }

  /// Memory of an earlier row when no one holds it any more.
  private func idleState(qubitCount: Int) throws(QubusError) -> BlockedState {
    if isKnownUniquelyReferenced(&state), let state, state.qubitCount == qubitCount {
      return state
    }
    state = nil
    let made = try BlockedState(qubitCount: qubitCount, precision: precision)
    state = made
    return made
  }

  /// The observables laid out for states with these positions.
  func prepare(_ observables: [PauliSum], positions: [UInt8]) -> [PreparedPauliSum] {
    if let prepared, prepared.positions == positions, prepared.observables == observables {
      return prepared.sums
    }
    let sums = observables.map { PreparedPauliSum($0, positions: positions) }
    prepared = (observables, positions, sums)
    return sums
  }
}
