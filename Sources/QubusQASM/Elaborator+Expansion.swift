internal import QubusCircuit
internal import QubusCore

extension Elaborator {
  /// Adds a gate call to the circuit, or to the gate that is being defined.
  func apply(_ call: GateCall, _ span: Span) throws(QubusError) {
    guard gateSteps != nil else {
      try spend(max(call.operationCount, 1), span)
      return try expand(call, span)
    }
    try spend(1, span)
    if call.definition.steps.isEmpty { return }
    if call.definition.steps.count == 1, case .primitive(let step) = call.definition.steps[0] {
      if let gate = try primitive(step, call, span) { gateSteps?.append(.primitive(gate)) }
    } else {
      gateSteps?.append(.call(call))
    }
  }

  private func expand(_ call: GateCall, _ span: Span) throws(QubusError) {
    let steps = call.definition.steps
    if steps.count == 1 {
      switch steps[0] {
      case .primitive(let step):
        if let gate = try primitive(step, call, span) {
          operations.append(.gate(gate.withoutControlledPhase))
        }
      case .call(let inner):
        var merged = try instantiated(inner, call, span)
        merged.powers += call.powers
        try expand(merged, span)
      }
      return
    }
    guard !steps.isEmpty, let times = try repetitions(call, span) else { return }
    for _ in 0..<times.magnitude {
      for position in steps.indices {
        let step = steps[times < 0 ? steps.count - 1 - position : position]
        try expandStep(step, call, isInverted: times < 0, span)
      }
    }
  }

  private func expandStep(
    _ step: GateStep, _ call: GateCall, isInverted: Bool, _ span: Span
  ) throws(QubusError) {
    switch step {
    case .primitive(let application):
      var plain = call
      plain.powers = isInverted ? [Elaborator.minusOne] : []
      if let gate = try primitive(application, plain, span) {
        operations.append(.gate(gate.withoutControlledPhase))
      }
    case .call(let inner):
      var merged = try instantiated(inner, call, span)
      if isInverted { merged.powers.append(Elaborator.minusOne) }
      try expand(merged, span)
    }
  }

  private static let minusOne = Expression.constant(.int(-1, width: 64))

  /// How often a gate of several steps is repeated; nil when a fractional power was resolved.
  private func repetitions(_ call: GateCall, _ span: Span) throws(QubusError) -> Int64? {
    if let times = call.integerPower { return times }
    if try expandUnitaryPower(call, span) { return nil }
    throw unsupported(
      "a power of gate '\(call.definition.name)', which consists of several gates, must be an"
        + " integer known when the program is compiled", span)
  }

  /// One row of the table with the call's parameters, qubits, powers and controls; nil for the
  /// identity.
  func primitive(
    _ step: GateApplication, _ call: GateCall, _ span: Span
  ) throws(QubusError) -> GateApplication? {
    var gate = step
    for position in gate.targets.indices {
      gate.targets[position] = call.qubits[gate.targets[position]]
    }
    for position in gate.controls.indices {
      gate.controls[position].qubit = call.qubits[gate.controls[position].qubit]
    }
    try located(span) { () throws(QubusError) in
      for position in gate.parameters.indices {
        gate.parameters[position] = try gate.parameters[position].replacingInputs {
          $0 < call.parameters.count ? call.parameters[$0] : .input($0)
        }
      }
      if let exponent = gate.exponent {
        gate.exponent = try exponent.replacingInputs { call.parameters[$0] }
      }
    }
    for power in call.powers {
      let isInteger = type(of: power).isInteger
      guard
        let raised = try located(
          span, { () throws(QubusError) in try gate.raised(to: power, isInteger: isInteger) })
      else { return nil }
      gate = raised
    }
    if !call.controls.isEmpty { gate.controls = call.controls + gate.controls }
    return gate
  }

  /// A call in a gate's body, with the parameters and qubits of the outer call put in.
  func instantiated(
    _ inner: GateCall, _ outer: GateCall, _ span: Span
  ) throws(QubusError) -> GateCall {
    var call = inner
    try located(span) { () throws(QubusError) in
      for position in call.parameters.indices {
        call.parameters[position] = try call.parameters[position].replacingInputs {
          outer.parameters[$0]
        }
      }
      for position in call.powers.indices {
        call.powers[position] = try call.powers[position].replacingInputs { outer.parameters[$0] }
      }
    }
    for position in call.qubits.indices {
      call.qubits[position] = outer.qubits[call.qubits[position]]
    }
    for position in call.controls.indices {
      call.controls[position].qubit = outer.qubits[call.controls[position].qubit]
    }
    call.controls = outer.controls + call.controls
    return call
  }
}

extension GateApplication {
  /// A controlled global phase as a phase gate on one of its positive controls.
  fileprivate var withoutControlledPhase: GateApplication {
    guard gate == .globalPhase, let position = controls.lastIndex(where: \.isPositive) else {
      return self
    }
    var result = self
    result.gate = .phase
    result.targets = [controls[position].qubit]
    result.controls.remove(at: position)
    return result
  }
}
