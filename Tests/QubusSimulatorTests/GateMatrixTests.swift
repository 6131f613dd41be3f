import QubusCircuit
import Testing

@Suite("Gate matrices")
struct GateMatrixTests {
  private static let angles: [[Double]] = [
    [0.3, -1.1, 2.2], [0, 0, 0], [3.7, 0.4, -2.9], [.pi, .pi / 2, -.pi], [-9.3, 12.1, 5.5],
  ]

  @Test("every gate equals its defining identity", arguments: Gate.allCases)
  func identities(gate: Gate) {
    for angles in Self.angles {
      let angles = Array(angles.prefix(gate.parameterCount))
      let matrix = gate.matrix(angles)
      #expect(matrix.dimension == 1 << gate.targetCount)
      #expect(matrix.distance(to: DenseReference.matrix(gate, angles)) < 1e-12, "\(angles)")
    }
  }

  @Test("every gate is unitary and its adjoint undoes it", arguments: Gate.allCases)
  func unitarity(gate: Gate) {
    for angles in Self.angles {
      let matrix = gate.matrix(Array(angles.prefix(gate.parameterCount)))
      let product = DenseReference.product(matrix, DenseReference.adjoint(matrix))
      #expect(product.distance(to: DenseReference.unit(matrix.dimension)) < 1e-14)
      #expect(matrix.adjoint == DenseReference.adjoint(matrix))
    }
  }

  @Test("powers add up, whole powers are products, fractions undo them", arguments: Gate.allCases)
  func powers(gate: Gate) {
    for angles in Self.angles {
      let matrix = gate.matrix(Array(angles.prefix(gate.parameterCount)))
      let third = matrix.power(1.0 / 3)
      let cube = DenseReference.product(DenseReference.product(third, third), third)
      #expect(cube.distance(to: matrix) < 1e-13, "cube root, \(angles)")
      let sum = DenseReference.product(matrix.power(0.3), matrix.power(-1.7))
      #expect(sum.distance(to: matrix.power(-1.4)) < 1e-13, "sum, \(angles)")
      let product = DenseReference.product(DenseReference.product(matrix, matrix), matrix)
      #expect(matrix.power(3).distance(to: product) < 1e-13, "cube, \(angles)")
      #expect(matrix.power(0) == DenseReference.unit(matrix.dimension))
      #expect(matrix.power(1) == matrix)
    }
  }

  @Test("the principal square root of x is sx, of z is s, of s is t")
  func principalRoots() {
    #expect(Gate.x.matrix([]).power(0.5).distance(to: Gate.sx.matrix([])) < 1e-14)
    #expect(Gate.z.matrix([]).power(0.5).distance(to: Gate.s.matrix([])) < 1e-15)
    #expect(Gate.s.matrix([]).power(0.5).distance(to: Gate.t.matrix([])) < 1e-15)
    #expect(Gate.x.matrix([]).power(-0.5).distance(to: Gate.sxdg.matrix([])) < 1e-14)
  }

  @Test("the principal power takes eigenvalues in (-π, π]: √p(3π/2) is p(-π/4)")
  func principalBranch() {
    let root = Gate.phase.matrix([1.5 * .pi]).power(0.5)
    #expect(root.distance(to: Gate.phase.matrix([-.pi / 4])) < 1e-14)
    let rotation = Gate.rx.matrix([3 * .pi]).power(0.5)
    #expect(rotation.distance(to: Gate.rx.matrix([-.pi / 2])) < 1e-14)
  }

  @Test("unitaries with nearly and fully degenerate eigenvalues keep exact roots")
  func degenerate() {
    for angle in [1e-3, 1e-7, 1e-9, 1e-15, 0] {
      let matrix = DenseReference.kron(Gate.rx.matrix([angle]), Gate.ry.matrix([1.0 + angle]))
      let root = matrix.power(0.5)
      #expect(DenseReference.product(root, root).distance(to: matrix) < 1e-13, "\(angle)")
    }
  }
}
