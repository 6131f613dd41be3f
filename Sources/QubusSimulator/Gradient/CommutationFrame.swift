internal import QubusCircuit

/// What a run of gates does to each qubit: enough to say that a Pauli string commutes with all.
struct CommutationFrame {
  /// Qubits on which every gate so far is a function of this Pauli letter (or does nothing).
  private var onlyX: UInt64 = .max
  private var onlyY: UInt64 = .max
  private var onlyZ: UInt64 = .max

  mutating func add(_ gate: GateApplication) {
    for control in gate.controls { restrict(1 << UInt64(control.qubit), .z) }
    for (index, target) in gate.targets.enumerated() {
      restrict(1 << UInt64(target), Self.letter(gate, target: index))
    }
  }

  /// True when the string certainly commutes with every gate of the run.
  func commutes(with term: PauliTerm) -> Bool {
    let (x, y, z) = (term.x & ~term.z, term.x & term.z, term.z & ~term.x)
    return x & ~onlyX == 0 && y & ~onlyY == 0 && z & ~onlyZ == 0
  }

  private enum Letter { case x, y, z, any, none }

  private mutating func restrict(_ bit: UInt64, _ letter: Letter) {
    if letter != .x && letter != .any { onlyX &= ~bit }
    if letter != .y && letter != .any { onlyY &= ~bit }
    if letter != .z && letter != .any { onlyZ &= ~bit }
  }

  private static func letter(_ gate: GateApplication, target: Int) -> Letter {
    switch gate.gate {
    case .globalPhase, .identity: .any
    case .x, .sx, .sxdg, .rx, .rxx: .x
    case .y, .ry, .ryy: .y
    case .z, .s, .sdg, .t, .tdg, .phase, .rz, .rzz: .z
    case .rzx: target == 0 ? .z : .x
    case .h, .r, .u, .swap, .iswap, .dcx, .ecr, .xxMinusYY, .xxPlusYY: .none
    }
  }
}
