extension Expression {
  /// The static type, which is the type of every value that `evaluate` gives; nil where the
  /// operator is not defined for its operands. (An integer power with a negative exponent alone
  /// differs: its value is a float.)
  package func type(inputs: [InputParameter], variables: [ClassicalVariable]) -> ScalarType? {
    switch self {
    case .constant(let value): return value.type
    case .input(let index):
      return inputs.indices.contains(index) ? inputs[index].type : .float(width: 64)
    case .variable(let index): return variables[index].type
    case .bit, .element, .bitOf: return .bits(width: 1)
    case .register(_, let width): return .bits(width: width)
    case .cast(let type, _): return type
    case .unary(.not, _): return .bool
    case .unary(let operation, let operand):
      guard let type = operand.type(inputs: inputs, variables: variables) else { return nil }
      switch (operation, type) {
      case (.minus, .bool): return .int(width: 64)
      case (.minus, .bits), (.bitwiseNot, .float): return nil
      default: return type
      }
    case .binary(let operation, let a, let b):
      guard let first = a.type(inputs: inputs, variables: variables),
        let second = b.type(inputs: inputs, variables: variables)
      else { return nil }
      return operation.resultType(first, second)
    case .call(let function, let arguments):
      switch function {
      case .popcount: return .uint(width: 64)
      case .rotl, .rotr: return arguments[0].type(inputs: inputs, variables: variables)
      case .mod, .pow:
        return Expression.binary(function == .mod ? .modulo : .power, arguments[0], arguments[1])
          .type(inputs: inputs, variables: variables)
      case .arccos, .arcsin, .arctan, .ceiling, .cos, .exp, .floor, .log, .sin, .sqrt, .tan:
        return .float(width: 64)
      }
    }
  }
}

extension BinaryOperator {
  /// The type of the result, nil where the operator is not defined.
  package func resultType(_ a: ScalarType, _ b: ScalarType) -> ScalarType? {
    switch self {
    case .and, .or: return .bool
    case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual:
      switch (a, b) {
      case (.angle, .angle), (.angle, .float), (.float, .angle): return .bool
      case (.angle, _), (_, .angle): return nil
      default: return .bool
      }
    case .shiftLeft, .shiftRight:
      switch (a, b) {
      case (.float, _), (_, .float), (_, .angle): return nil
      case (.bool, _): return .int(width: 64)
      default: return a
      }
    case .bitwiseAnd, .bitwiseOr, .bitwiseXor:
      switch (a, b) {
      case (.bool, .bool): return .bool
      case (.bits(let width), .bits(let other)): return .bits(width: max(width, other))
      case (.bits, .bool): return a
      case (.bool, .bits): return b
      case (.angle(let width), .angle(let other)): return .angle(width: max(width, other))
      default: return .promotedInteger(a, b)
      }
    case .add, .subtract, .multiply, .divide, .modulo, .power:
      switch (a, b) {
      case (.float, _), (_, .float): return .float(width: 64)
      case (.angle, _), (_, .angle): return angleResultType(a, b)
      default: return .promotedInteger(a, b)
      }
    }
  }

  private func angleResultType(_ a: ScalarType, _ b: ScalarType) -> ScalarType? {
    switch (self, a, b) {
    case (.add, .angle(let width), .angle(let other)),
      (.subtract, .angle(let width), .angle(let other)):
      return .angle(width: max(width, other))
    case (.divide, .angle(let width), .angle(let other)): return .uint(width: max(width, other))
    case (.multiply, .angle, .int), (.multiply, .angle, .uint), (.multiply, .angle, .bits),
      (.multiply, .angle, .bool), (.divide, .angle, .int), (.divide, .angle, .uint):
      return a
    case (.multiply, .int, .angle), (.multiply, .uint, .angle), (.multiply, .bits, .angle),
      (.multiply, .bool, .angle):
      return b
    default: return nil
    }
  }
}
