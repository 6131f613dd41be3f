internal import QubusCircuit
internal import QubusCore

extension Elaborator {
  /// Expands a fractional power of a one-qubit gate of several steps with constant angles, such as
  /// `pow(0.5) @ U(…)`: the steps are multiplied out and the principal power is taken.
  /// - Returns: false when the call is no such gate.
  func expandUnitaryPower(_ call: GateCall, _ span: Span) throws(QubusError) -> Bool {
    guard call.definition.qubitCount == 1, var matrix = try unitary(call, span) else {
      return false
    }
    for power in call.powers {
      guard let exponent = power.constantValue?.real, exponent.isFinite else { return false }
      matrix = matrix.power(exponent)
    }
    let angles = matrix.rotationAngles
    let steps = [
      GateApplication(.globalPhase, [.radians(angles.alpha)], targets: []),
      GateApplication(
        .u, [.radians(angles.theta), .radians(angles.phi), .radians(angles.lambda)], targets: [0]),
    ]
    let product = GateDefinition(
      call.definition.name, parameterCount: 0, qubitCount: 1, steps: steps.map { .primitive($0) })
    try apply(
      GateCall(definition: product, controls: call.controls, qubits: call.qubits), span)
    return true
  }

  /// The matrix of a call without its powers and controls, nil when an angle is not constant.
  private func unitary(_ call: GateCall, _ span: Span) throws(QubusError) -> Matrix? {
    var matrix = Matrix.identity(dimension: 2)
    try spend(call.definition.operationCount, span)
    for step in call.definition.steps {
      guard let factor = try unitary(step, of: call, span) else { return nil }
      matrix = factor * matrix
    }
    return matrix
  }

  private func unitary(
    _ step: GateStep, of call: GateCall, _ span: Span
  ) throws(QubusError) -> Matrix? {
    switch step {
    case .primitive(let application):
      var plain = call
      plain.powers = []
      plain.controls = []
      guard let gate = try primitive(application, plain, span) else {
        return .identity(dimension: 2)
      }
      var angles: [Double] = []
      for parameter in gate.parameters {
        guard let value = parameter.constantValue?.real else { return nil }
        angles.append(value)
      }
      guard let matrix = Matrix.onOneQubit(gate.gate, angles) else { return nil }
      guard let exponent = gate.exponent else { return matrix }
      return exponent.constantValue.map { matrix.power($0.real) }
    case .call(let inner):
      var plain = call
      plain.powers = []
      plain.controls = []
      let merged = try instantiated(inner, plain, span)
      guard var matrix = try unitary(merged, span) else { return nil }
      for power in merged.powers {
        guard let exponent = power.constantValue?.real else { return nil }
        matrix = matrix.power(exponent)
      }
      return matrix
    }
  }
}
