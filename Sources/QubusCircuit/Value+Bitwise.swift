internal import QubusCore

extension BinaryOperator {
  /// Arithmetic with at least one angle, on the bit representation (specification §Angles).
  func angles(_ a: Value, _ b: Value) throws(QubusError) -> Value {
    switch (self, a, b) {
    case (.add, .angle, .angle), (.subtract, .angle, .angle), (.divide, .angle, .angle):
      let (x, y, width) = try Value.aligned(a, b)
      if self == .divide {
        guard y != 0 else { throw QubusError(.divisionByZero, "division of an angle by zero") }
        return .uint(x / y, width: width)
      }
      return .angle(raw: (self == .add ? x &+ y : x &- y) & Value.mask(width), width: width)
    case (.multiply, .angle(let raw, let width), let factor),
      (.multiply, let factor, .angle(let raw, let width)):
      guard let times = try? factor.converted(to: .int(width: 64)).pattern else {
        throw undefined(a, b)
      }
      return .angle(raw: (raw &* times) & Value.mask(width), width: width)
    case (.divide, .angle(let raw, let width), .int), (.divide, .angle(let raw, let width), .uint):
      guard b.truth else {
        throw QubusError(.divisionByZero, "division of an angle by zero")
      }
      if case .int(let divisor, _) = b, divisor < 0 {
        let quotient = raw / divisor.magnitude
        return .angle(raw: (0 &- quotient) & Value.mask(width), width: width)
      }
      return .angle(raw: raw / (b.pattern ?? 1), width: width)
    default: throw undefined(a, b)
    }
  }

  func bitwise(_ a: Value, _ b: Value) throws(QubusError) -> Value {
    func combine(_ x: UInt64, _ y: UInt64) -> UInt64 {
      switch self {
      case .bitwiseAnd: x & y
      case .bitwiseOr: x | y
      default: x ^ y
      }
    }
    switch (a, b) {
    case (.bool(let x), .bool(let y)): return .bool(combine(x ? 1 : 0, y ? 1 : 0) != 0)
    case (.bits(let x, let width), .bits(let y, let other)):
      return .bits(combine(x, y), width: max(width, other))
    case (.bits(let x, let width), .bool(let y)), (.bool(let y), .bits(let x, let width)):
      return .bits(combine(x, y ? 1 : 0), width: width)
    case (.angle, .angle):
      let (x, y, width) = try Value.aligned(a, b)
      return .angle(raw: combine(x, y), width: width)
    default:
      guard let type = ScalarType.promotedInteger(a.type, b.type) else { throw undefined(a, b) }
      let x = try a.converted(to: type), y = try b.converted(to: type)
      guard let first = x.pattern, let second = y.pattern else { throw undefined(a, b) }
      return try Value.uint(combine(first, second), width: 64).converted(to: type)
    }
  }

  /// Shifts keep the type of the left operand; bits shifted off the end are lost.
  func shifted(_ a: Value, by b: Value) throws(QubusError) -> Value {
    guard let amount = b.integer else { throw undefined(a, b) }
    guard amount >= 0 else {
      throw QubusError(.programSemanticError, "shift by the negative amount \(amount)")
    }
    let left = self == .shiftLeft
    func move(_ x: UInt64, _ width: Int) -> UInt64 {
      left ? (x << amount) & Value.mask(width) : x >> amount
    }
    switch a {
    case .bool(let value): return Value.wrappedInt(Int64(move(value ? 1 : 0, 64)), width: 64)
    case .int(let value, let width):
      return Value.wrappedInt(left ? value << amount : value >> amount, width: width)
    case .uint(let value, let width): return .uint(move(value, width), width: width)
    case .bits(let value, let width): return .bits(move(value, width), width: width)
    case .angle(let raw, let width): return .angle(raw: move(raw, width), width: width)
    case .float: throw undefined(a, b)
    }
  }
}

extension Value {
  /// Two angles brought to the larger width.
  static func aligned(_ a: Value, _ b: Value) throws(QubusError) -> (UInt64, UInt64, Int) {
    guard case .angle(_, let first) = a, case .angle(_, let second) = b else {
      preconditionFailure("not two angles")
    }
    let type = ScalarType.angle(width: max(first, second))
    return (
      try a.converted(to: type).pattern ?? 0, try b.converted(to: type).pattern ?? 0,
      max(first, second)
    )
  }

  /// The order of two values: negative, zero or positive; nil when a NaN is involved. Integers
  /// compare by value whatever their signedness; an angle and a float compare as angles.
  static func compare(
    _ a: Value, _ b: Value, _ operation: BinaryOperator
  ) throws(QubusError) -> Int? {
    switch (a, b) {
    case (.angle(_, let width), .float), (.float, .angle(_, let width)):
      let type = ScalarType.angle(width: width)
      return order(try a.converted(to: type).pattern ?? 0, try b.converted(to: type).pattern ?? 0)
    case (.angle, .angle):
      let (x, y, _) = try aligned(a, b)
      return order(x, y)
    case (.angle, _), (_, .angle): throw operation.undefined(a, b)
    case (.float, _), (_, .float):
      let x = a.real, y = b.real
      return x.isNaN || y.isNaN ? nil : order(x, y)
    case (.int(let x, _), .int(let y, _)): return order(x, y)
    case (.int(let x, _), _): return x < 0 ? -1 : order(UInt64(x), b.pattern ?? 0)
    case (_, .int(let y, _)): return y < 0 ? 1 : order(a.pattern ?? 0, UInt64(y))
    default: return order(a.pattern ?? 0, b.pattern ?? 0)
    }
  }

  private static func order<T: Comparable>(_ x: T, _ y: T) -> Int { x < y ? -1 : (x == y ? 0 : 1) }
}
