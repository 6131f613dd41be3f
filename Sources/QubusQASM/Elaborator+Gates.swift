internal import QubusCircuit
internal import QubusCore

extension Elaborator {
  func elaborateCall(_ call: GateCallSyntax, _ span: Span) throws(QubusError) {
    let definition = try gate(call.name, operandCount: call.operands.count, span)
    guard let definition else { return }
    guard call.parameters.count == definition.parameterCount else {
      throw semantic(
        "gate '\(definition.name)' takes \(counted(definition.parameterCount, "parameter")),"
          + " this call has \(call.parameters.count)", call.name.span)
    }
    let modifiers = try modifiers(call.modifiers)
    let needed = definition.qubitCount + modifiers.controls.count
    guard call.operands.count == needed else {
      throw semantic(
        "gate '\(definition.name)' acts on \(counted(needed, "qubit")) here,"
          + " this call has \(call.operands.count)", call.name.span)
    }
    var parameters: [Expression] = []
    parameters.reserveCapacity(call.parameters.count)
    for syntax in call.parameters { parameters.append(try angle(syntax)) }
    var operands: [Operand] = []
    operands.reserveCapacity(needed)
    for syntax in call.operands { operands.append(try qubits(syntax)) }
    let rounds = try broadcastLength(operands, call)
    let controlCount = modifiers.controls.count
    for round in 0..<rounds {
      var chosen: [Int] = []
      chosen.reserveCapacity(needed)
      for operand in operands { chosen.append(operand.indices[operand.isScalar ? 0 : round]) }
      if needed > 1 { try checkDistinct(chosen, span) }
      try apply(
        GateCall(
          definition: definition, parameters: parameters,
          controls: controlCount == 0
            ? []
            : zip(chosen, modifiers.controls).map { Control($0, isPositive: $1) },
          qubits: controlCount == 0 ? chosen : Array(chosen[controlCount...]),
          powers: modifiers.powers), span)
    }
  }

  /// The definition a call names; nil for a delay, which is ignored.
  private func gate(
    _ name: NameSyntax, operandCount: Int, _ span: Span
  ) throws(QubusError) -> GateDefinition? {
    if dialect == .openqasm3, name.name == Keyword.gphase.rawValue {
      return StandardGates.globalPhase
    }
    let symbol = try lookup(name)
    switch symbol {
    case .gate(let definition): return definition
    case .opaque(1, 1) where text(name) == "delay":
      notice("delay is ignored: devices here are ideal in time unless they say otherwise", span)
      return nil
    case .opaque:
      throw unsupported("the opaque gate '\(text(name))' has no definition", name.span)
    default:
      throw semantic("'\(text(name))' is \(symbol.description), not a gate", name.span)
    }
  }

  /// Controls in operand order (true is positive), and powers in order of application.
  private func modifiers(
    _ syntax: [ModifierSyntax]
  ) throws(QubusError) -> (controls: [Bool], powers: [Expression]) {
    guard !syntax.isEmpty else { return ([], []) }
    var controls: [Bool] = []
    var powers: [Expression] = []
    for modifier in syntax {
      switch modifier {
      case .inverse: powers.append(.constant(.int(-1, width: 64)))
      case .power(let exponent): powers.append(try number(exponent))
      case .control(let count, let isPositive, let span):
        let number = try count.map { syntax throws(QubusError) in try self.size(syntax) } ?? 1
        guard controls.count + number <= limits.qubits else {
          throw failure(
            .tooManyQubits, "more controls than the limit of \(limits.qubits) qubits", span)
        }
        controls.append(contentsOf: repeatElement(isPositive, count: number))
      }
    }
    return (controls, powers.reversed())
  }

  private func broadcastLength(
    _ operands: [Operand], _ call: GateCallSyntax
  ) throws(QubusError) -> Int {
    var length: Int?
    for (position, operand) in operands.enumerated() where !operand.isScalar {
      let count = operand.indices.count
      if let length, length != count {
        throw semantic(
          "the registers of one gate must have the same size, here \(length) and \(count)",
          call.operands[position].span)
      }
      length = count
    }
    return length ?? 1
  }

  func counted(_ count: Int, _ noun: String) -> String {
    "\(count) \(noun)\(count == 1 ? "" : "s")"
  }

  func declareOpaque(
    _ name: NameSyntax, parameterCount: Int, qubitCount: Int
  ) throws(QubusError) {
    try declare(name, .opaque(parameterCount: parameterCount, qubitCount: qubitCount))
  }

  func defineGate(_ gate: GateSyntax, _ span: Span) throws(QubusError) {
    guard scopes.isGlobal else {
      throw semantic("gates can be defined in the global scope only", gate.name.span)
    }
    let name = text(gate.name)
    gateSteps = []
    scopes.push()
    defer { gateSteps = nil }
    do throws(QubusError) {
      defer { scopes.pop() }
      for (position, parameter) in gate.parameters.enumerated() {
        try declare(parameter, .gateParameter(position))
      }
      for (position, qubit) in gate.qubits.enumerated() {
        try declare(qubit, .qubits(.range(position..<(position + 1)), isScalar: true))
      }
      _ = try elaborate(gate.body)
    } catch {
      throw recursionExplained(error, name)
    }
    let definition = GateDefinition(
      name, parameterCount: gate.parameters.count, qubitCount: gate.qubits.count,
      steps: gateSteps ?? [])
    guard definition.depth <= limits.programDepth else {
      throw failure(
        .programTooDeep,
        "gate '\(name)' nests more than \(limits.programDepth) levels of gates", gate.name.span)
    }
    try declare(gate.name, .gate(definition))
  }

  /// A gate is not declared inside its own body, so a recursive call looks like an unknown name.
  private func recursionExplained(_ error: QubusError, _ name: String) -> QubusError {
    guard error.code == .undeclaredIdentifier, error.location?.text == name else { return error }
    var explained = error
    explained.code = .programSemanticError
    explained.message = "gate '\(name)' calls itself; gates cannot be recursive"
    return explained
  }
}
