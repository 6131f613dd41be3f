package import QubusCircuit
package import QubusCore

/// A program for one row: classical control that does not depend on outcomes is resolved.
package struct BoundProgram: Sendable {
  /// Where a classical bit gets its final value.
  package enum BitSource: Sendable, Hashable {
    case constant(Bool)
    /// The outcome of measuring this qubit at the end.
    case qubit(Int)
  }

  package enum Form: Sendable {
    /// Every measurement can wait until the end: one evolution serves all shots.
    case terminal(bits: [BitSource])
    /// The gates are a common prefix; from `start` on every shot runs by itself.
    case perShot(start: ClassicalMachine)
  }

  package let program: CompiledProgram
  package internal(set) var inputs: [Value]
  package let limits: Limits
  /// Gates from |0…0⟩ up to the end, or to the first measurement or reset of a row that runs shot
  /// by shot.
  package internal(set) var gates: BoundGateList
  package let form: Form
}

extension BoundProgram {
  /// Resolves a program for one row of inputs.
  /// - Parameter inputs: one value per `Circuit.inputs`, of its type.
  /// - Throws: `invalid_parameter_value`, `loop_limit_exceeded`, `division_by_zero`,
  ///   `index_out_of_range`, `program_too_large`, `execution_canceled`.
  package init(
    _ program: CompiledProgram, inputs: [Value], limits: Limits = Limits(),
    cancellation: CancellationFlag
  ) throws(QubusError) {
    var parametric: [ParametricGate]?
    try self.init(
      program, inputs: inputs, limits: limits, cancellation: cancellation, noting: &parametric)
  }

  /// The same, and the gates whose numbers are not in the source.
  /// - Parameter parametric: nil when nobody asks for them.
  init(
    _ program: CompiledProgram, inputs: [Value], limits: Limits, cancellation: CancellationFlag,
    noting parametric: inout [ParametricGate]?
  ) throws(QubusError) {
    guard program.circuit.qubitCount <= limits.qubits else {
      throw QubusError(
        .tooManyQubits,
        "the program has \(program.circuit.qubitCount) qubits, the limit is \(limits.qubits)")
    }
    guard inputs.count == program.circuit.inputs.count else {
      throw QubusError(
        .parameterCountMismatch,
        "\(inputs.count) values for \(program.circuit.inputs.count) inputs")
    }
    var tracer = PrefixTracer(program, inputs: inputs)
    tracer.parametric = parametric
    let isTerminal = try tracer.run(limits, cancellation)
    parametric = tracer.parametric
    self.program = program
    self.inputs = inputs
    self.limits = limits
    if isTerminal {
      form = .terminal(bits: tracer.bitSources)
    } else {
      form = .perShot(start: tracer.cutAtFirstOutcome())
    }
    gates = tracer.gates
  }
}

/// Follows a program as far as no outcome is needed, leaving measurements open.
private struct PrefixTracer {
  private let program: CompiledProgram
  private var machine: ClassicalMachine
  private(set) var gates = BoundGateList()
  /// Gates whose numbers are not in the source, when they are asked for.
  var parametric: [ParametricGate]?
  /// Qubits that left |0⟩, and qubits whose measurement is open.
  private var touched: UInt64 = 0
  private var measured: UInt64 = 0
  /// Position before the first measurement or reset, and the gates up to there.
  private var cut: (machine: ClassicalMachine, gateCount: Int)?

  init(_ program: CompiledProgram, inputs: [Value]) {
    self.program = program
    machine = ClassicalMachine(program, inputs: inputs, tracksPending: true)
    gates.gates.reserveCapacity(program.analysis.gateCount)
  }

  var bitSources: [BoundProgram.BitSource] {
    machine.state.bits.indices.map { bit in
      machine.pendingQubit(ofBit: bit).map { .qubit($0) } ?? .constant(machine.state.bits[bit])
    }
  }

  /// - Returns: true when the whole program was followed.
  mutating func run(_ limits: Limits, _ cancellation: CancellationFlag) throws(QubusError) -> Bool {
    var steps = 0
    while true {
      steps += 1
      if steps & 0xFFF == 0 {
        try cancellation.check()
        guard steps <= limits.programOperations else {
          throw QubusError(
            .programTooLarge,
            "the program runs more than \(limits.programOperations) operations with these inputs")
        }
      }
      switch try machine.advance(program, limits: limits, cancellation: cancellation) {
      case .gate(_, let application):
        let qubits = application.qubitMask
        if qubits & measured != 0 { return false }
        touched |= qubits
        let index = gates.gates.count
        try gates.append(application, machine.state)
        if parametric != nil, index < gates.gates.count, !gates.gates[index].isConstant {
          parametric?.append(
            ParametricGate(index: index, application: application, state: machine.state))
        }
      case .measure(let qubit, let target):
        noteOutcome()
        measured |= 1 << UInt64(qubit)
        if let target, try !machine.leaveOpen(qubit: qubit, into: target) { return false }
      case .reset(let qubit):
        let bit = UInt64(1) << UInt64(qubit)
        if touched & bit == 0 { continue }
        noteOutcome()
        return false
      case .needsOutcome: return false
      case .finished: return true
      }
    }
  }

  /// Remembers the state before the first outcome; classical steps before it stay done.
  private mutating func noteOutcome() {
    guard cut == nil else { return }
    var earlier = machine
    earlier.stepBack()
    cut = (earlier, gates.gates.count)
  }

  /// Drops what came after the first measurement or reset.
  mutating func cutAtFirstOutcome() -> ClassicalMachine {
    guard let cut else { preconditionFailure("a row without outcomes is terminal") }
    gates.removeGates(from: cut.gateCount)
    return cut.machine
  }
}

extension GateApplication {
  /// One bit for every qubit the gate touches.
  package var qubitMask: UInt64 {
    var mask: UInt64 = 0
    for target in targets { mask |= 1 << UInt64(target) }
    for control in controls { mask |= 1 << UInt64(control.qubit) }
    return mask
  }
}
