internal import QubusCircuit

/// A statement as parsed.
struct StatementSyntax {
  indirect enum Kind {
    case include
    case qubits(NameSyntax, size: ExpressionSyntax?)
    case declaration(TypeSyntax, NameSyntax, ValueSyntax?, isConstant: Bool)
    case input(TypeSyntax, NameSyntax)
    case alias(NameSyntax, [ExpressionSyntax])
    case gate(GateSyntax)
    case opaque(NameSyntax, parameterCount: Int, qubitCount: Int)
    case gateCall(GateCallSyntax)
    case measure(ExpressionSyntax, into: ExpressionSyntax?)
    case reset(ExpressionSyntax)
    case barrier([ExpressionSyntax])
    case delay
    case assignment(ExpressionSyntax, BinaryOperator?, ValueSyntax)
    case branch(ExpressionSyntax, then: StatementSyntax, otherwise: StatementSyntax?)
    case forLoop(ForSyntax)
    case whileLoop(ExpressionSyntax, StatementSyntax)
    case select(ExpressionSyntax, [CaseSyntax], otherwise: [StatementSyntax])
    case breakLoop
    case continueLoop
    case end
    case block([StatementSyntax])
    case pragma
    case annotation
    case empty
  }

  var kind: Kind
  /// The whole statement, or its head where it has a body.
  var span: Span
}

/// The right-hand side of a declaration or assignment.
enum ValueSyntax {
  case expression(ExpressionSyntax)
  case measure(ExpressionSyntax, Span)
  case concatenation([ExpressionSyntax])
}

struct GateSyntax {
  var name: NameSyntax
  var parameters: [NameSyntax]
  var qubits: [NameSyntax]
  var body: [StatementSyntax]
}

enum ModifierSyntax {
  case inverse
  case power(ExpressionSyntax)
  case control(ExpressionSyntax?, isPositive: Bool, Span)
}

struct GateCallSyntax {
  /// As written: the outermost modifier first.
  var modifiers: [ModifierSyntax]
  var name: NameSyntax
  var parameters: [ExpressionSyntax]
  var operands: [ExpressionSyntax]
}

struct ForSyntax {
  enum Values {
    case range(RangeSyntax)
    case set([ExpressionSyntax])
    case expression(ExpressionSyntax)
  }

  var type: TypeSyntax
  var variable: NameSyntax
  var values: Values
  var body: StatementSyntax
}

struct CaseSyntax {
  var labels: [ExpressionSyntax]
  var body: [StatementSyntax]
}
