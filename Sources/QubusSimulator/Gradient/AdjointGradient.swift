package import QubusCircuit
package import QubusCompiler
package import QubusCore

/// The exact gradient of ⟨O⟩ by adjoint differentiation (see `AdjointSweep`). Prepared once for a
/// program, then used by one thread at a time for any number of rows.
package final class AdjointGradient {
  private let evolution: ResidentEvolution
  private let sweep: AdjointSweep
  private let energy: PreparedPauliSum
  private var row: InputRow

  /// - Parameters:
  ///   - inputs: a first row; other rows may differ in the wanted inputs only.
  ///   - wanted: inputs to differentiate by, one flag each.
  /// - Throws: as `GateTrace`; `unsupported_program_feature` for gates and expressions without a
  ///   derivative; `insufficient_memory`.
  package init(
    _ program: CompiledProgram, _ sum: PauliSum, inputs: [Value], wanted: [Bool],
    precision: Precision, _ context: KernelContext
  ) throws(QubusError) {
    let threads = context.team.threadCount
    let trace = try GateTrace(
      program, inputs: inputs, wanted: wanted, cancellation: context.cancellation)
    evolution = try ResidentEvolution(
      trace.gates, qubitCount: program.circuit.qubitCount, precision, threadCount: threads,
      context.cancellation)
    sweep = try AdjointSweep(
      trace.gates, program.circuit.inputs, wanted: wanted, evolution.plan, [sum],
      threadCount: threads)
    energy = PreparedPauliSum(sum, positions: evolution.plan.finalPositions)
    row = InputRow(program.circuit.inputs)
  }

  /// ⟨O⟩ alone; `evaluate` gives the same up to rounding.
  package func value(
    _ inputs: [Value], _ context: KernelContext
  ) throws(QubusError) -> Double {
    row.set(inputs)
    try evolution.run(row, context)
    return try evolution.state.expectation(energy, context)
  }

  /// ⟨O⟩ and its derivatives by every input (0 for those that are not wanted).
  /// - Throws: `execution_canceled`, and what the expressions throw for these inputs.
  package func evaluate(
    _ inputs: [Value], _ context: KernelContext
  ) throws(QubusError) -> (value: Double, gradient: [Double]) {
    row.set(inputs)
    // Room for one number even without inputs.
    var gradient = [Double](repeating: 0, count: max(1, inputs.count))
    let value = try context.team.activate { () throws(QubusError) in
      try evolution.run(row, context)
      return try gradient.withUnsafeMutableBufferPointer { (gradient) throws(QubusError) in
        try sweep.run(
          evolution.state, observable: 0, row, to: gradient.baseAddress.unsafelyUnwrapped,
          context)
      }
    }
    gradient.removeLast(gradient.count - inputs.count)
    return (value, gradient)
  }
}
