package import QubusCircuit
package import QubusCompiler
package import QubusCore

/// The gradient of an expectation value from values of shifted circuits only, as estimates from
/// shots need it: every use of a parameter is shifted by itself, and the chain rule adds them up.
///
/// - Source: Schuld et al. 2019 (two terms: generators with two eigenvalues), Anselmetti et al.
///   2021 (four terms: eigenvalues -½, 0, ½); checked by `GradientTests`.
package struct ParameterShift: Sendable {
  /// One circuit to evaluate.
  package struct Evaluation: Sendable, Hashable {
    /// The use of an angle that is shifted.
    package var occurrence: Int
    /// Radians.
    package var shift: Double
    /// Factor of the circuit's value in the derivative by the angle.
    package var weight: Double
  }

  package let evaluations: [Evaluation]
  private let gates: [GateApplication]
  private let wanted: [Bool]
  /// For each occurrence the gate and its angle.
  private let occurrences: [(gate: Int, angle: Expression)]

  /// - Throws: as `GateTrace`; `unsupported_program_feature` for gates without a shift rule.
  package init(
    _ program: CompiledProgram, inputs: [Value], wanted: [Bool], cancellation: CancellationFlag
  ) throws(QubusError) {
    let trace = try GateTrace(
      program, inputs: inputs, wanted: wanted, cancellation: cancellation)
    let parts = try DifferentiableGate.decompose(trace.gates, wanted: wanted)
    gates = parts.map(\.application)
    self.wanted = wanted
    var occurrences: [(gate: Int, angle: Expression)] = []
    var evaluations: [Evaluation] = []
    for (index, part) in parts.enumerated() {
      guard let generator = part.generator, !generator.terms.isEmpty else { continue }
      let occurrence = occurrences.count
      occurrences.append((index, generator.angle))
      for (shift, weight) in Self.rule(part.application) {
        evaluations.append(Evaluation(occurrence: occurrence, shift: shift, weight: weight))
        evaluations.append(Evaluation(occurrence: occurrence, shift: -shift, weight: -weight))
      }
    }
    self.occurrences = occurrences
    self.evaluations = evaluations
  }

  /// Shifts and their weights; each comes with its negative.
  private static func rule(_ gate: GateApplication) -> [(Double, Double)] {
    let hasThreeEigenvalues: Bool
    switch gate.gate {
    case .phase, .globalPhase: hasThreeEigenvalues = false
    case .xxMinusYY, .xxPlusYY: hasThreeEigenvalues = true
    default: hasThreeEigenvalues = !gate.controls.isEmpty
    }
    if !hasThreeEigenvalues { return [(.pi / 2, 0.5)] }
    let root = 2.0.squareRoot()
    return [(.pi / 2, (root + 1) / (4 * root)), (1.5 * .pi, -(root - 1) / (4 * root))]
  }

  /// The circuit of one evaluation (nil: the circuit itself); all have the same structure.
  package func gates(
    _ inputs: [Value], _ evaluation: Evaluation?
  ) throws(QubusError) -> BoundGateList {
    var list = BoundGateList()
    let state = ClassicalState(bits: [], variables: [], inputs: inputs)
    let shifted = evaluation.map { occurrences[$0.occurrence].gate }
    for (index, gate) in gates.enumerated() {
      var gate = gate
      if let evaluation, index == shifted {
        gate.parameters[0] = .binary(.add, gate.parameters[0], .radians(evaluation.shift))
      }
      try list.append(gate, state)
    }
    return list
  }

  /// Derivatives by every input (0 for those that are not wanted).
  /// - Parameter values: the expectation value of each evaluation, in order.
  package func gradient(_ values: [Double], _ inputs: [Value]) throws(QubusError) -> [Double] {
    precondition(values.count == evaluations.count)
    var slopes = [Double](repeating: 0, count: occurrences.count)
    for (evaluation, value) in zip(evaluations, values) {
      slopes[evaluation.occurrence] += evaluation.weight * value
    }
    var gradient = [Double](repeating: 0, count: inputs.count)
    let state = ClassicalState(bits: [], variables: [], inputs: inputs)
    for (slope, occurrence) in zip(slopes, occurrences) {
      try occurrence.angle.addDerivatives(by: wanted, scale: slope, state, into: &gradient)
    }
    return gradient
  }
}
