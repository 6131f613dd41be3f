import Foundation
import QubusCircuit

/// The slow, obvious truth: every gate becomes a full 2^n × 2^n matrix, built from Pauli matrices,
/// exponential series and projectors, and is multiplied into the state.
enum DenseReference {
  static let x = Matrix(dimension: 2, elements: [.zero, .one, .one, .zero])
  static let y = Matrix(dimension: 2, elements: [.zero, Complex(0, -1), .i, .zero])
  static let z = Matrix(dimension: 2, elements: [.one, .zero, .zero, Complex(-1)])
  static let one = Matrix(dimension: 2, elements: [.one, .zero, .zero, .one])

  /// high ⊗ low: `low` acts on index bit 0.
  static func kron(_ high: Matrix, _ low: Matrix) -> Matrix {
    let size = high.dimension * low.dimension
    var result = Matrix(dimension: size, elements: Array(repeating: .zero, count: size * size))
    for row in 0..<size {
      for column in 0..<size {
        result[row, column] =
          high[row / low.dimension, column / low.dimension]
          * low[row % low.dimension, column % low.dimension]
      }
    }
    return result
  }

  static func sum(_ a: Matrix, _ b: Matrix) -> Matrix {
    Matrix(dimension: a.dimension, elements: zip(a.elements, b.elements).map { $0 + $1 })
  }

  static func scaled(_ factor: Complex, _ a: Matrix) -> Matrix {
    Matrix(dimension: a.dimension, elements: a.elements.map { factor * $0 })
  }

  static func product(_ a: Matrix, _ b: Matrix) -> Matrix {
    var result = scaled(.zero, a)
    for row in 0..<a.dimension {
      for column in 0..<a.dimension {
        for k in 0..<a.dimension {
          result[row, column] = result[row, column] + a[row, k] * b[k, column]
        }
      }
    }
    return result
  }

  static func unit(_ dimension: Int) -> Matrix {
    var result = Matrix(
      dimension: dimension, elements: Array(repeating: .zero, count: dimension * dimension))
    for i in 0..<dimension { result[i, i] = .one }
    return result
  }

  /// exp(-i angle/2 · generator) by its power series on a sixteenth of the angle, squared back.
  static func rotation(_ generator: Matrix, _ angle: Double) -> Matrix {
    let halvings = 4
    let step = scaled(Complex(0, -angle / 2 / Double(1 << halvings)), generator)
    var term = unit(generator.dimension)
    var result = term
    for k in 1...20 {
      term = scaled(Complex(1 / Double(k)), product(term, step))
      result = sum(result, term)
    }
    for _ in 0..<halvings { result = product(result, result) }
    return result
  }

  static func phase(_ angle: Double) -> Matrix {
    Matrix(
      dimension: 2, elements: [.one, .zero, .zero, Complex(Foundation.cos(angle), sin(angle))])
  }

  static func globalPhase(_ angle: Double, _ matrix: Matrix) -> Matrix {
    scaled(Complex(Foundation.cos(angle), sin(angle)), matrix)
  }

  /// A controlled-X on two targets, control on bit `control`.
  private static func cx(control: Int) -> Matrix {
    let on = Matrix(dimension: 2, elements: [.zero, .zero, .zero, .one])
    let off = Matrix(dimension: 2, elements: [.one, .zero, .zero, .zero])
    return control == 0
      ? sum(kron(x, on), kron(one, off)) : sum(kron(on, x), kron(off, one))
  }

  /// Each gate from its defining identity rather than from a table of entries.
  static func matrix(_ gate: Gate, _ a: [Double]) -> Matrix {
    let xx = kron(x, x)
    let yy = kron(y, y)
    switch gate {
    case .globalPhase:
      return Matrix(dimension: 1, elements: [Complex(Foundation.cos(a[0]), sin(a[0]))])
    case .identity: return one
    case .x: return x
    case .y: return y
    case .z: return z
    case .h: return scaled(Complex(0.5.squareRoot()), sum(x, z))
    case .s: return phase(.pi / 2)
    case .sdg: return phase(-.pi / 2)
    case .t: return phase(.pi / 4)
    case .tdg: return phase(-.pi / 4)
    case .sx: return globalPhase(.pi / 4, rotation(x, .pi / 2))
    case .sxdg: return globalPhase(-.pi / 4, rotation(x, -.pi / 2))
    case .phase: return phase(a[0])
    case .rx: return rotation(x, a[0])
    case .ry: return rotation(y, a[0])
    case .rz: return rotation(z, a[0])
    case .r:
      return rotation(
        sum(scaled(Complex(Foundation.cos(a[1])), x), scaled(Complex(sin(a[1])), y)), a[0])
    case .u: return product(product(phase(a[1]), rotation(y, a[0])), phase(a[2]))
    case .swap:
      return product(product(cx(control: 0), cx(control: 1)), cx(control: 0))
    case .iswap: return rotation(sum(xx, yy), -.pi / 2)
    case .dcx: return product(cx(control: 1), cx(control: 0))
    case .ecr:
      let zx = kron(x, z)
      return product(
        product(rotation(zx, -.pi / 4), kron(one, x)), rotation(zx, .pi / 4))
    case .rxx: return rotation(xx, a[0])
    case .ryy: return rotation(yy, a[0])
    case .rzz: return rotation(kron(z, z), a[0])
    case .rzx: return rotation(kron(x, z), a[0])
    case .xxMinusYY:
      let core = rotation(scaled(Complex(0.5), sum(xx, scaled(Complex(-1), yy))), a[0])
      return product(product(kron(rotation(z, a[1]), one), core), kron(rotation(z, -a[1]), one))
    case .xxPlusYY:
      let core = rotation(scaled(Complex(0.5), sum(xx, yy)), a[0])
      return product(product(kron(one, rotation(z, -a[1])), core), kron(one, rotation(z, a[1])))
    }
  }

  /// Applies `matrix` on `targets` where all controls agree.
  static func apply(
    _ matrix: Matrix, targets: [Int], controls: [Control], _ state: [Complex]
  ) -> [Complex] {
    var result = state
    for row in state.indices {
      let isOn = controls.allSatisfy { (row >> $0.qubit & 1 == 1) == $0.isPositive }
      guard isOn else { continue }
      var gateRow = 0
      for (bit, target) in targets.enumerated() { gateRow |= (row >> target & 1) << bit }
      var amplitude = Complex.zero
      for gateColumn in 0..<matrix.dimension {
        var column = row
        for (bit, target) in targets.enumerated() {
          column = column & ~(1 << target) | (gateColumn >> bit & 1) << target
        }
        amplitude = amplitude + matrix[gateRow, gateColumn] * state[column]
      }
      result[row] = amplitude
    }
    return result
  }

  /// The state after gates with constant angles; whole exponents as repeated products.
  static func run(_ circuit: Circuit) -> [Complex] {
    var state = [Complex](repeating: .zero, count: 1 << circuit.qubitCount)
    state[0] = .one
    for case .gate(let gate) in circuit.operations {
      var matrix = matrix(gate.gate, gate.parameters.map(constant))
      if let exponent = gate.exponent.map(constant) {
        let base = exponent < 0 ? adjoint(matrix) : matrix
        matrix = unit(base.dimension)
        for _ in 0..<Int(abs(exponent)) { matrix = product(matrix, base) }
      }
      state = apply(matrix, targets: gate.targets, controls: gate.controls, state)
    }
    return state
  }

  static func adjoint(_ a: Matrix) -> Matrix {
    var result = a
    for row in 0..<a.dimension {
      for column in 0..<a.dimension { result[row, column] = a[column, row].conjugate }
    }
    return result
  }

  static func constant(_ expression: QubusCircuit.Expression) -> Double {
    guard case .constant(.float(let value)) = expression else { return .nan }
    return value
  }

  /// ⟨ψ|P|ψ⟩ with the Pauli string built letter by letter.
  static func expectation(_ term: PauliTerm, _ state: [Complex]) -> Double {
    var moved = state
    for qubit in 0..<state.count.trailingZeroBitCount {
      let hasX = term.x >> UInt64(qubit) & 1 == 1
      let hasZ = term.z >> UInt64(qubit) & 1 == 1
      let letter = hasX ? (hasZ ? y : x) : (hasZ ? z : one)
      moved = apply(letter, targets: [qubit], controls: [], moved)
    }
    return zip(state, moved).reduce(0) { $0 + ($1.0.conjugate * $1.1).re }
  }
}

/// A small seeded generator, so that a failing case can be run again (splitmix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
