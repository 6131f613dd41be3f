package import QubusCore

extension GateApplication {
  /// The gate that undoes this one: a row of the gate table, or a power where there is none.
  /// - Throws: as folding an expression does.
  package func inverted() throws(QubusError) -> GateApplication {
    var result = self
    if let exponent {
      result.exponent = try exponent.negated()
      return result
    }
    switch gate {
    case .identity, .x, .y, .z, .h, .swap, .ecr: break
    case .s: result.gate = .sdg
    case .sdg: result.gate = .s
    case .t: result.gate = .tdg
    case .tdg: result.gate = .t
    case .sx: result.gate = .sxdg
    case .sxdg: result.gate = .sx
    case .dcx: result.targets = [targets[1], targets[0]]
    case .iswap: result.exponent = .radians(-1)
    case .u:
      result.parameters = [
        try parameters[0].negated(), try parameters[2].negated(), try parameters[1].negated(),
      ]
    case .globalPhase, .phase, .rx, .ry, .rz, .r, .rxx, .ryy, .rzz, .rzx, .xxMinusYY, .xxPlusYY:
      result.parameters[0] = try parameters[0].negated()
    }
    return result
  }
}

extension Expression {
  /// - Throws: as folding an expression does.
  package func negated() throws(QubusError) -> Expression {
    try Expression.unary(.minus, self).folded()
  }
}
