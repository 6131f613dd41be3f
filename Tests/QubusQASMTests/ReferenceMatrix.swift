import QubusCircuit
import Testing

@testable import QubusQASM

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Matrices of the gate table by their definitions, row-major, first target least significant.
enum ReferenceMatrix {
  static func matrix(_ gate: Gate, _ p: [Double], exponent: Double?) throws -> [Complex] {
    let plain = try matrix(gate, p)
    guard let exponent else { return plain }
    if exponent == exponent.rounded(), abs(exponent) < 1000 {
      let base = exponent < 0 ? adjoint(plain) : plain
      return (0..<Int(abs(exponent))).reduce(identity(dimension(plain))) { product, _ in
        multiply(product, base)
      }
    }
    if plain.count == 1 {
      let phase = atan2(plain[0].im, plain[0].re)
      return [unit(phase * exponent)]
    }
    try #require(plain.count == 4, "fractional powers of two-qubit gates are not tested here")
    let power = Unitary2(a: plain[0], b: plain[1], c: plain[2], d: plain[3]).power(exponent)
    return [power.a, power.b, power.c, power.d]
  }

  private static func matrix(_ gate: Gate, _ p: [Double]) throws -> [Complex] {
    let r = 1 / 2.0.squareRoot()
    let i = Complex.i
    switch gate {
    case .globalPhase: return [unit(p[0])]
    case .identity: return identity(2)
    case .x: return [.zero, .one, .one, .zero]
    case .y: return [.zero, -i, i, .zero]
    case .z: return [.one, .zero, .zero, -.one]
    case .h: return [Complex(r), Complex(r), Complex(r), Complex(-r)]
    case .s: return [.one, .zero, .zero, i]
    case .sdg: return [.one, .zero, .zero, -i]
    case .t: return [.one, .zero, .zero, unit(.pi / 4)]
    case .tdg: return [.one, .zero, .zero, unit(-.pi / 4)]
    case .sx:
      return [Complex(0.5, 0.5), Complex(0.5, -0.5), Complex(0.5, -0.5), Complex(0.5, 0.5)]
    case .sxdg:
      return [Complex(0.5, -0.5), Complex(0.5, 0.5), Complex(0.5, 0.5), Complex(0.5, -0.5)]
    case .phase: return [.one, .zero, .zero, unit(p[0])]
    case .rx: return rotation(p[0], Complex(1))
    case .ry: return rotation(p[0], i)
    case .rz: return [unit(-p[0] / 2), .zero, .zero, unit(p[0] / 2)]
    case .r: return rotation(p[0], unit(p[1]))
    case .u:
      let (c, s) = (cos(p[0] / 2), sin(p[0] / 2))
      return [Complex(c), -s * unit(p[2]), s * unit(p[1]), c * unit(p[1] + p[2])]
    case .swap: return permutation([0, 2, 1, 3])
    case .rxx: return pauliRotation(p[0], try matrix(.x, []), try matrix(.x, []))
    case .ryy: return pauliRotation(p[0], try matrix(.y, []), try matrix(.y, []))
    case .rzz: return pauliRotation(p[0], try matrix(.z, []), try matrix(.z, []))
    case .rzx: return pauliRotation(p[0], try matrix(.z, []), try matrix(.x, []))
    case .iswap, .dcx, .ecr, .xxMinusYY, .xxPlusYY:
      Issue.record("\(gate) is not needed by these tests")
      return identity(4)
    }
  }

  static func unit(_ angle: Double) -> Complex { Complex(cos(angle), sin(angle)) }

  private static func rotation(_ theta: Double, _ axis: Complex) -> [Complex] {
    let (c, s) = (Complex(cos(theta / 2)), Complex(0, -sin(theta / 2)))
    return [c, s * axis.conjugate, s * axis, c]
  }

  private static func permutation(_ images: [Int]) -> [Complex] {
    var result = [Complex](repeating: .zero, count: images.count * images.count)
    for (column, row) in images.enumerated() { result[row * images.count + column] = .one }
    return result
  }

  /// exp(-iθ/2 B⊗A) with A on the first target.
  private static func pauliRotation(_ theta: Double, _ a: [Complex], _ b: [Complex]) -> [Complex] {
    var result = identity(4).map { cos(theta / 2) * $0 }
    for row in 0..<4 {
      for column in 0..<4 {
        let product =
          a[(row & 1) * 2 + (column & 1)] * b[(row >> 1) * 2 + (column >> 1)]
        result[row * 4 + column] =
          result[row * 4 + column] + Complex(0, -sin(theta / 2)) * product
      }
    }
    return result
  }

  private static func identity(_ size: Int) -> [Complex] { permutation(Array(0..<size)) }

  private static func dimension(_ matrix: [Complex]) -> Int {
    Int(Double(matrix.count).squareRoot())
  }

  private static func adjoint(_ m: [Complex]) -> [Complex] {
    let n = dimension(m)
    return (0..<(n * n)).map { m[($0 % n) * n + $0 / n].conjugate }
  }

  private static func multiply(_ x: [Complex], _ y: [Complex]) -> [Complex] {
    let n = dimension(x)
    return (0..<(n * n)).map { place in
      (0..<n).reduce(Complex.zero) { $0 + x[place / n * n + $1] * y[$1 * n + place % n] }
    }
  }
}
