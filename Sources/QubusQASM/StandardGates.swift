internal import QubusCircuit

/// The gate libraries that programs include, and what Qiskit accepts without a definition.
///
/// Sources: `stdgates.inc` of the OpenQASM 3 specification; Qiskit's `qelib1.inc` and its
/// `LEGACY_CUSTOM_INSTRUCTIONS`. Matrices are Qiskit's; where the two libraries differ by a phase
/// (u2, u3, U) each language has its own, because the phase matters under control.
enum StandardGates {
  /// What `include "qelib1.inc"` declares: the gates of the OpenQASM 2 paper.
  static let qelib1 = common + [u1, u2, u3, row("cu1", .phase, controls: 1), cu3, ch, crz]

  /// Gates that OpenQASM 2 programs may use or define anew.
  static let legacy =
    [
      row("u0", .identity, parameters: 1), row("u", .u), row("p", .phase), row("sx", .sx),
      row("sxdg", .sxdg), row("swap", .swap), row("cswap", .swap, controls: 1),
      row("crx", .rx, controls: 1), row("cry", .ry, controls: 1), row("cp", .phase, controls: 1),
      row("csx", .sx, controls: 1), cu, row("rxx", .rxx), row("ryy", .ryy), row("rzz", .rzz),
      row("rzx", .rzx), row("iswap", .iswap), row("dcx", .dcx), row("ecr", .ecr),
      row("xx_minus_yy", .xxMinusYY), row("xx_plus_yy", .xxPlusYY), row("cs", .s, controls: 1),
      row("csdg", .sdg, controls: 1), row("ccz", .z, controls: 2), row("c3x", .x, controls: 3),
      row("c3sqrtx", .sx, controls: 3), row("c4x", .x, controls: 4), rccx, rc3x,
    ] + [controlledNot, plainU]

  /// What `include "stdgates.inc"` declares. `CX` is built in, see `builtIn3`.
  static let stdgates =
    common + [
      row("p", .phase), row("sx", .sx), row("crx", .rx, controls: 1),
      row("cry", .ry, controls: 1), crz, ch, row("cp", .phase, controls: 1), row("swap", .swap),
      row("cswap", .swap, controls: 1), cu, row("phase", .phase),
      row("cphase", .phase, controls: 1), u1, phasedU2, phasedU3,
    ]

  /// Gates of OpenQASM 3 that need no include. `CX` is the controlled X of the specification's
  /// text; its definition in `stdgates.inc` by `ctrl @ U(π, 0, π)` would add a phase.
  static let builtIn3 = [specificationU, controlledNot]

  static let globalPhase = GateDefinition(
    "gphase", parameterCount: 1, qubitCount: 0,
    steps: [.primitive(GateApplication(.globalPhase, [.input(0)], targets: []))])

  private static let common = [
    row("id", .identity), row("x", .x), row("y", .y), row("z", .z), row("h", .h), row("s", .s),
    row("sdg", .sdg), row("t", .t), row("tdg", .tdg), row("rx", .rx), row("ry", .ry),
    row("rz", .rz), row("cx", .x, controls: 1), row("cy", .y, controls: 1),
    row("cz", .z, controls: 1), row("ccx", .x, controls: 2),
  ]
  private static let ch = row("ch", .h, controls: 1)
  private static let crz = row("crz", .rz, controls: 1)
  private static let controlledNot = row("CX", .x, controls: 1)
  private static let u1 = row("u1", .phase)
  private static let u3 = row("u3", .u)
  private static let cu3 = row("cu3", .u, controls: 1)
  private static let plainU = row("U", .u)
  private static let halfPi = Expression.radians(.pi / 2)

  private static let u2 = GateDefinition(
    "u2", parameterCount: 2, qubitCount: 1,
    steps: [.primitive(GateApplication(.u, [halfPi, .input(0), .input(1)], targets: [0]))])

  /// U(θ, φ, λ) = e^{iθ/2} u(θ, φ, λ), as OpenQASM 3 defines it.
  private static let specificationU = GateDefinition(
    "U", parameterCount: 3, qubitCount: 1,
    steps: [
      .primitive(
        GateApplication(
          .globalPhase, [.binary(.divide, .input(0), .radians(2))], targets: [])),
      .primitive(GateApplication(.u, [.input(0), .input(1), .input(2)], targets: [0])),
    ])

  private static let phasedU2 = GateDefinition(
    "u2", parameterCount: 2, qubitCount: 1,
    steps: [
      .primitive(GateApplication(.globalPhase, [minusHalfSum(.input(0), .input(1))], targets: [])),
      .primitive(GateApplication(.u, [halfPi, .input(0), .input(1)], targets: [0])),
    ])

  private static let phasedU3 = GateDefinition(
    "u3", parameterCount: 3, qubitCount: 1,
    steps: [
      .primitive(GateApplication(.globalPhase, [minusHalfSum(.input(1), .input(2))], targets: [])),
      .primitive(GateApplication(.u, [.input(0), .input(1), .input(2)], targets: [0])),
    ])

  /// Controlled e^{iγ} u(θ, φ, λ).
  private static let cu = GateDefinition(
    "cu", parameterCount: 4, qubitCount: 2,
    steps: [
      .primitive(GateApplication(.phase, [.input(3)], targets: [0])),
      .primitive(
        GateApplication(
          .u, [.input(0), .input(1), .input(2)], targets: [1], controls: [Control(0)])),
    ])

  private static let rccx = circuit(
    "rccx", qubits: 3,
    [
      (.h, [2]), (.t, [2]), (.x, [1, 2]), (.tdg, [2]), (.x, [0, 2]), (.t, [2]), (.x, [1, 2]),
      (.tdg, [2]), (.h, [2]),
    ])

  private static let rc3x = circuit(
    "rc3x", qubits: 4,
    [
      (.h, [3]), (.t, [3]), (.x, [2, 3]), (.tdg, [3]), (.h, [3]), (.x, [0, 3]), (.t, [3]),
      (.x, [1, 3]), (.tdg, [3]), (.x, [0, 3]), (.t, [3]), (.x, [1, 3]), (.tdg, [3]), (.h, [3]),
      (.t, [3]), (.x, [2, 3]), (.tdg, [3]), (.h, [3]),
    ])

  private static func minusHalfSum(_ a: Expression, _ b: Expression) -> Expression {
    .binary(.divide, .binary(.add, a, b), .radians(-2))
  }

  /// A library gate that is a row of the gate table behind `controls` controls.
  /// - Parameter parameters: declared parameters when the row ignores them.
  private static func row(
    _ name: String, _ gate: Gate, controls: Int = 0, parameters: Int? = nil
  ) -> GateDefinition {
    let application = GateApplication(
      gate, (0..<gate.parameterCount).map { .input($0) },
      targets: Array(controls..<(controls + gate.targetCount)),
      controls: (0..<controls).map { Control($0) })
    return GateDefinition(
      name, parameterCount: parameters ?? gate.parameterCount,
      qubitCount: controls + gate.targetCount, steps: [.primitive(application)])
  }

  /// A library gate without parameters, from one-qubit gates and controlled X.
  private static func circuit(
    _ name: String, qubits: Int, _ steps: [(Gate, [Int])]
  ) -> GateDefinition {
    GateDefinition(
      name, parameterCount: 0, qubitCount: qubits,
      steps: steps.map { gate, operands in
        .primitive(
          GateApplication(
            gate, targets: [operands[operands.count - 1]],
            controls: operands.dropLast().map { Control($0) }))
      })
  }
}
