internal import QubusCircuit
internal import QubusCore

/// A gate's numbers straight from its angles, without a matrix in between.
struct AngleNumbers {
  /// Powers of a gate that need no eigenvectors.
  enum Power: Sendable {
    case one, inverse

    /// Nil for any other power.
    init?(_ application: GateApplication) {
      switch application.exponent {
      case .none, .some(.constant(.float(1))): self = .one
      case .some(.constant(.float(-1))): self = .inverse
      case .some: return nil
      }
    }
  }

  let target: UnsafeMutablePointer<Double>
  let power: Power

  /// Entry of a matrix of `dimension` rows.
  @inline(__always)
  func put(_ row: Int, _ column: Int, _ dimension: Int, _ value: Complex) {
    switch power {
    case .one: put(row * dimension + column, value)
    case .inverse: put(column * dimension + row, value.conjugate)
    }
  }

  /// Entry of a diagonal.
  @inline(__always)
  func put(diagonal index: Int, _ value: Complex) {
    put(index, power == .one ? value : value.conjugate)
  }

  @inline(__always)
  private func put(_ place: Int, _ value: Complex) {
    target[2 * place] = value.re
    target[2 * place + 1] = value.im
  }

  func clear(_ dimension: Int) {
    for row in 0..<dimension {
      for column in 0..<dimension { put(row, column, dimension, .zero) }
    }
  }
}

extension BoundGateList {
  /// Evaluates a gate of the list again; the same numbers as `Gate.matrix` gives.
  /// - Precondition: the gate at `index` is this one, with parameters that are not in the source.
  mutating func rebind(
    _ index: Int, _ gate: Gate, _ angles: (Double, Double, Double), _ power: AngleNumbers.Power
  ) {
    let offset = gates[index].offset
    precondition(offset + gates[index].coefficientCount <= coefficients.count)
    coefficients.withUnsafeMutableBufferPointer { numbers in
      guard let start = numbers.baseAddress else { return }
      let numbers = AngleNumbers(target: start + offset, power: power)
      switch gate {
      case .globalPhase, .phase: numbers.put(diagonal: 0, .unit(angles.0))
      case .rz:
        numbers.put(diagonal: 0, .unit(-angles.0 / 2))
        numbers.put(diagonal: 1, .unit(angles.0 / 2))
      case .rzz:
        let (minus, plus) = (Complex.unit(-angles.0 / 2), Complex.unit(angles.0 / 2))
        numbers.put(diagonal: 0, minus)
        numbers.put(diagonal: 1, plus)
        numbers.put(diagonal: 2, plus)
        numbers.put(diagonal: 3, minus)
      case .rx, .ry, .r, .u: numbers.putOneQubit(gate, angles)
      case .rxx, .ryy, .rzx, .xxMinusYY, .xxPlusYY: numbers.putTwoQubits(gate, angles)
      case .identity, .x, .y, .z, .h, .s, .sdg, .t, .tdg, .sx, .sxdg, .swap, .iswap, .dcx, .ecr:
        preconditionFailure("\(gate.name) has no angle")
      }
    }
  }
}

extension AngleNumbers {
  @inline(__always)
  private func halfAngle(_ angle: Double) -> (cos: Double, sin: Double) {
    let unit = Complex.unit(angle / 2)
    return (unit.re, unit.im)
  }

  @inline(__always)
  fileprivate func putOneQubit(_ gate: Gate, _ angles: (Double, Double, Double)) {
    let (c, s) = halfAngle(angles.0)
    put(0, 0, 2, Complex(c))
    switch gate {
    case .rx:
      put(0, 1, 2, Complex(0, -s))
      put(1, 0, 2, Complex(0, -s))
      put(1, 1, 2, Complex(c))
    case .ry:
      put(0, 1, 2, Complex(-s))
      put(1, 0, 2, Complex(s))
      put(1, 1, 2, Complex(c))
    case .r:
      put(0, 1, 2, Complex(0, -s) * .unit(-angles.1))
      put(1, 0, 2, Complex(0, -s) * .unit(angles.1))
      put(1, 1, 2, Complex(c))
    default:
      put(0, 1, 2, -s * .unit(angles.2))
      put(1, 0, 2, s * .unit(angles.1))
      put(1, 1, 2, c * .unit(angles.1 + angles.2))
    }
  }

  fileprivate func putTwoQubits(_ gate: Gate, _ angles: (Double, Double, Double)) {
    let (c, s) = halfAngle(angles.0)
    let cosine = Complex(c)
    clear(4)
    switch gate {
    case .rxx, .ryy:
      for index in 0..<4 { put(index, index, 4, cosine) }
      let outer = Complex(0, gate == .rxx ? -s : s)
      put(0, 3, 4, outer)
      put(3, 0, 4, outer)
      put(1, 2, 4, Complex(0, -s))
      put(2, 1, 4, Complex(0, -s))
    case .rzx:
      for index in 0..<4 { put(index, index, 4, cosine) }
      put(0, 2, 4, Complex(0, -s))
      put(2, 0, 4, Complex(0, -s))
      put(1, 3, 4, Complex(0, s))
      put(3, 1, 4, Complex(0, s))
    default:
      let up = Complex(0, -s) * .unit(-angles.1)
      let down = Complex(0, -s) * .unit(angles.1)
      let (low, high) = gate == .xxMinusYY ? (0, 3) : (1, 2)
      for index in 0..<4 {
        put(index, index, 4, index == low || index == high ? cosine : .one)
      }
      put(low, high, 4, up)
      put(high, low, 4, down)
    }
  }
}
