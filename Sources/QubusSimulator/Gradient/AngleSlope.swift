internal import QubusCircuit
internal import QubusCore

/// How an angle passes its derivative on to the inputs.
enum AngleSlope: Sendable {
  /// The angle is a multiple of one input, up to a constant.
  case input(Int, factor: Double)
  case expression(Expression)

  init(_ angle: Expression, _ inputs: [InputParameter], wanted: [Bool]) {
    if let (input, factor) = Self.multiple(angle, inputs), wanted[input] {
      self = .input(input, factor: factor)
    } else {
      self = .expression(angle)
    }
  }

  private static func multiple(
    _ angle: Expression, _ inputs: [InputParameter]
  ) -> (input: Int, factor: Double)? {
    switch angle {
    case .input(let index):
      switch inputs[index].type {
      case .float, .angle: return (index, 1)
      case .bool, .int, .uint, .bits: return nil
      }
    case .unary(.minus, let operand):
      return multiple(operand, inputs).map { ($0.input, -$0.factor) }
    case .binary(.multiply, .constant(.float(let factor)), let operand):
      return multiple(operand, inputs).map { ($0.input, factor * $0.factor) }
    default: return nil
    }
  }

  /// Adds the derivatives by the inputs.
  /// - Parameter slope: the derivative by the angle.
  @inline(__always)
  func add(
    _ slope: Double, by wanted: [Bool], _ state: ClassicalState, to gradient: inout [Double]
  ) throws(QubusError) {
    switch self {
    case .input(let index, let factor): gradient[index] += slope * factor
    case .expression(let angle):
      try angle.addDerivatives(by: wanted, scale: slope, state, into: &gradient)
    }
  }
}
