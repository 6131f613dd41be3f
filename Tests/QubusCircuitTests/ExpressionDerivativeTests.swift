import QubusCircuit
import QubusCore
import Testing

@Suite struct ExpressionDerivativeTests {
  private let x = Expression.input(0)
  private let y = Expression.input(1)

  private func value(_ expression: Expression, _ inputs: [Double]) throws -> Double {
    try expression.evaluateDouble(
      ClassicalState(bits: [], variables: [], inputs: inputs.map { .float($0) }))
  }

  private func derivatives(_ expression: Expression, _ inputs: [Double]) throws -> [Double] {
    var result = [Double](repeating: 0, count: inputs.count)
    try expression.addDerivatives(
      by: [true, true], scale: 1,
      ClassicalState(bits: [], variables: [], inputs: inputs.map { .float($0) }), into: &result)
    return result
  }

  @Test("derivatives are central differences")
  func differences() throws {
    let expressions: [Expression] = [
      .binary(.add, x, .unary(.minus, y)), .binary(.subtract, x, y), .binary(.multiply, x, y),
      .binary(.divide, x, y), .binary(.power, x, y),
      .binary(.modulo, .binary(.multiply, .radians(9), x), y),
      .call(.sin, [.binary(.multiply, x, y)]), .call(.cos, [x]), .call(.tan, [y]),
      .call(.arcsin, [x]), .call(.arccos, [x]), .call(.arctan, [y]), .call(.exp, [x]),
      .call(.log, [y]), .call(.sqrt, [x]), .call(.pow, [x, .radians(3)]),
      .call(.mod, [y, .radians(0.5)]), .cast(.float(width: 64), x),
      .binary(.multiply, x, .constant(.int(3, width: 32))),
    ]
    for expression in expressions {
      let point = [0.37, 0.83]
      let found = try derivatives(expression, point)
      for index in 0..<2 {
        var (low, high) = (point, point)
        low[index] -= 1e-5
        high[index] += 1e-5
        let slope = (try value(expression, high) - value(expression, low)) / 2e-5
        #expect(abs(found[index] - slope) < 1e-8, "\(expression)")
      }
    }
  }

  @Test("values that jump or are whole numbers have no derivative")
  func refusals() throws {
    let expressions: [Expression] = [
      .call(.floor, [x]), .call(.ceiling, [x]), .cast(.int(width: 32), x),
      .binary(.less, x, y), .unary(.not, x), .cast(.bool, x),
      .call(.popcount, [.cast(.uint(width: 8), x)]),
    ]
    for expression in expressions {
      let error = #expect(throws: QubusError.self) { try derivatives(expression, [0.4, 0.9]) }
      #expect(error?.code == .unsupportedProgramFeature)
    }
    // What does not read a wanted input may be anything.
    #expect(try derivatives(.call(.floor, [.radians(1.5)]), [0.4, 0.9]) == [0, 0])
  }
}
