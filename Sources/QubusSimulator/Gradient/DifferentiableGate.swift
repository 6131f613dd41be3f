internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// One gate of a circuit cut so finely that each has at most one angle to differentiate by.
struct DifferentiableGate: Sendable {
  var application: GateApplication
  /// Set when the gate is exp(-i angle G) with an angle that depends on a wanted input.
  var generator: Generator?

  struct Generator: Sendable {
    var angle: Expression
    /// G as Pauli strings over qubits.
    var terms: [PauliTerm]
  }

  /// Controls beyond which a generator has too many Pauli strings.
  static let controlLimit = 10

  /// - Throws: `unsupported_program_feature` for a gate without a known derivative.
  static func decompose(
    _ gates: [GateApplication], wanted: [Bool]
  ) throws(QubusError) -> [DifferentiableGate] {
    var result: [DifferentiableGate] = []
    for gate in gates {
      let isWanted =
        gate.parameters.contains { $0.reads(inputs: wanted) }
        || gate.exponent?.reads(inputs: wanted) ?? false
      if isWanted {
        result += try parts(gate, wanted)
      } else {
        result.append(DifferentiableGate(application: gate))
      }
    }
    return result
  }

  /// The gate as a product of gates with one angle each, in order of application.
  private static func parts(
    _ gate: GateApplication, _ wanted: [Bool]
  ) throws(QubusError) -> [DifferentiableGate] {
    var power = 1.0
    if let exponent = gate.exponent {
      guard case .constant(let value) = exponent, value.real == value.real.rounded(),
        value.real == -1 || gate.gate.parameterCount == 1
      else {
        throw QubusError(
          .unsupportedProgramFeature,
          "a gradient was asked for by an input of a power of gate \(gate.gate.name)")
      }
      power = value.real
    }
    guard gate.controls.count <= controlLimit else {
      throw QubusError(
        .unsupportedProgramFeature,
        "a gradient through a gate with more than \(controlLimit) controls was asked for")
    }
    var parts: [(Gate, Expression, [Int])] = []
    let (angles, targets) = (gate.parameters, gate.targets)
    switch gate.gate {
    case .globalPhase, .phase, .rx, .ry, .rz, .rxx, .ryy, .rzz, .rzx:
      parts = [(gate.gate, try angles[0].scaled(power), targets)]
      power = 1
    case .r:
      // Rz(φ) Rx(θ) Rz(-φ).
      parts = [
        (.rz, try angles[1].scaled(-1), targets), (.rx, angles[0], targets),
        (.rz, angles[1], targets),
      ]
    case .u:
      // P(φ) Ry(θ) P(λ).
      parts = [
        (.phase, angles[2], targets), (.ry, angles[0], targets), (.phase, angles[1], targets),
      ]
    case .xxMinusYY, .xxPlusYY:
      // P(β) on the upper target, the gate with β = 0, P(-β).
      let upper = [targets[1]]
      parts = [
        (.phase, try angles[1].scaled(-1), upper), (gate.gate, angles[0], targets),
        (.phase, angles[1], upper),
      ]
    case .identity, .x, .y, .z, .h, .s, .sdg, .t, .tdg, .sx, .sxdg, .swap, .iswap, .dcx, .ecr:
      throw QubusError(
        .unsupportedProgramFeature,
        "a gradient was asked for by an input of a power of gate \(gate.gate.name)")
    }
    if power == -1 {
      parts.reverse()
      for index in parts.indices { parts[index].1 = try parts[index].1.scaled(-1) }
    }
    return parts.map { part in
      let isExchange = part.0 == .xxMinusYY || part.0 == .xxPlusYY
      return DifferentiableGate(
        application: GateApplication(
          part.0, isExchange ? [part.1, .radians(0)] : [part.1], targets: part.2,
          controls: gate.controls),
        generator: part.1.reads(inputs: wanted)
          ? Generator(
            angle: part.1, terms: generator(part.0, targets: part.2, controls: gate.controls))
          : nil)
    }
  }

  /// G with gate(angle) = exp(-i angle G).
  private static func generator(
    _ gate: Gate, targets: [Int], controls: [Control]
  ) -> [PauliTerm] {
    let bits = targets.map { UInt64(1) << UInt64($0) }
    var terms: [PauliTerm]
    switch gate {
    case .rx: terms = [PauliTerm(x: bits[0], z: 0, coefficient: 0.5)]
    case .ry: terms = [PauliTerm(x: bits[0], z: bits[0], coefficient: 0.5)]
    case .rz: terms = [PauliTerm(x: 0, z: bits[0], coefficient: 0.5)]
    case .rxx: terms = [PauliTerm(x: bits[0] | bits[1], z: 0, coefficient: 0.5)]
    case .ryy:
      terms = [PauliTerm(x: bits[0] | bits[1], z: bits[0] | bits[1], coefficient: 0.5)]
    case .rzz: terms = [PauliTerm(x: 0, z: bits[0] | bits[1], coefficient: 0.5)]
    case .rzx:
      // Z on the first, X on the second target.
      terms = [PauliTerm(x: bits[1], z: bits[0], coefficient: 0.5)]
    case .xxPlusYY, .xxMinusYY:
      let both = bits[0] | bits[1]
      terms = [
        PauliTerm(x: both, z: 0, coefficient: 0.25),
        PauliTerm(x: both, z: both, coefficient: gate == .xxPlusYY ? 0.25 : -0.25),
      ]
    case .phase:
      // exp(iλ (1 - Z)/2).
      terms = [
        PauliTerm(x: 0, z: 0, coefficient: -0.5), PauliTerm(x: 0, z: bits[0], coefficient: 0.5),
      ]
    default:
      precondition(gate == .globalPhase)
      terms = [PauliTerm(x: 0, z: 0, coefficient: -1)]
    }
    for control in controls {
      // Times (1 ∓ Z)/2 on every control.
      let bit = UInt64(1) << UInt64(control.qubit)
      terms = terms.flatMap { term in
        [
          PauliTerm(x: term.x, z: term.z, coefficient: term.coefficient / 2),
          PauliTerm(
            x: term.x, z: term.z | bit,
            coefficient: control.isPositive ? -term.coefficient / 2 : term.coefficient / 2),
        ]
      }
    }
    // What is the same for all states has no derivative.
    return terms.filter { $0.x | $0.z != 0 }
  }
}

extension Expression {
  fileprivate func scaled(_ factor: Double) throws(QubusError) -> Expression {
    if factor == 1 { return self }
    if case .constant(let value) = self { return .radians(factor * value.real) }
    return factor == -1 ? .unary(.minus, self) : .binary(.multiply, .radians(factor), self)
  }
}
