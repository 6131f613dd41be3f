internal import QubusCircuit

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// A 2 × 2 unitary, for powers of one-qubit gates that are known while compiling.
struct Unitary2 {
  /// Row-major.
  var a: Complex, b: Complex, c: Complex, d: Complex

  static let identity = Unitary2(a: .one, b: .zero, c: .zero, d: .one)

  /// e^{iα} u(θ, φ, λ).
  init(theta: Double, phi: Double, lambda: Double, alpha: Double = 0) {
    let cosine = cos(theta / 2), sine = sin(theta / 2)
    a = cosine * Unitary2.unit(alpha)
    b = -sine * Unitary2.unit(alpha + lambda)
    c = sine * Unitary2.unit(alpha + phi)
    d = cosine * Unitary2.unit(alpha + phi + lambda)
  }

  init(a: Complex, b: Complex, c: Complex, d: Complex) {
    (self.a, self.b, self.c, self.d) = (a, b, c, d)
  }

  /// The matrix of a gate on one qubit, or of a global phase as a multiple of the identity.
  /// - Returns: nil for gates on two qubits.
  init?(_ gate: Gate, _ angles: [Double]) {
    let half = Double.pi / 2
    switch gate {
    case .globalPhase: self.init(theta: 0, phi: 0, lambda: 0, alpha: angles[0])
    case .identity: self = .identity
    case .x: self.init(theta: .pi, phi: 0, lambda: .pi)
    case .y: self.init(theta: .pi, phi: half, lambda: half)
    case .z: self.init(theta: 0, phi: 0, lambda: .pi)
    case .h: self.init(theta: half, phi: 0, lambda: .pi)
    case .s: self.init(theta: 0, phi: 0, lambda: half)
    case .sdg: self.init(theta: 0, phi: 0, lambda: -half)
    case .t: self.init(theta: 0, phi: 0, lambda: half / 2)
    case .tdg: self.init(theta: 0, phi: 0, lambda: -half / 2)
    case .sx: self.init(theta: half, phi: -half, lambda: half, alpha: half / 2)
    case .sxdg: self.init(theta: -half, phi: -half, lambda: half, alpha: -half / 2)
    case .phase: self.init(theta: 0, phi: 0, lambda: angles[0])
    case .rx: self.init(theta: angles[0], phi: -half, lambda: half)
    case .ry: self.init(theta: angles[0], phi: 0, lambda: 0)
    case .rz: self.init(theta: 0, phi: 0, lambda: angles[0], alpha: -angles[0] / 2)
    case .r: self.init(theta: angles[0], phi: angles[1] - half, lambda: half - angles[1])
    case .u: self.init(theta: angles[0], phi: angles[1], lambda: angles[2])
    case .swap, .iswap, .dcx, .ecr, .rxx, .ryy, .rzz, .rzx, .xxMinusYY, .xxPlusYY: return nil
    }
  }

  static func * (x: Unitary2, y: Unitary2) -> Unitary2 {
    Unitary2(
      a: x.a * y.a + x.b * y.c, b: x.a * y.b + x.b * y.d,
      c: x.c * y.a + x.d * y.c, d: x.c * y.b + x.d * y.d)
  }

  /// The principal power: eigenphases in (-π, π] times the exponent.
  func power(_ exponent: Double) -> Unitary2 {
    let determinant = a * d - b * c
    let delta = atan2(determinant.im, determinant.re) / 2
    let turned = Unitary2.unit(-delta)
    let special = Unitary2(a: turned * a, b: turned * b, c: turned * c, d: turned * d)
    let cosine = max(-1, min(1, (special.a.re + special.d.re) / 2))
    let angle = acos(cosine)
    let sine = sin(angle)
    if sine < 1e-14 {
      let phase = exponent * Unitary2.wrapped(delta + angle)
      return Unitary2(theta: 0, phi: 0, lambda: 0, alpha: phase)
    }
    // special = cos(angle) I + i sin(angle) N; the eigenprojectors are (I ± N) / 2.
    let scale = Complex(0, -1 / sine)
    let n = Unitary2(
      a: scale * (special.a - Complex(cosine)), b: scale * special.b, c: scale * special.c,
      d: scale * (special.d - Complex(cosine)))
    let plus = Unitary2.unit(exponent * Unitary2.wrapped(delta + angle))
    let minus = Unitary2.unit(exponent * Unitary2.wrapped(delta - angle))
    let mean = 0.5 * (plus + minus), difference = 0.5 * (plus - minus)
    return Unitary2(
      a: mean + difference * n.a, b: difference * n.b, c: difference * n.c,
      d: mean + difference * n.d)
  }

  /// α, θ, φ, λ with this = e^{iα} u(θ, φ, λ).
  var angles: (alpha: Double, theta: Double, phi: Double, lambda: Double) {
    let diagonal = a.squaredMagnitude.squareRoot(), other = c.squaredMagnitude.squareRoot()
    let theta = 2 * atan2(other, diagonal)
    if other < 1e-14 {
      let alpha = atan2(a.im, a.re)
      return (alpha, 0, 0, atan2(d.im, d.re) - alpha)
    }
    let lambdaArgument = atan2(-b.im, -b.re), phiArgument = atan2(c.im, c.re)
    if diagonal < 1e-14 { return (lambdaArgument, theta, phiArgument - lambdaArgument, 0) }
    let alpha = atan2(a.im, a.re)
    return (alpha, theta, phiArgument - alpha, lambdaArgument - alpha)
  }

  private static func unit(_ angle: Double) -> Complex { Complex(cos(angle), sin(angle)) }

  /// The angle in (-π, π]; rounding errors at -π count as π.
  private static func wrapped(_ angle: Double) -> Double {
    let turn = 2 * Double.pi
    let remainder = angle - turn * (angle / turn).rounded()
    return remainder <= -Double.pi + 1e-12 ? remainder + turn : remainder
  }
}
