internal import QubusCircuit
internal import QubusCore

extension Parser {
  mutating func parseExpression() throws(QubusError) -> ExpressionSyntax {
    try parseBinary(minimum: 0)
  }

  /// Precedence climbing; powers bind tighter than unary operators and to the right.
  private mutating func parseBinary(minimum: Int) throws(QubusError) -> ExpressionSyntax {
    var left = try parseUnary()
    while let (operation, level) = binaryOperator(token.kind), level >= minimum {
      try advance()
      let right: ExpressionSyntax
      if operation == .power {
        right = try nested { parser throws(QubusError) in try parser.parseBinary(minimum: level) }
      } else {
        right = try parseBinary(minimum: level + 1)
      }
      left = try node(.binary(operation, left, right), left.span.joined(right.span), left, right)
    }
    return left
  }

  private mutating func parseUnary() throws(QubusError) -> ExpressionSyntax {
    let start = token.span
    let operation: UnaryOperator?
    switch token.kind {
    case .minus: operation = .minus
    case .exclamation: operation = .not
    case .tilde: operation = .bitwiseNot
    case .plus where dialect == .openqasm2: operation = nil
    default: return try parsePostfix()
    }
    try advance()
    let operand = try nested { parser throws(QubusError) in
      try parser.parseBinary(minimum: Parser.powerLevel)
    }
    guard let operation else { return operand }
    return try node(.unary(operation, operand), start.joined(operand.span), operand)
  }

  private mutating func parsePostfix() throws(QubusError) -> ExpressionSyntax {
    var base = try parsePrimary()
    while token.kind == .leftBracket {
      let index = try parseIndex()
      base = try node(
        .index(base, index), Span(start: base.span.start, end: previousEnd), base)
    }
    return base
  }

  /// The bracketed part of an indexed name, brackets included.
  private mutating func parseIndex() throws(QubusError) -> IndexSyntax {
    let start = token.span.start
    try advance()
    let index = try nested { parser throws(QubusError) -> IndexSyntax in
      if parser.token.kind == .leftBrace { return .set(try parser.parseSet()) }
      var first: ExpressionSyntax?
      if parser.token.kind != .colon { first = try parser.parseExpression() }
      if parser.token.kind != .colon, let first { return .single(first) }
      return .range(try parser.parseRange(from: first, start: start))
    }
    if token.kind == .comma {
      throw unsupported("arrays (an index with several dimensions)", token.span)
    }
    try expect(.rightBracket, after: "the index")
    return index
  }

  /// The rest of a range; `start : stop` or `start : step : stop`.
  mutating func parseRange(
    from first: ExpressionSyntax?, start: Int
  ) throws(QubusError) -> RangeSyntax {
    var range = RangeSyntax(start: first, span: Span(start: start, end: start))
    try expect(.colon, after: "the start of a range")
    if token.kind != .rightBracket, token.kind != .colon { range.stop = try parseExpression() }
    if try accept(.colon) {
      range.step = range.stop
      range.stop = token.kind == .rightBracket ? nil : try parseExpression()
    }
    range.span.end = previousEnd
    return range
  }

  /// `{a, b, …}`.
  mutating func parseSet() throws(QubusError) -> [ExpressionSyntax] {
    try expect(.leftBrace, after: "'['")
    var items: [ExpressionSyntax] = []
    while token.kind != .rightBrace {
      items.append(try parseExpression())
      guard try accept(.comma) else { break }
    }
    try expect(.rightBrace, after: "the index set")
    return items
  }

  /// Comma-separated expressions up to a closing parenthesis, which is consumed.
  mutating func parseArguments() throws(QubusError) -> [ExpressionSyntax] {
    try nested { parser throws(QubusError) in
      var arguments: [ExpressionSyntax] = []
      while parser.token.kind != .rightParenthesis {
        arguments.append(try parser.parseExpression())
        guard try parser.accept(.comma) else { break }
      }
      try parser.expect(.rightParenthesis, after: "the arguments")
      return arguments
    }
  }

  private mutating func parsePrimary() throws(QubusError) -> ExpressionSyntax {
    let span = token.span
    switch token.kind {
    case .integer:
      let value = try lexer.integerValue(span)
      try advance()
      return ExpressionSyntax(kind: .integer(value), span: span)
    case .float:
      let value = lexer.floatValue(span)
      try advance()
      return ExpressionSyntax(kind: .float(value), span: span)
    case .string:
      try advance()
      return ExpressionSyntax(kind: .bitString, span: span)
    case .timing:
      try advance()
      return ExpressionSyntax(kind: .timing, span: span)
    case .imaginary: throw unsupported("complex numbers", span)
    case .hardwareQubit:
      let number = try lexer.integerValue(Span(start: span.start + 1, end: span.end))
      try advance()
      return ExpressionSyntax(
        kind: .hardwareQubit(Int(clamping: number)), span: span)
    case .leftParenthesis:
      try advance()
      let inner = try nested { parser throws(QubusError) in try parser.parseExpression() }
      try expect(.rightParenthesis, after: "the expression")
      return inner
    case .identifier: return try parseNamed()
    default: throw unexpected("an expression")
    }
  }

  private mutating func parseNamed() throws(QubusError) -> ExpressionSyntax {
    let name = NameSyntax(name: token.name, span: token.span)
    switch keyword {
    case nil, .pow?: break
    case .true?, .false?:
      let value = keyword == .true
      try advance()
      return ExpressionSyntax(kind: .boolean(value), span: name.span)
    case .bool?, .int?, .uint?, .float?, .angle?, .bit?:
      let type = try parseType()
      try expect(.leftParenthesis, after: "the type of a cast")
      let operand = try nested { parser throws(QubusError) in try parser.parseExpression() }
      try expect(.rightParenthesis, after: "the operand of a cast")
      let span = Span(start: name.span.start, end: previousEnd)
      return try node(.cast(type, operand), span, operand)
    case .durationof?, .duration?, .stretch?:
      throw unsupported("durations ('\(source.text(name.span))')", name.span)
    case .array?: throw unsupported("arrays", name.span)
    case .complex?: throw unsupported("complex numbers", name.span)
    case .measure?:
      throw failure(
        .programSyntaxError, "'measure' can only be the whole right-hand side of an assignment",
        name.span)
    case let word?:
      throw failure(
        .programSyntaxError, "expected an expression, found the reserved word '\(word.text)'",
        name.span)
    }
    try advance()
    guard token.kind == .leftParenthesis else {
      return ExpressionSyntax(kind: .name(name.name), span: name.span)
    }
    try advance()
    let arguments = try parseArguments()
    let span = Span(start: name.span.start, end: previousEnd)
    var call = ExpressionSyntax(kind: .call(name, arguments), span: span)
    call.height = 1 + (arguments.map(\.height).max() ?? 0)
    return try checked(call)
  }

  private func node(
    _ kind: ExpressionSyntax.Kind, _ span: Span, _ children: ExpressionSyntax...
  ) throws(QubusError) -> ExpressionSyntax {
    var height: Int32 = 0
    for child in children { height = max(height, child.height) }
    return try checked(ExpressionSyntax(kind: kind, span: span, height: height + 1))
  }

  private func checked(_ expression: ExpressionSyntax) throws(QubusError) -> ExpressionSyntax {
    let limit = Parser.heightFactor * limits.programDepth
    guard Int(expression.height) <= limit else {
      throw failure(
        .programTooDeep, "this expression has more than \(limit) levels",
        Span(start: expression.span.start, end: expression.span.start + 1))
    }
    return expression
  }

  static let powerLevel = 11

  private func binaryOperator(_ kind: TokenKind) -> (BinaryOperator, Int)? {
    switch kind {
    case .doubleAsterisk: dialect == .openqasm3 ? (.power, Parser.powerLevel) : nil
    case .caret: dialect == .openqasm2 ? (.power, Parser.powerLevel) : (.bitwiseXor, 4)
    case .asterisk: (.multiply, 10)
    case .slash: (.divide, 10)
    case .percent: (.modulo, 10)
    case .plus: (.add, 9)
    case .minus: (.subtract, 9)
    case .shiftLeft: (.shiftLeft, 8)
    case .shiftRight: (.shiftRight, 8)
    case .less: (.less, 7)
    case .lessOrEqual: (.lessOrEqual, 7)
    case .greater: (.greater, 7)
    case .greaterOrEqual: (.greaterOrEqual, 7)
    case .equalTo: (.equal, 6)
    case .notEqualTo: (.notEqual, 6)
    case .ampersand: (.bitwiseAnd, 5)
    case .pipe: (.bitwiseOr, 3)
    case .doubleAmpersand: (.and, 2)
    case .doublePipe: (.or, 1)
    default: nil
    }
  }
}
