internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// The way back of adjoint differentiation: ψ = U|0⟩ and λ = Oψ are taken backwards through the
/// circuit together, with a stop wherever gates of several qubits hide what comes before them; at a
/// stop the derivatives 2 Im⟨λ|G|ψ⟩ by all angles that can be seen are read off in one pass (see
/// `OverlapStop`). Prepared once for a list of gates, then used by
/// one thread at a time for any rows and observables; a sweep allocates nothing.
///
/// - Source: Jones & Gacon 2020, "Efficient calculation of gradients in classical simulations of
///   variational quantum algorithms"; checked by `GradientTests` against finite differences.
final class AdjointSweep {
  private let wanted: [Bool]
  private let inputs: [InputParameter]
  private let observables: [PauliSumOperator]
  private let energy: PreparedOverlaps
  private var stops: [Stop] = []
  private let adjoint: BlockedState
  private let threadCount: Int
  /// Of the row that is worked on; one number for each input.
  private var gradient: [Double]
  private var sums: UnsafeMutablePointer<Double>
  private var slopes: UnsafeMutablePointer<Double>

  /// One stop on the way back: derivatives are read, then the gates of a run are undone.
  private struct Stop {
    var reading: OverlapStop
    var undo: Undo?
  }

  /// - Parameters:
  ///   - gates: those of the evolution that leads to ψ.
  ///   - wanted: inputs to differentiate by, one flag each.
  /// - Throws: `unsupported_program_feature` for gates without a derivative; `insufficient_memory`.
  init(
    _ gates: [GateApplication], _ inputs: [InputParameter], wanted: [Bool], _ plan: Plan,
    _ observables: [PauliSum], threadCount: Int
  ) throws(QubusError) {
    self.wanted = wanted
    self.inputs = inputs
    self.threadCount = threadCount
    adjoint = try BlockedState(qubitCount: plan.qubitCount, precision: plan.precision)
    let bits = adjoint.bitCount
    self.observables = observables.map {
      PauliSumOperator($0, positions: plan.finalPositions, bitCount: bits)
    }
    energy = PreparedOverlaps(bitCount: bits)
    gradient = [Double](repeating: 0, count: inputs.count)
    (sums, slopes) = (.allocate(capacity: 0), .allocate(capacity: 0))
    try prepareStops(
      try DifferentiableGate.decompose(gates, wanted: wanted), plan.finalPositions)
    let all = stops.map(\.reading.overlaps) + [energy]
    sums.deallocate()
    slopes.deallocate()
    sums = .allocate(capacity: all.map(\.scratchCount).max() ?? 0)
    slopes = .allocate(capacity: all.map(\.stringCount).max() ?? 0)
  }

  deinit {
    sums.deallocate()
    slopes.deallocate()
  }

  var memoryBytes: Int {
    let state = BlockedState.byteCount(qubitCount: adjoint.qubitCount, adjoint.precision)
    return stops.reduce(Int(state)) { $0 + ($1.undo?.memoryBytes ?? 0) }
  }

  // MARK: Preparation

  private func prepareStops(
    _ gates: [DifferentiableGate], _ positions: [UInt8]
  ) throws(QubusError) {
    guard let first = gates.firstIndex(where: { $0.generator != nil }) else { return }
    var positions = positions
    var stop = StopPlanning(qubitCount: adjoint.qubitCount)
    for gate in gates[first...].reversed() {
      if let generator = gate.generator, !stop.read(generator) {
        try finish(stop, undoing: stop.run, &positions)
        stop = StopPlanning(qubitCount: adjoint.qubitCount)
        let isRead = stop.read(generator)
        precondition(isRead, "nothing hides a gate from the state behind it")
      }
      stop.pass(gate.application)
    }
    try finish(stop, undoing: [], &positions)
  }

  /// Ends a stop: the run (last gate first) is undone after it.
  private func finish(
    _ stop: StopPlanning, undoing run: [GateApplication], _ positions: inout [UInt8]
  ) throws(QubusError) {
    let reading = try stop.finished(
      inputs, wanted: wanted, positions: positions, bitCount: adjoint.bitCount)
    var undo: Undo?
    if !run.isEmpty {
      var gates: [GateApplication] = []
      for gate in run { gates.append(try gate.inverted().moved(to: positions)) }
      let made = try Undo(gates, adjoint, threadCount: threadCount)
      positions = positions.map { made.finalPositions[Int($0)] }
      undo = made
    }
    stops.append(Stop(reading: reading, undo: undo))
  }

  // MARK: Sweeps

  /// Reads the derivatives of ⟨O⟩ by every input (0 for those that are not wanted).
  /// - Parameters:
  ///   - state: ψ; undone on the way.
  ///   - result: room for one number for each input.
  /// - Returns: ⟨O⟩, as `PreparedPauliSum` gives it up to rounding.
  /// - Throws: `execution_canceled`, and what the expressions throw for these inputs.
  func run(
    _ state: BlockedState, observable: Int, _ row: InputRow,
    to result: UnsafeMutablePointer<Double>, _ context: KernelContext
  ) throws(QubusError) -> Double {
    try observables[observable].apply(state, to: adjoint, context)
    try energy.values(adjoint, state, sums, to: slopes, context)
    let value = slopes[0]
    for index in gradient.indices { gradient[index] = 0 }
    for index in stops.indices {
      try stops[index].reading.overlaps.values(adjoint, state, sums, to: slopes, context)
      try stops[index].reading.add(slopes, row, by: wanted, to: &gradient)
      if let undo = stops[index].undo { try undo.run(row, state, adjoint, context) }
    }
    for index in gradient.indices { result[index] = gradient[index] }
    return value
  }
}

/// A run of gates undone on two states. Made for positions, not for qubits.
private final class Undo {
  private var trace: TraceBinding
  private var binding: PlanBinding
  private let executor: PlanExecutor

  init(
    _ gates: [GateApplication], _ state: BlockedState, threadCount: Int
  ) throws(QubusError) {
    trace = try TraceBinding(gates)
    let plan = try Planner.plan(
      trace.gates, qubitCount: state.qubitCount, precision: state.precision,
      startsFromZero: false)
    binding = try PlanBinding(plan, trace.gates)
    executor = try PlanExecutor(plan, threadCount: threadCount)
  }

  var finalPositions: [UInt8] { executor.plan.finalPositions }
  var memoryBytes: Int {
    ResidentEvolution.bytes(executor.plan, gates: trace.gates.gates.count, executor)
  }

  func run(
    _ row: InputRow, _ first: BlockedState, _ second: BlockedState, _ context: KernelContext
  ) throws(QubusError) {
    try trace.update(row)
    try binding.update(trace.gates)
    for qubit in first.positions.indices {
      first.positions[qubit] = UInt8(qubit)
      second.positions[qubit] = UInt8(qubit)
    }
    try executor.run(binding.numbers, continuing: first, second, context)
  }
}

extension GateApplication {
  /// The same gate on the positions of its qubits.
  func moved(to positions: [UInt8]) -> GateApplication {
    var result = self
    result.targets = targets.map { Int(positions[$0]) }
    result.controls = controls.map {
      Control(Int(positions[$0.qubit]), isPositive: $0.isPositive)
    }
    return result
  }
}
