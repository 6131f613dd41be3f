internal import QubusCircuit

/// An identifier as written.
struct NameSyntax {
  var name: Int
  var span: Span
}

/// An expression as parsed, without meaning yet.
struct ExpressionSyntax {
  indirect enum Kind {
    case integer(UInt64)
    case float(Double)
    case boolean(Bool)
    /// A quoted string of binary digits; the leftmost is the most significant bit.
    case bitString
    case timing
    case name(Int)
    case hardwareQubit(Int)
    case unary(UnaryOperator, ExpressionSyntax)
    case binary(BinaryOperator, ExpressionSyntax, ExpressionSyntax)
    case call(NameSyntax, [ExpressionSyntax])
    case cast(TypeSyntax, ExpressionSyntax)
    case index(ExpressionSyntax, IndexSyntax)
  }

  var kind: Kind
  var span: Span
  /// Height of the tree; bounded by the parser, so that later recursion is bounded too.
  var height: Int32 = 1
}

/// What stands between brackets behind a name.
enum IndexSyntax {
  case single(ExpressionSyntax)
  case range(RangeSyntax)
  case set([ExpressionSyntax])
}

/// `start : step : stop`, both ends included.
struct RangeSyntax {
  var start: ExpressionSyntax?
  var step: ExpressionSyntax?
  var stop: ExpressionSyntax?
  var span: Span
}

/// A scalar type with its designator.
struct TypeSyntax {
  enum Base { case bool, int, uint, float, angle, bit }

  var base: Base
  var width: ExpressionSyntax?
  var span: Span
}
