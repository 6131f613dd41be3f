internal import QubusCircuit

/// The kind of a gate and what holds of its matrix.
struct GateStructure {
  var kind: BoundGate.Kind
  var pattern: BoundGate.Pattern

  init(kind: BoundGate.Kind, pattern: BoundGate.Pattern = .general) {
    self.kind = kind
    self.pattern = pattern
  }

  /// What holds of one matrix: for gates whose numbers never change.
  init(_ matrix: Matrix) {
    switch matrix.dimension {
    case 1: self.init(kind: .phase)
    case 2 where matrix.isDiagonal:
      self.init(kind: matrix[0, 0] == .one ? .phase : .diagonal)
    case 2: self.init(kind: .dense, pattern: Self.pattern(matrix))
    default:
      self.init(
        kind: matrix.isDiagonal ? .diagonal2 : .dense2,
        pattern: matrix.elements.allSatisfy { $0.im == 0 } ? .real : .general)
    }
  }

  /// What holds of a gate for all parameters and powers.
  init(_ application: GateApplication) {
    self.init(application.gate)
    guard let exponent = application.exponent else { return }
    switch kind {
    case .phase, .diagonal, .diagonal2: return
    case .identity, .flip, .swap, .dense, .dense2:
      kind = application.gate.targetCount == 1 ? .dense : .dense2
      // Other powers come from eigenvectors, whose rounding leaves no entry exactly 0.
      if exponent != .radians(-1), exponent != .radians(1), exponent != .radians(2) {
        pattern = .general
      }
    }
  }

  /// What holds of a row of the gate table for all angles; the square and the adjoint share it.
  private init(_ gate: Gate) {
    switch gate {
    case .globalPhase, .z, .s, .sdg, .t, .tdg, .phase: self.init(kind: .phase)
    case .identity: self.init(kind: .identity, pattern: .real)
    case .x: self.init(kind: .flip, pattern: .real)
    case .swap: self.init(kind: .swap, pattern: .real)
    case .rz: self.init(kind: .diagonal)
    case .rzz: self.init(kind: .diagonal2)
    case .h, .ry: self.init(kind: .dense, pattern: .real)
    case .y, .rx: self.init(kind: .dense, pattern: .cross)
    case .sx, .sxdg, .r, .u: self.init(kind: .dense)
    case .dcx: self.init(kind: .dense2, pattern: .real)
    case .iswap, .ecr, .rxx, .ryy, .rzx, .xxMinusYY, .xxPlusYY: self.init(kind: .dense2)
    }
  }

  private static func pattern(_ matrix: Matrix) -> BoundGate.Pattern {
    if matrix.elements.allSatisfy({ $0.im == 0 }) { return .real }
    let isCross =
      matrix[0, 0].im == 0 && matrix[1, 1].im == 0 && matrix[0, 1].re == 0 && matrix[1, 0].re == 0
    return isCross ? .cross : .general
  }
}

extension GateApplication {
  /// True when angles and power stand in the source as numbers.
  var isConstant: Bool {
    parameters.allSatisfy(\.isConstant) && exponent?.isConstant ?? true
  }
}

extension Expression {
  fileprivate var isConstant: Bool {
    if case .constant = self { true } else { false }
  }
}
