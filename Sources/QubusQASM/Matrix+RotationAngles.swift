internal import QubusCircuit

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

extension Matrix {
  /// The 2 × 2 matrix of a gate on one qubit, or of a global phase as a multiple of the identity.
  /// - Returns: nil for gates on two qubits.
  static func onOneQubit(_ gate: Gate, _ angles: [Double]) -> Matrix? {
    switch gate.targetCount {
    case 0:
      let phase = gate.matrix(angles)[0, 0]
      return .diagonal([phase, phase])
    case 1: return gate.matrix(angles)
    default: return nil
    }
  }

  /// α, θ, φ, λ with this 2 × 2 unitary = e^{iα} u(θ, φ, λ).
  var rotationAngles: (alpha: Double, theta: Double, phi: Double, lambda: Double) {
    let (a, b, c, d) = (self[0, 0], self[0, 1], self[1, 0], self[1, 1])
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
}
