package import QubusCore

extension Expression {
  /// The value in the given state of one shot.
  /// - Throws: `division_by_zero`, `index_out_of_range` for an index known only now, and
  ///   `program_semantic_error` or `invalid_parameter_value` for values without a conversion.
  package func evaluate(_ state: ClassicalState) throws(QubusError) -> Value {
    switch self {
    case .constant(let value): return value
    case .input(let index): return state.inputs[index]
    case .variable(let index): return state.variables[index]
    case .bit(let index): return .bits(state.bits[index] ? 1 : 0, width: 1)
    case .register(let offset, let width):
      var pattern: UInt64 = 0
      for bit in 0..<width where state.bits[offset + bit] { pattern |= 1 << UInt64(bit) }
      return .bits(pattern, width: width)
    case .element(let offset, let width, let index):
      let position = try Expression.position(index.evaluate(state), below: width)
      return .bits(state.bits[offset + position] ? 1 : 0, width: 1)
    case .bitOf(let operand, let index):
      let value = try operand.evaluate(state)
      guard let pattern = value.pattern, let width = value.type.indexableWidth else {
        throw QubusError(.programSemanticError, "a \(value.type.text) has no bits to index")
      }
      let position = try Expression.position(index.evaluate(state), below: width)
      return .bits((pattern >> UInt64(position)) & 1, width: 1)
    case .unary(let operation, let operand): return try operation.apply(operand.evaluate(state))
    case .binary(.and, let a, let b):
      guard try a.evaluate(state).truth else { return .bool(false) }
      return .bool(try b.evaluate(state).truth)
    case .binary(.or, let a, let b):
      if try a.evaluate(state).truth { return .bool(true) }
      return .bool(try b.evaluate(state).truth)
    case .binary(let operation, let a, let b):
      return try operation.apply(a.evaluate(state), b.evaluate(state))
    case .call(let function, let arguments):
      let first = try arguments[0].evaluate(state)
      if arguments.count == 1 { return try function.apply(first) }
      return try function.apply(first, try arguments[1].evaluate(state))
    case .cast(let type, let operand): return try operand.evaluate(state).converted(to: type)
    }
  }

  /// The value as a finite real number, angles in radians.
  /// - Throws: as `evaluate`; `invalid_parameter_value` for NaN and infinities.
  package func evaluateDouble(_ state: ClassicalState) throws(QubusError) -> Double {
    let number: Double
    if case .constant(.float(let value)) = self {
      number = value
    } else {
      number = try evaluate(state).real
    }
    guard number.isFinite else {
      throw QubusError(
        .invalidParameterValue, "an expression used as a number evaluates to \(number)")
    }
    return number
  }

  /// The value as a condition: anything but zero is true.
  package func evaluateBool(_ state: ClassicalState) throws(QubusError) -> Bool {
    try evaluate(state).truth
  }

  /// An index in 0 ..< width; negative indices count from the end.
  /// - Throws: `index_out_of_range`.
  package static func position(_ value: Value, below width: Int) throws(QubusError) -> Int {
    guard let index = value.integer else {
      throw QubusError(.programSemanticError, "an index of type \(value.type.text) is no integer")
    }
    let position = index < 0 ? index + Int64(width) : index
    guard position >= 0, position < Int64(width) else {
      throw QubusError(
        .indexOutOfRange, "index \(index) is outside a register of size \(width)")
    }
    return Int(position)
  }
}
