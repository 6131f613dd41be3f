#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

extension Gate {
  /// The gate's matrix over its targets, row-major, dimension 2^targetCount.
  /// - Parameter angles: `parameterCount` angles in radians.
  /// - Source: the definitions of Qiskit's circuit library; checked by `GateMatrixTests`.
  package func matrix(_ angles: [Double]) -> Matrix {
    precondition(angles.count == parameterCount)
    switch targetCount {
    case 0: return Matrix(dimension: 1, elements: [.unit(angles[0])])
    case 1: return oneQubitMatrix(angles)
    default: return twoQubitMatrix(angles)
    }
  }

  private func oneQubitMatrix(_ angles: [Double]) -> Matrix {
    let half = 0.5.squareRoot()
    switch self {
    case .x: return .oneQubit(.zero, .one, .one, .zero)
    case .y: return .oneQubit(.zero, -.i, .i, .zero)
    case .z: return .diagonal([.one, -.one])
    case .h: return .oneQubit(Complex(half), Complex(half), Complex(half), Complex(-half))
    case .s: return .diagonal([.one, .i])
    case .sdg: return .diagonal([.one, -.i])
    case .t: return .diagonal([.one, Complex(half, half)])
    case .tdg: return .diagonal([.one, Complex(half, -half)])
    case .sx:
      return .oneQubit(
        Complex(0.5, 0.5), Complex(0.5, -0.5), Complex(0.5, -0.5), Complex(0.5, 0.5))
    case .sxdg:
      return .oneQubit(
        Complex(0.5, -0.5), Complex(0.5, 0.5), Complex(0.5, 0.5), Complex(0.5, -0.5))
    case .phase: return .diagonal([.one, .unit(angles[0])])
    case .rx:
      let (c, s) = Self.halfAngle(angles[0])
      return .oneQubit(Complex(c), Complex(0, -s), Complex(0, -s), Complex(c))
    case .ry:
      let (c, s) = Self.halfAngle(angles[0])
      return .oneQubit(Complex(c), Complex(-s), Complex(s), Complex(c))
    case .rz: return .diagonal([.unit(-angles[0] / 2), .unit(angles[0] / 2)])
    case .r:
      let (c, s) = Self.halfAngle(angles[0])
      let up = Complex(0, -s) * .unit(-angles[1])
      let down = Complex(0, -s) * .unit(angles[1])
      return .oneQubit(Complex(c), up, down, Complex(c))
    case .u:
      let (c, s) = Self.halfAngle(angles[0])
      return .oneQubit(
        Complex(c), -s * .unit(angles[2]), s * .unit(angles[1]), c * .unit(angles[1] + angles[2]))
    case .identity, .globalPhase, .swap, .iswap, .dcx, .ecr, .rxx, .ryy, .rzz, .rzx, .xxMinusYY,
      .xxPlusYY:
      precondition(self == .identity)
      return .identity(dimension: 2)
    }
  }

  private func twoQubitMatrix(_ angles: [Double]) -> Matrix {
    switch self {
    case .swap: return .sparse([(0, 0, .one), (1, 2, .one), (2, 1, .one), (3, 3, .one)])
    case .iswap: return .sparse([(0, 0, .one), (1, 2, .i), (2, 1, .i), (3, 3, .one)])
    case .dcx: return .sparse([(0, 0, .one), (1, 3, .one), (2, 1, .one), (3, 2, .one)])
    case .ecr:
      let a = Complex(0.5.squareRoot())
      let b = Complex(0, 0.5.squareRoot())
      return .sparse([
        (0, 1, a), (0, 3, b), (1, 0, a), (1, 2, -b), (2, 1, b), (2, 3, a), (3, 0, -b), (3, 2, a),
      ])
    case .rxx, .ryy:
      let (c, s) = Self.halfAngle(angles[0])
      let outer = Complex(0, self == .rxx ? -s : s)
      return .sparse([
        (0, 0, Complex(c)), (1, 1, Complex(c)), (2, 2, Complex(c)), (3, 3, Complex(c)),
        (0, 3, outer), (3, 0, outer), (1, 2, Complex(0, -s)), (2, 1, Complex(0, -s)),
      ])
    case .rzz:
      let (minus, plus) = (Complex.unit(-angles[0] / 2), Complex.unit(angles[0] / 2))
      return .diagonal([minus, plus, plus, minus])
    case .rzx:
      let (c, s) = Self.halfAngle(angles[0])
      return .sparse([
        (0, 0, Complex(c)), (1, 1, Complex(c)), (2, 2, Complex(c)), (3, 3, Complex(c)),
        (0, 2, Complex(0, -s)), (2, 0, Complex(0, -s)),
        (1, 3, Complex(0, s)), (3, 1, Complex(0, s)),
      ])
    case .xxMinusYY, .xxPlusYY:
      let (c, s) = Self.halfAngle(angles[0])
      let up = Complex(0, -s) * .unit(-angles[1])
      let down = Complex(0, -s) * .unit(angles[1])
      if self == .xxMinusYY {
        return .sparse([
          (0, 0, Complex(c)), (0, 3, up), (1, 1, .one), (2, 2, .one), (3, 0, down),
          (3, 3, Complex(c)),
        ])
      }
      return .sparse([
        (0, 0, .one), (1, 1, Complex(c)), (1, 2, up), (2, 1, down), (2, 2, Complex(c)),
        (3, 3, .one),
      ])
    case .globalPhase, .identity, .x, .y, .z, .h, .s, .sdg, .t, .tdg, .sx, .sxdg, .phase, .rx, .ry,
      .rz, .r, .u:
      preconditionFailure("\(name) does not act on two qubits")
    }
  }

  private static func halfAngle(_ angle: Double) -> (cos: Double, sin: Double) {
    (cos(angle / 2), sin(angle / 2))
  }
}

extension Complex {
  /// e^{i angle}, angle in radians.
  package static func unit(_ angle: Double) -> Complex { Complex(cos(angle), sin(angle)) }
}
