internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// What all lanes of a session's evaluator share: the program, what may be asked of it, and what
/// was found out once.
struct StepProgram: Sendable {
  let program: CompiledProgram
  let observables: [PauliSum]
  /// Inputs to differentiate by, one flag each.
  let wanted: [Bool]
  let outputs: StepOutputs
  let precision: Precision
  let seed: UInt64
  let limits: Limits
  let threadCount: Int
  /// The gates as functions of the inputs, when inputs decide nothing else and one final state
  /// exists; nil for programs that are bound row by row, as jobs do.
  let gates: [GateApplication]?

  var qubitCount: Int { program.circuit.qubitCount }

  /// - Throws: `too_many_qubits`, `invalid_outputs`, `invalid_observable`,
  ///   `unsupported_program_feature`.
  init(
    _ program: CompiledProgram, _ observables: [PauliSum], _ outputs: StepOutputs,
    wanted: [Bool]?, precision: Precision, seed: UInt64, limits: Limits, threadCount: Int,
    _ cancellation: CancellationFlag
  ) throws(QubusError) {
    let circuit = program.circuit
    let wanted = wanted ?? circuit.inputs.map(\.isReal)
    guard wanted.count == circuit.inputs.count else {
      throw .field(
        .parameterCountMismatch, "wanted_parameters",
        "\(wanted.count) flags for \(circuit.inputs.count) inputs")
    }
    self.program = program
    self.observables = observables
    self.outputs = outputs
    self.wanted = wanted
    self.precision = precision
    self.seed = seed
    self.limits = limits
    self.threadCount = threadCount
    try Self.check(program, observables, outputs, limits)
    gates = try Self.trace(program, outputs, wanted, limits, cancellation)
  }

  static func check(
    _ program: CompiledProgram, _ observables: [PauliSum], _ outputs: StepOutputs,
    _ limits: Limits
  ) throws(QubusError) {
    let circuit = program.circuit
    guard circuit.qubitCount <= limits.qubits else {
      throw .field(
        .tooManyQubits, "program",
        "the program has \(circuit.qubitCount) qubits, the device has \(limits.qubits)",
        limit: "\(limits.qubits)")
    }
    if outputs.contains(.stateVector), circuit.qubitCount > limits.stateVectorQubits {
      throw .field(
        .invalidOutputs, "outputs.state_vector", "\(circuit.qubitCount) qubits",
        limit: "\(limits.stateVectorQubits)")
    }
    for (index, observable) in observables.enumerated()
    where observable.qubitCount != circuit.qubitCount {
      throw .field(
        .invalidObservable, "observables[\(index)]",
        "acts on \(observable.qubitCount) qubits, the program has \(circuit.qubitCount)",
        limit: "\(circuit.qubitCount) qubits")
    }
    if outputs.contains(.counts), circuit.bitCount == 0 {
      throw .field(
        .invalidOutputs, "outputs.counts", "the program declares no classical bits")
    }
    if !outputs.isDisjoint(with: .ofOneState), program.analysis.mustRunPerShot {
      throw .field(
        .invalidOutputs, "outputs",
        "the program measures or resets qubits on its way, so it has no single final state")
    }
  }

  private static func trace(
    _ program: CompiledProgram, _ outputs: StepOutputs, _ wanted: [Bool], _ limits: Limits,
    _ cancellation: CancellationFlag
  ) throws(QubusError) -> [GateApplication]? {
    if outputs.isDisjoint(with: .ofOneState) { return nil }
    let inputs = program.circuit.inputs.map { Value.nought($0.type) }
    let every = [Bool](repeating: true, count: inputs.count)
    do throws(QubusError) {
      return try GateTrace(
        program, inputs: inputs, wanted: every, limits: limits, cancellation: cancellation
      ).gates
    } catch {
      guard error.code == .unsupportedProgramFeature else { throw error }
    }
    // Control flow that depends on inputs which nobody differentiates by is no obstacle.
    if outputs.contains(.gradients) {
      for instruction in program.code.instructions where instruction.isSteered(by: wanted) {
        throw QubusError(
          .unsupportedProgramFeature,
          "a gradient was asked for by an input that control flow or a variable depends on")
      }
    }
    return nil
  }
}

extension StepOutputs {
  /// What needs the program's one final state.
  static let ofOneState: StepOutputs = [.values, .gradients, .stateVector]
}

extension InputParameter {
  /// True for inputs that a gradient may be taken by.
  fileprivate var isReal: Bool {
    switch type {
    case .float, .angle: true
    case .bool, .int, .uint, .bits: false
    }
  }
}

extension Value {
  /// Zero of a type.
  fileprivate static func nought(_ type: ScalarType) -> Value {
    switch type {
    case .bool: .bool(false)
    case .int(let width): .int(0, width: width)
    case .uint(let width): .uint(0, width: width)
    case .float: .float(0)
    case .angle(let width): .angle(raw: 0, width: width)
    case .bits(let width): .bits(0, width: width)
    }
  }
}
