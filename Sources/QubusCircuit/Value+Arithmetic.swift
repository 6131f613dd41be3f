package import QubusCore

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

extension UnaryOperator {
  /// - Throws: `program_semantic_error` for an operand type without this operator.
  package func apply(_ operand: Value) throws(QubusError) -> Value {
    switch (self, operand) {
    case (.not, _): return .bool(!operand.truth)
    case (.minus, .bool(let value)): return .int(value ? -1 : 0, width: 64)
    case (.minus, .int(let value, let width)): return Value.wrappedInt(0 &- value, width: width)
    case (.minus, .uint(let value, let width)): return Value.wrappedUInt(0 &- value, width: width)
    case (.minus, .float(let value)): return .float(-value)
    case (.minus, .angle(let raw, let width)):
      return .angle(raw: (0 &- raw) & Value.mask(width), width: width)
    case (.bitwiseNot, .bool(let value)): return .bool(!value)
    case (.bitwiseNot, .int(let value, let width)): return .int(~value, width: width)
    case (.bitwiseNot, .uint(let value, let width)): return Value.wrappedUInt(~value, width: width)
    case (.bitwiseNot, .bits(let value, let width)):
      return .bits(~value & Value.mask(width), width: width)
    case (.bitwiseNot, .angle(let raw, let width)):
      return .angle(raw: ~raw & Value.mask(width), width: width)
    case (.minus, .bits), (.bitwiseNot, .float):
      throw QubusError(
        .programSemanticError, "operator '\(text)' is not defined for \(operand.type.text)")
    }
  }

  package var text: String {
    switch self {
    case .minus: "-"
    case .not: "!"
    case .bitwiseNot: "~"
    }
  }
}

extension BinaryOperator {
  /// Applies the operator with OpenQASM 3's implicit promotions: integers wrap at their width,
  /// an angle and a number other than an integer meet as radians.
  /// - Throws: `division_by_zero`; `program_semantic_error` for types without this operator.
  package func apply(_ a: Value, _ b: Value) throws(QubusError) -> Value {
    switch self {
    case .and: return .bool(a.truth && b.truth)
    case .or: return .bool(a.truth || b.truth)
    case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual:
      return .bool(try holds(try Value.compare(a, b, self)))
    case .bitwiseAnd, .bitwiseOr, .bitwiseXor: return try bitwise(a, b)
    case .shiftLeft, .shiftRight: return try shifted(a, by: b)
    case .add, .subtract, .multiply, .divide, .modulo, .power: return try arithmetic(a, b)
    }
  }

  package var text: String {
    switch self {
    case .add: "+"
    case .subtract: "-"
    case .multiply: "*"
    case .divide: "/"
    case .modulo: "%"
    case .power: "**"
    case .and: "&&"
    case .or: "||"
    case .bitwiseAnd: "&"
    case .bitwiseOr: "|"
    case .bitwiseXor: "^"
    case .shiftLeft: "<<"
    case .shiftRight: ">>"
    case .equal: "=="
    case .notEqual: "!="
    case .less: "<"
    case .lessOrEqual: "<="
    case .greater: ">"
    case .greaterOrEqual: ">="
    }
  }

  func undefined(_ a: Value, _ b: Value) -> QubusError {
    QubusError(
      .programSemanticError,
      "operator '\(text)' is not defined for \(a.type.text) and \(b.type.text)")
  }

  /// Whether an order of the operands (nil: unordered, a NaN) satisfies the comparison.
  private func holds(_ order: Int?) throws(QubusError) -> Bool {
    guard let order else { return self == .notEqual }
    switch self {
    case .equal: return order == 0
    case .notEqual: return order != 0
    case .less: return order < 0
    case .lessOrEqual: return order <= 0
    case .greater: return order > 0
    case .greaterOrEqual: return order >= 0
    default: preconditionFailure("not a comparison")
    }
  }

  private func arithmetic(_ a: Value, _ b: Value) throws(QubusError) -> Value {
    switch (a, b) {
    case (.float, _), (_, .float): return .float(try real(a.real, b.real))
    case (.angle, _), (_, .angle): return try angles(a, b)
    default: break
    }
    guard let type = ScalarType.promotedInteger(a.type, b.type) else { throw undefined(a, b) }
    if self == .power { return try integerPower(a, b, type) }
    switch (try a.converted(to: type), try b.converted(to: type)) {
    case (.int(let x, let width), .int(let y, _)):
      return Value.wrappedInt(try signed(x, y), width: width)
    case (.uint(let x, let width), .uint(let y, _)):
      return Value.wrappedUInt(try unsigned(x, y), width: width)
    default: throw undefined(a, b)
    }
  }

  private func real(_ x: Double, _ y: Double) throws(QubusError) -> Double {
    switch self {
    case .add: return x + y
    case .subtract: return x - y
    case .multiply: return x * y
    case .divide:
      guard y != 0 else { throw QubusError(.divisionByZero, "division of \(x) by zero") }
      return x / y
    case .modulo:
      guard y != 0 else { throw QubusError(.divisionByZero, "\(x) modulo zero") }
      return fmod(x, y)
    case .power: return floatingPower(x, y)
    default: preconditionFailure("not arithmetic")
    }
  }

  private func signed(_ x: Int64, _ y: Int64) throws(QubusError) -> Int64 {
    switch self {
    case .add: return x &+ y
    case .subtract: return x &- y
    case .multiply: return x &* y
    case .divide:
      guard y != 0 else { throw QubusError(.divisionByZero, "division of \(x) by zero") }
      return x.dividedReportingOverflow(by: y).partialValue
    case .modulo:
      guard y != 0 else { throw QubusError(.divisionByZero, "\(x) modulo zero") }
      return y == -1 ? 0 : x % y
    default: preconditionFailure("not integer arithmetic")
    }
  }

  private func unsigned(_ x: UInt64, _ y: UInt64) throws(QubusError) -> UInt64 {
    switch self {
    case .add: return x &+ y
    case .subtract: return x &- y
    case .multiply: return x &* y
    case .divide:
      guard y != 0 else { throw QubusError(.divisionByZero, "division of \(x) by zero") }
      return x / y
    case .modulo:
      guard y != 0 else { throw QubusError(.divisionByZero, "\(x) modulo zero") }
      return x % y
    default: preconditionFailure("not integer arithmetic")
    }
  }

  /// Integer powers wrap by squaring; a negative exponent gives a float.
  private func integerPower(
    _ a: Value, _ b: Value, _ type: ScalarType
  ) throws(QubusError) -> Value {
    if case .int(let exponent, _) = b, exponent < 0 {
      guard a.truth else { throw QubusError(.divisionByZero, "zero to a negative power") }
      return .float(floatingPower(a.real, b.real))
    }
    guard let pattern = try a.converted(to: .int(width: 64)).pattern, var exponent = b.pattern
    else { throw undefined(a, b) }
    var base = pattern
    var result: UInt64 = 1
    while exponent > 0 {
      if exponent & 1 == 1 { result = result &* base }
      base = base &* base
      exponent >>= 1
    }
    return try Value.int(Int64(bitPattern: result), width: 64).converted(to: type)
  }
}

/// `pow` of the C library, apart from `Function.pow`.
private func floatingPower(_ x: Double, _ y: Double) -> Double { pow(x, y) }
