internal import QubusCircuit
internal import QubusCore

extension Parser {
  /// A statement that starts with a name: a gate call, an assignment, or a function call, which
  /// is no statement here.
  mutating func parseNamedStatement() throws(QubusError) -> StatementSyntax.Kind {
    let name = try expectName("a statement")
    if dialect == .openqasm2 { return try parseCall(name, modifiers: []) }
    switch token.kind {
    case .equals, .compound:
      return try parseAssignment(ExpressionSyntax(kind: .name(name.name), span: name.span))
    case .leftBracket: return try parseIndexedStatement(name)
    default:
      if isPragma(name) { return try parsePragma() }
      return try parseCall(name, modifiers: [])
    }
  }

  private func isPragma(_ name: NameSyntax) -> Bool {
    name.span.end - name.span.start == 6 && source.text(name.span) == "pragma"
  }

  /// `pragma` without '#': the rest of its line is content.
  private mutating func parsePragma() throws(QubusError) -> StatementSyntax.Kind {
    lexer.position = previousEnd
    _ = lexer.restOfLine(.pragma)
    token = try lexer.next()
    return .pragma
  }

  private mutating func parseIndexedStatement(
    _ name: NameSyntax
  ) throws(QubusError) -> StatementSyntax.Kind {
    // The name was consumed; go back to let the expression grammar read the indices.
    lexer.position = name.span.start
    token = try lexer.next()
    let target = try parseOperand()
    switch token.kind {
    case .equals, .compound: return try parseAssignment(target)
    case .identifier, .hardwareQubit:
      throw unsupported("gate durations (a designator behind a gate's name)", target.span)
    default: throw unexpected("'=' after an indexed name")
    }
  }

  private mutating func parseAssignment(
    _ target: ExpressionSyntax
  ) throws(QubusError) -> StatementSyntax.Kind {
    var operation: BinaryOperator?
    if token.kind == .compound { operation = try compoundOperator() }
    let span = token.span
    try advance()
    let value = try parseValue()
    if operation != nil, case .measure = value {
      throw failure(.programSyntaxError, "a measurement can only be assigned with '='", span)
    }
    try expect(.semicolon, after: "the assignment")
    return .assignment(target, operation, value)
  }

  private func compoundOperator() throws(QubusError) -> BinaryOperator {
    switch source.text(token.span) {
    case "+=": return .add
    case "-=": return .subtract
    case "*=": return .multiply
    case "/=": return .divide
    case "%=": return .modulo
    case "**=": return .power
    case "&=": return .bitwiseAnd
    case "|=": return .bitwiseOr
    case "^=": return .bitwiseXor
    case "<<=": return .shiftLeft
    case ">>=": return .shiftRight
    default:
      throw failure(.programSyntaxError, "'~=' is no assignment with a meaning", token.span)
    }
  }

  /// Modifiers and the gate call they apply to.
  mutating func parseModifiedCall() throws(QubusError) -> StatementSyntax.Kind {
    var modifiers: [ModifierSyntax] = []
    while let word = keyword, word != .gphase {
      let span = token.span
      switch word {
      case .inv:
        try advance()
        modifiers.append(.inverse)
      case .pow:
        try advance()
        try expect(.leftParenthesis, after: "'pow'")
        modifiers.append(.power(try parseModifierArgument()))
      case .ctrl, .negctrl:
        try advance()
        var count: ExpressionSyntax?
        if try accept(.leftParenthesis) { count = try parseModifierArgument() }
        modifiers.append(.control(count, isPositive: word == .ctrl, span))
      default: throw unexpected("a gate after its modifiers")
      }
      try expect(.at, after: "a gate modifier")
      guard modifiers.count <= limits.programDepth else {
        throw failure(
          .programTooDeep, "more than \(limits.programDepth) modifiers on one gate", span)
      }
    }
    if keyword == .gphase {
      let name = NameSyntax(name: token.name, span: token.span)
      try advance()
      return try parseCall(name, modifiers: modifiers)
    }
    return try parseCall(try expectName("the name of a gate"), modifiers: modifiers)
  }

  private mutating func parseModifierArgument() throws(QubusError) -> ExpressionSyntax {
    let argument = try nested { parser throws(QubusError) in try parser.parseExpression() }
    try expect(.rightParenthesis, after: "the argument of a modifier")
    return argument
  }

  private mutating func parseCall(
    _ name: NameSyntax, modifiers: [ModifierSyntax]
  ) throws(QubusError) -> StatementSyntax.Kind {
    var parameters: [ExpressionSyntax] = []
    if try accept(.leftParenthesis) { parameters = try parseArguments() }
    if token.kind == .leftBracket {
      throw unsupported("gate durations (a designator behind a gate's name)", token.span)
    }
    let isPhase = name.name == Keyword.gphase.rawValue && dialect == .openqasm3
    if token.kind == .semicolon, !isPhase {
      if dialect == .openqasm3, parameters.isEmpty == false {
        throw failure(
          .unsupportedProgramFeature,
          "calls of subroutines and external functions are not supported, and a gate needs qubits",
          name.span)
      }
      throw unexpected("the qubits of the gate")
    }
    let operands = token.kind == .semicolon ? [] : try parseOperands()
    try expect(.semicolon, after: "the operands of a gate")
    return .gateCall(
      GateCallSyntax(modifiers: modifiers, name: name, parameters: parameters, operands: operands))
  }
}
