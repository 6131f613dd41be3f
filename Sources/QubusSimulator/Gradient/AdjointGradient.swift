package import QubusCircuit
package import QubusCompiler
package import QubusCore

/// The exact gradient of ⟨O⟩ by adjoint differentiation: ψ = U|0⟩ and λ = Oψ are taken backwards
/// through the circuit together; wherever gates that commute with what follows have angles, all
/// their derivatives 2 Im⟨λ|G|ψ⟩ are read off in one pass. Prepared once for a program, then used
/// by one thread at a time for any number of rows.
///
/// - Source: Jones & Gacon 2020, "Efficient calculation of gradients in classical simulations of
///   variational quantum algorithms"; checked by `GradientTests` against finite differences.
package final class AdjointGradient {
  private let trace: GateTrace
  private let wanted: [Bool]
  private let forward: PlanExecutor
  private var forwardBinding: PlanBinding
  private let observable: PauliSumOperator
  private let energy: PreparedPauliSum
  private let overlap: PreparedOverlaps
  private var steps: [Step] = []
  private let state: BlockedState
  private let adjoint: BlockedState

  /// One stop on the way back: derivatives are read, then the gates of a run are undone.
  private struct Step {
    var overlaps: PreparedOverlaps
    /// The angle of each generator.
    var angles: [Expression]
    var undo: Undo?
  }

  private struct Undo {
    var gates: [GateApplication]
    var executor: PlanExecutor
    var binding: PlanBinding
  }

  /// - Parameters:
  ///   - inputs: a first row; other rows may differ in the wanted inputs only.
  ///   - wanted: inputs to differentiate by, one flag each.
  /// - Throws: as `GateTrace`; `unsupported_program_feature` for gates and expressions without a
  ///   derivative; `insufficient_memory`.
  package init(
    _ program: CompiledProgram, _ sum: PauliSum, inputs: [Value], wanted: [Bool],
    precision: Precision, _ context: KernelContext
  ) throws(QubusError) {
    let qubits = program.circuit.qubitCount
    let threads = context.team.threadCount
    trace = try GateTrace(
      program, inputs: inputs, wanted: wanted, cancellation: context.cancellation)
    self.wanted = wanted
    let gates = try trace.bound(inputs)
    let plan = try Planner.plan(gates, qubitCount: qubits, precision: precision)
    forward = try PlanExecutor(plan, threadCount: threads)
    forwardBinding = try PlanBinding(plan, gates)
    state = try BlockedState(qubitCount: qubits, precision: precision)
    adjoint = try BlockedState(qubitCount: qubits, precision: precision)
    observable = PauliSumOperator(sum, positions: plan.finalPositions, bitCount: state.bitCount)
    energy = PreparedPauliSum(sum, positions: plan.finalPositions)
    overlap = PreparedOverlaps(bitCount: state.bitCount)
    let parts = try DifferentiableGate.decompose(trace.gates, wanted: wanted)
    try prepareSteps(parts, inputs, plan.finalPositions, threads)
  }

  private func prepareSteps(
    _ gates: [DifferentiableGate], _ inputs: [Value], _ positions: [UInt8], _ threads: Int
  ) throws(QubusError) {
    guard let first = gates.firstIndex(where: { $0.generator != nil }) else { return }
    var positions = positions
    var frame = CommutationFrame()
    var found: [DifferentiableGate.Generator] = []
    var run: [GateApplication] = []
    for gate in gates[first...].reversed() {
      if let generator = gate.generator {
        if !generator.terms.allSatisfy(frame.commutes) {
          try finishStep(&found, &run, inputs, &positions, threads)
          frame = CommutationFrame()
        }
        found.append(generator)
      }
      frame.add(gate.application)
      run.append(gate.application)
    }
    run = []
    try finishStep(&found, &run, inputs, &positions, threads)
  }

  /// Ends a stop: what was found is read there, and the run (last gate first) undone after it.
  private func finishStep(
    _ found: inout [DifferentiableGate.Generator], _ run: inout [GateApplication],
    _ inputs: [Value], _ positions: inout [UInt8], _ threads: Int
  ) throws(QubusError) {
    let overlaps = PreparedOverlaps(
      found.map(\.terms), positions: positions, bitCount: state.bitCount)
    var step = Step(overlaps: overlaps, angles: found.map(\.angle))
    if !run.isEmpty {
      var gates: [GateApplication] = []
      for gate in run { gates.append(try gate.inverted().moved(to: positions)) }
      let bound = try Self.bind(gates, inputs)
      let plan = try Planner.plan(
        bound, qubitCount: state.qubitCount, precision: state.precision, startsFromZero: false)
      step.undo = Undo(
        gates: gates, executor: try PlanExecutor(plan, threadCount: threads),
        binding: try PlanBinding(plan, bound))
      positions = positions.map { plan.finalPositions[Int($0)] }
    }
    steps.append(step)
    found = []
    run = []
  }

  private static func bind(
    _ gates: [GateApplication], _ inputs: [Value]
  ) throws(QubusError) -> BoundGateList {
    var list = BoundGateList()
    let state = ClassicalState(bits: [], variables: [], inputs: inputs)
    for gate in gates { try list.append(gate, state) }
    return list
  }

  /// ⟨O⟩ alone; `evaluate` gives the same up to rounding.
  package func value(
    _ inputs: [Value], _ context: KernelContext
  ) throws(QubusError) -> Double {
    try evolve(inputs, context)
    return try state.expectation(energy, context)
  }

  private func evolve(_ inputs: [Value], _ context: KernelContext) throws(QubusError) {
    try forwardBinding.update(try trace.bound(inputs))
    try forward.run(forwardBinding.numbers, on: state, context)
  }

  /// ⟨O⟩ and its derivatives by every input (0 for those that are not wanted).
  /// - Throws: `execution_canceled`, and what the expressions throw for these inputs.
  package func evaluate(
    _ inputs: [Value], _ context: KernelContext
  ) throws(QubusError) -> (value: Double, gradient: [Double]) {
    try context.team.activate { () throws(QubusError) in
      try evolve(inputs, context)
      var gradient = [Double](repeating: 0, count: inputs.count)
      try observable.apply(state, to: adjoint, context)
      let value = try overlap.values(adjoint, state, context)[0]
      let classical = ClassicalState(bits: [], variables: [], inputs: inputs)
      let wires = (0..<state.qubitCount).map { UInt8($0) }
      for index in steps.indices {
        let slopes = try steps[index].overlaps.values(adjoint, state, context)
        for (slope, angle) in zip(slopes, steps[index].angles) {
          try angle.addDerivatives(by: wanted, scale: slope, classical, into: &gradient)
        }
        guard steps[index].undo != nil else { continue }
        let gates = try Self.bind(steps[index].undo?.gates ?? [], inputs)
        try steps[index].undo?.binding.update(gates)
        guard let undo = steps[index].undo else { continue }
        for part in [state, adjoint] {
          // Undoing plans are made for positions, not for qubits.
          part.positions = wires
          try undo.executor.run(undo.binding.numbers, continuing: part, context)
        }
      }
      return (value, gradient)
    }
  }
}

extension GateApplication {
  /// The same gate on the positions of its qubits.
  fileprivate func moved(to positions: [UInt8]) -> GateApplication {
    var result = self
    result.targets = targets.map { Int(positions[$0]) }
    result.controls = controls.map {
      Control(Int(positions[$0.qubit]), isPositive: $0.isPositive)
    }
    return result
  }
}
