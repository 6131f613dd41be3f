internal import QubusCircuit
internal import QubusCore

extension GateApplication {
  /// This gate to a power: exactly for integers, the principal power otherwise.
  /// - Parameter power: already folded; run-time powers keep their type in `isInteger`.
  /// - Returns: nil for the identity.
  /// - Throws: `unsupported_program_feature`, without a location, where the power of a power has
  ///   no single exponent.
  func raised(to power: Expression, isInteger: Bool) throws(QubusError) -> GateApplication? {
    if let integer = power.constantInteger { return try raised(toInteger: integer) }
    var result = self
    if isInteger, exponent == nil, gate.isRotation {
      result.parameters[0] = try Expression.binary(
        .multiply, .cast(.float(width: 64), power), parameters[0]
      ).folded()
      return result
    }
    let factor =
      power.constantValue == nil ? Expression.cast(.float(width: 64), power) : power
    guard let exponent else {
      if gate == .globalPhase, let phase = parameters[0].constantValue?.real,
        let fraction = factor.constantValue?.real
      {
        let principal = phase.remainder(dividingBy: 2 * .pi)
        result.parameters[0] = .radians(fraction * (principal == -.pi ? .pi : principal))
        return result
      }
      result.exponent = factor
      return result
    }
    if isInteger {
      result.exponent = try Expression.binary(.multiply, exponent, factor).folded()
      return result
    }
    // (G^e)^k = G^(ek) holds for the principal power only while e keeps eigenphases in (-π, π].
    guard let inner = exponent.constantValue?.real, inner > -1, inner <= 1 else {
      throw QubusError(
        .unsupportedProgramFeature,
        "a fractional power of a power of gate '\(gate.name)' is not supported")
    }
    result.exponent = try Expression.binary(.multiply, exponent, factor).folded()
    return result
  }

  private func raised(toInteger power: Int64) throws(QubusError) -> GateApplication? {
    if power == 1 { return self }
    if power == 0 { return nil }
    var result = self
    if let exponent {
      result.exponent = try Expression.binary(.multiply, exponent, .radians(Double(power)))
        .folded()
      return result
    }
    if power == -1 { return try inverted() }
    if gate.isRotation {
      result.parameters[0] = try Expression.binary(
        .multiply, .radians(Double(power)), parameters[0]
      ).folded()
      return result
    }
    result.exponent = .radians(Double(power))
    return result
  }
}

extension Gate {
  /// Whether G(θ, …)^n = G(nθ, …) for every integer n.
  var isRotation: Bool {
    switch self {
    case .globalPhase, .phase, .rx, .ry, .rz, .r, .rxx, .ryy, .rzz, .rzx, .xxMinusYY, .xxPlusYY:
      true
    case .identity, .x, .y, .z, .h, .s, .sdg, .t, .tdg, .sx, .sxdg, .u, .swap, .iswap, .dcx, .ecr:
      false
    }
  }
}
