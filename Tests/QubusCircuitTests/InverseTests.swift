import QubusCircuit
import QubusCore
import Testing

@Suite("Inverses of gates") struct InverseTests {
  private static let angles = [0.7, -1.3, 2.9, 0.4]

  private func matrix(_ application: GateApplication) throws -> Matrix {
    var angles: [Double] = []
    for parameter in application.parameters {
      angles.append(try #require(parameter.constantValue?.real))
    }
    let matrix = application.gate.matrix(angles)
    guard let exponent = application.exponent else { return matrix }
    return matrix.power(try #require(exponent.constantValue?.real))
  }

  private func distanceFromIdentity(_ a: Matrix, _ b: Matrix, isSwapped: Bool) -> Double {
    let order = isSwapped ? [0, 2, 1, 3] : Array(0..<a.dimension)
    var largest = 0.0
    for row in 0..<a.dimension {
      for column in 0..<a.dimension {
        var sum = row == column ? -Complex.one : .zero
        for inner in 0..<a.dimension {
          sum = sum + a[row, inner] * b[order[inner], order[column]]
        }
        largest = max(largest, sum.squaredMagnitude)
      }
    }
    return largest.squareRoot()
  }

  @Test("a gate times its inverse is the identity", arguments: Gate.allCases)
  func identity(gate: Gate) throws {
    let parameters = Self.angles.prefix(gate.parameterCount).map { Expression.radians($0) }
    let targets = Array([3, 1].prefix(gate.targetCount))
    var powers: [Expression?] = [nil, .radians(-1), .radians(0.37)]
    if gate == .globalPhase { powers = [nil] }
    for power in powers {
      var application = GateApplication(
        gate, Array(parameters), targets: targets, controls: [Control(7, isPositive: false)])
      application.exponent = power
      let inverse = try application.inverted()
      #expect(inverse.controls == application.controls)
      let isSwapped = inverse.targets != application.targets
      #expect(!isSwapped || inverse.targets == application.targets.reversed())
      // The order of targets changes rows and columns of the inverse.
      let distance = distanceFromIdentity(
        try matrix(application), try matrix(inverse), isSwapped: isSwapped)
      #expect(distance < 1e-13, "\(gate.name), power \(String(describing: power))")
    }
  }

  @Test("parameters that are not known stay expressions")
  func inputs() throws {
    let gate = GateApplication(.u, [.input(0), .input(1), .input(2)], targets: [0])
    let inverse = try gate.inverted()
    let state = ClassicalState(
      bits: [], variables: [], inputs: [.float(0.1), .float(0.2), .float(0.3)])
    let angles = try inverse.parameters.map { try $0.evaluate(state).real }
    #expect(angles == [-0.1, -0.3, -0.2])
  }
}
