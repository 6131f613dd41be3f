package import QubusCore

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

extension Expression {
  /// True when the value may depend on one of the marked inputs.
  package func reads(inputs wanted: [Bool]) -> Bool {
    switch self {
    case .input(let index): return wanted.indices.contains(index) && wanted[index]
    case .constant, .variable, .bit, .register: return false
    case .element(_, _, let index): return index.reads(inputs: wanted)
    case .bitOf(let operand, let index):
      return operand.reads(inputs: wanted) || index.reads(inputs: wanted)
    case .unary(_, let operand), .cast(_, let operand): return operand.reads(inputs: wanted)
    case .binary(_, let a, let b): return a.reads(inputs: wanted) || b.reads(inputs: wanted)
    case .call(_, let arguments):
      for argument in arguments where argument.reads(inputs: wanted) { return true }
      return false
    }
  }

  /// Adds `scale` times the partial derivatives of the value (angles in radians) to `result`.
  /// - Parameters:
  ///   - wanted: the inputs to differentiate by, one flag for each input of the program.
  ///   - result: one number for each input.
  /// - Throws: `unsupported_program_feature` where the value has no derivative: integers, bits,
  ///   comparisons, `floor`; otherwise as `evaluate`.
  package func addDerivatives(
    by wanted: [Bool], scale: Double, _ state: ClassicalState, into result: inout [Double]
  ) throws(QubusError) {
    guard reads(inputs: wanted) else { return }
    switch self {
    case .constant, .variable, .bit, .register: return
    case .input(let index):
      switch state.inputs[index] {
      case .float, .angle: result[index] += scale
      case .bool, .int, .uint, .bits:
        throw Self.notDifferentiable("an input that is no real number")
      }
    case .unary(.minus, let operand):
      try Self.requireReal(try operand.evaluate(state))
      try operand.addDerivatives(by: wanted, scale: -scale, state, into: &result)
    case .cast(.float, let operand), .cast(.angle, let operand):
      // Reducing an angle to one turn does not change the slope.
      try operand.addDerivatives(by: wanted, scale: scale, state, into: &result)
    case .binary(let operation, let a, let b):
      try Self.addDerivatives(operation, a, b, by: wanted, scale: scale, state, into: &result)
    case .call(let function, let arguments):
      if let operation = function.binaryOperator {
        try Self.addDerivatives(
          operation, arguments[0], arguments[1], by: wanted, scale: scale, state, into: &result)
      } else {
        let slope = try function.slope(try arguments[0].evaluate(state).real)
        try arguments[0].addDerivatives(by: wanted, scale: scale * slope, state, into: &result)
      }
    case .element, .bitOf, .unary, .cast: throw Self.notDifferentiable("bits or whole numbers")
    }
  }

  private static func addDerivatives(
    _ operation: BinaryOperator, _ a: Expression, _ b: Expression, by wanted: [Bool],
    scale: Double, _ state: ClassicalState, into result: inout [Double]
  ) throws(QubusError) {
    let (byA, byB) = try operation.slopes(try a.evaluate(state), try b.evaluate(state))
    try a.addDerivatives(by: wanted, scale: scale * byA, state, into: &result)
    try b.addDerivatives(by: wanted, scale: scale * byB, state, into: &result)
  }

  static func notDifferentiable(_ what: String) -> QubusError {
    QubusError(
      .unsupportedProgramFeature,
      "a gradient was asked for by an input that a gate uses through \(what)")
  }

  private static func requireReal(_ value: Value) throws(QubusError) {
    switch value {
    case .float, .angle: return
    case .bool, .int, .uint, .bits: throw notDifferentiable("whole numbers")
    }
  }
}

extension BinaryOperator {
  /// Partial derivatives of the result by both operands.
  fileprivate func slopes(_ a: Value, _ b: Value) throws(QubusError) -> (Double, Double) {
    switch (a, b) {
    case (.float, _), (_, .float): break
    case (.angle, .angle) where self == .add || self == .subtract: break
    case (.angle, .int), (.angle, .uint), (.angle, .bits), (.angle, .bool), (.int, .angle),
      (.uint, .angle), (.bits, .angle), (.bool, .angle):
      break
    default: throw Expression.notDifferentiable("the operator '\(text)' on whole numbers")
    }
    let (x, y) = (a.real, b.real)
    switch self {
    case .add: return (1, 1)
    case .subtract: return (1, -1)
    case .multiply: return (y, x)
    case .divide:
      guard y != 0 else { throw QubusError(.divisionByZero, "division of \(x) by zero") }
      return (1 / y, -x / (y * y))
    case .modulo:
      guard y != 0 else { throw QubusError(.divisionByZero, "\(x) modulo zero") }
      return (1, -(x / y).rounded(.towardZero))
    case .power:
      // At x = 0 only the slope by x exists; by y it is 0 for y > 0.
      let byX = y == 0 ? 0 : y * libraryPower(x, y - 1)
      return (byX, x == 0 ? 0 : libraryPower(x, y) * libraryLogarithm(x))
    case .and, .or, .bitwiseAnd, .bitwiseOr, .bitwiseXor, .shiftLeft, .shiftRight, .equal,
      .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual:
      throw Expression.notDifferentiable("the operator '\(text)'")
    }
  }
}

extension Function {
  fileprivate var binaryOperator: BinaryOperator? {
    switch self {
    case .mod: .modulo
    case .pow: .power
    default: nil
    }
  }

  /// Derivative at x.
  fileprivate func slope(_ x: Double) throws(QubusError) -> Double {
    switch self {
    case .sin: return libraryCosine(x)
    case .cos: return -librarySine(x)
    case .tan: return 1 / (libraryCosine(x) * libraryCosine(x))
    case .arcsin: return 1 / (1 - x * x).squareRoot()
    case .arccos: return -1 / (1 - x * x).squareRoot()
    case .arctan: return 1 / (1 + x * x)
    case .exp: return libraryExponential(x)
    case .log: return 1 / x
    case .sqrt: return 0.5 / x.squareRoot()
    case .ceiling, .floor, .mod, .popcount, .pow, .rotl, .rotr:
      throw Expression.notDifferentiable("the function '\(self)'")
    }
  }
}

extension Expression {
  /// A copy that depends on inputs only: what reads variables and bits is replaced by its value in
  /// `state`.
  package func closed(over state: ClassicalState) throws(QubusError) -> Expression {
    let dependencies = dependencies
    if dependencies.inputs.isEmpty { return .constant(try evaluate(state)) }
    if dependencies.variables.isEmpty && dependencies.bits.isEmpty { return self }
    switch self {
    case .constant, .input, .variable, .bit, .register, .element: return self
    case .bitOf(let operand, let index):
      return .bitOf(try operand.closed(over: state), index: try index.closed(over: state))
    case .unary(let operation, let operand):
      return .unary(operation, try operand.closed(over: state))
    case .cast(let type, let operand): return .cast(type, try operand.closed(over: state))
    case .binary(let operation, let a, let b):
      return .binary(operation, try a.closed(over: state), try b.closed(over: state))
    case .call(let function, let arguments):
      var closed: [Expression] = []
      for argument in arguments { closed.append(try argument.closed(over: state)) }
      return .call(function, closed)
    }
  }
}

// The cases of `Function` hide the C functions of the same names inside its extension.
private func libraryPower(_ x: Double, _ y: Double) -> Double { pow(x, y) }
private func libraryLogarithm(_ x: Double) -> Double { log(x) }
private func libraryCosine(_ x: Double) -> Double { cos(x) }
private func librarySine(_ x: Double) -> Double { sin(x) }
private func libraryExponential(_ x: Double) -> Double { exp(x) }
