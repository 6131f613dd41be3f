internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// The shifted circuits of a gradient from shots, one after another on one state.
final class ShiftedCircuits {
  let rule: ParameterShift
  private var run: (binding: PlanBinding, executor: PlanExecutor)?
  private let state: BlockedState
  private let threadCount: Int

  /// - Parameter state: lent; what it holds is lost.
  init(_ rule: ParameterShift, on state: BlockedState, threadCount: Int) {
    self.rule = rule
    self.state = state
    self.threadCount = threadCount
  }

  /// Evolves the circuit of one evaluation.
  func evolve(
    _ inputs: [Value], _ evaluation: ParameterShift.Evaluation, _ context: KernelContext
  ) throws(QubusError) -> BlockedState {
    let gates = try rule.gates(inputs, evaluation)
    if var run {
      self.run = nil
      try run.binding.update(gates)
      self.run = run
    } else {
      let plan = try Planner.plan(
        gates, qubitCount: state.qubitCount, precision: state.precision,
        cancellation: context.cancellation)
      run = (
        try PlanBinding(plan, gates), try PlanExecutor(plan, threadCount: threadCount)
      )
    }
    if let run { try run.executor.run(run.binding.numbers, on: state, context) }
    return state
  }
}
