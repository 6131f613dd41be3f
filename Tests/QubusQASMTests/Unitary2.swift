import QubusCircuit

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A 2 × 2 unitary and its power in closed form: the reference for the eigenvectors of
/// `Matrix.power`.
struct Unitary2 {
  /// Row-major.
  var a: Complex, b: Complex, c: Complex, d: Complex

  /// The principal power: eigenphases in (-π, π] times the exponent.
  func power(_ exponent: Double) -> Unitary2 {
    let determinant = a * d - b * c
    let delta = atan2(determinant.im, determinant.re) / 2
    let turned = Self.unit(-delta)
    let special = Unitary2(a: turned * a, b: turned * b, c: turned * c, d: turned * d)
    let cosine = max(-1, min(1, (special.a.re + special.d.re) / 2))
    let angle = acos(cosine)
    let sine = sin(angle)
    if sine < 1e-14 {
      let phase = Self.unit(exponent * Self.wrapped(delta + angle))
      return Unitary2(a: phase, b: .zero, c: .zero, d: phase)
    }
    // special = cos(angle) I + i sin(angle) N; the eigenprojectors are (I ± N) / 2.
    let scale = Complex(0, -1 / sine)
    let n = Unitary2(
      a: scale * (special.a - Complex(cosine)), b: scale * special.b, c: scale * special.c,
      d: scale * (special.d - Complex(cosine)))
    let plus = Self.unit(exponent * Self.wrapped(delta + angle))
    let minus = Self.unit(exponent * Self.wrapped(delta - angle))
    let mean = 0.5 * (plus + minus), difference = 0.5 * (plus - minus)
    return Unitary2(
      a: mean + difference * n.a, b: difference * n.b, c: difference * n.c,
      d: mean + difference * n.d)
  }

  private static func unit(_ angle: Double) -> Complex { Complex(cos(angle), sin(angle)) }

  /// The angle in (-π, π]; rounding errors at -π count as π.
  private static func wrapped(_ angle: Double) -> Double {
    let turn = 2 * Double.pi
    let remainder = angle - turn * (angle / turn).rounded()
    return remainder <= -Double.pi + 1e-12 ? remainder + turn : remainder
  }
}
