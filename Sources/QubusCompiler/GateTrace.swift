package import QubusCircuit
package import QubusCore

/// The gates that a program applies before its final measurements, as functions of its inputs.
package struct GateTrace: Sendable {
  /// In order; parameters read inputs only.
  package let gates: [GateApplication]

  /// Follows a program of one form for all values of some inputs.
  /// - Parameters:
  ///   - inputs: one value per input; those that are not `wanted` keep them.
  ///   - wanted: inputs that will take other values, one flag each.
  /// - Throws: `unsupported_program_feature` when control flow or a classical variable depends on a
  ///   wanted input, `invalid_outputs` when the program measures or resets on its way, and what
  ///   running its classical part throws.
  package init(
    _ program: CompiledProgram, inputs: [Value], wanted: [Bool], limits: Limits = Limits(),
    cancellation: CancellationFlag
  ) throws(QubusError) {
    for instruction in program.code.instructions {
      if instruction.isSteered(by: wanted) {
        throw QubusError(
          .unsupportedProgramFeature,
          "a gradient was asked for by an input that control flow or a variable depends on")
      }
    }
    var gates: [GateApplication] = []
    var machine = ClassicalMachine(program, inputs: inputs, tracksPending: true)
    var (touched, measured) = (UInt64(0), UInt64(0))
    while true {
      guard gates.count <= limits.programOperations else {
        throw QubusError(
          .programTooLarge,
          "the program runs more than \(limits.programOperations) operations with these inputs")
      }
      switch try machine.advance(program, limits: limits, cancellation: cancellation) {
      case .gate(_, let application):
        if application.qubitMask & measured != 0 { throw Self.measuresOnTheWay }
        touched |= application.qubitMask
        gates.append(try application.closed(over: machine.state))
      case .measure(let qubit, let target):
        measured |= 1 << UInt64(qubit)
        if let target, try !machine.leaveOpen(qubit: qubit, into: target) {
          throw Self.measuresOnTheWay
        }
      case .reset(let qubit):
        if touched & 1 << UInt64(qubit) != 0 { throw Self.measuresOnTheWay }
      case .needsOutcome: throw Self.measuresOnTheWay
      case .finished:
        self.gates = gates
        return
      }
    }
  }

  private static var measuresOnTheWay: QubusError {
    .field(
      .invalidOutputs, "outputs",
      "the program measures or resets qubits on its way, so it has no single final state")
  }

  /// The gates with numbers for one row.
  package func bound(_ inputs: [Value]) throws(QubusError) -> BoundGateList {
    var list = BoundGateList()
    let state = ClassicalState(bits: [], variables: [], inputs: inputs)
    for gate in gates { try list.append(gate, state) }
    return list
  }
}

extension GateApplication {
  fileprivate func closed(over state: ClassicalState) throws(QubusError) -> GateApplication {
    var result = self
    for index in parameters.indices {
      result.parameters[index] = try parameters[index].closed(over: state)
    }
    if let exponent { result.exponent = try exponent.closed(over: state) }
    return result
  }
}

extension Instruction {
  /// True when what it decides or stores depends on one of the inputs.
  package func isSteered(by wanted: [Bool]) -> Bool {
    switch self {
    case .gate, .measure, .reset, .jump, .enterLoop, .countIteration, .nextInRange, .end: false
    case .assignBit(_, let value), .assignRegister(_, _, let value), .assign(_, let value),
      .jumpUnless(let value, _), .select(let value, _, _):
      value.reads(inputs: wanted)
    case .enterRange(_, let first, let step, let last):
      first.reads(inputs: wanted) || step.reads(inputs: wanted) || last.reads(inputs: wanted)
    }
  }
}
