/// A scalar type of OpenQASM 3 (specification §Types); widths in bits.
package enum ScalarType: Sendable, Hashable {
  case bool
  case int(width: Int)
  case uint(width: Int)
  /// IEEE 754 double whatever the declared width; the width is kept for messages.
  case float(width: Int)
  /// Unsigned fixed-point fraction of 2π with `width` bits.
  case angle(width: Int)
  case bits(width: Int)
}

/// A classical value at run time or compile time.
package enum Value: Sendable, Hashable {
  case bool(Bool)
  case int(Int64, width: Int)
  case uint(UInt64, width: Int)
  case float(Double)
  /// `raw` / 2^width of a full turn; raw < 2^width, width ≤ 64.
  case angle(raw: UInt64, width: Int)
  /// Bit 0 is the least significant; width ≤ 64.
  case bits(UInt64, width: Int)
}

/// An arithmetic or logical expression over constants, inputs, variables and classical bits.
/// Everything that is constant is folded by the front end.
package indirect enum Expression: Sendable, Hashable {
  case constant(Value)
  /// Index into `Circuit.inputs`.
  case input(Int)
  /// Index into `Circuit.variables`.
  case variable(Int)
  /// One classical bit.
  case bit(Int)
  /// A run of classical bits as an unsigned number, bit `offset` least significant; width ≤ 64.
  case register(offset: Int, width: Int)
  /// A bit of a register chosen at run time.
  case element(offset: Int, width: Int, index: Expression)
  /// One bit of an integer, angle or bits value.
  case bitOf(Expression, index: Expression)
  case unary(UnaryOperator, Expression)
  case binary(BinaryOperator, Expression, Expression)
  case call(Function, [Expression])
  case cast(ScalarType, Expression)

  package static func radians(_ value: Double) -> Expression { .constant(.float(value)) }
}

package enum UnaryOperator: UInt8, Sendable, Hashable { case minus, not, bitwiseNot }

package enum BinaryOperator: UInt8, Sendable, Hashable {
  case add, subtract, multiply, divide, modulo, power
  case and, or, bitwiseAnd, bitwiseOr, bitwiseXor, shiftLeft, shiftRight
  case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
}

/// Built-in functions of OpenQASM 3 (and those of OpenQASM 2, a subset).
package enum Function: UInt8, Sendable, Hashable, CaseIterable {
  case arccos, arcsin, arctan, ceiling, cos, exp, floor, log, mod, popcount, pow
  case rotl, rotr, sin, sqrt, tan
}

/// What an expression reads: the state of one running shot.
package struct ClassicalState: Sendable {
  /// Classical bits, index 0 least significant.
  package var bits: [Bool]
  package var variables: [Value]
  package var inputs: [Value]

  package init(bits: [Bool], variables: [Value], inputs: [Value]) {
    self.bits = bits
    self.variables = variables
    self.inputs = inputs
  }
}
