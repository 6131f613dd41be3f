internal import QubusCircuit
internal import QubusCore

extension Parser {
  mutating func parseIf() throws(QubusError) -> StatementSyntax.Kind {
    let condition = try parseCondition()
    let then = try parseStatement()
    var otherwise: StatementSyntax?
    if dialect == .openqasm3, try accept(.else) { otherwise = try parseStatement() }
    return .branch(condition, then: then, otherwise: otherwise)
  }

  mutating func parseWhile() throws(QubusError) -> StatementSyntax.Kind {
    let condition = try parseCondition()
    return .whileLoop(condition, try parseStatement())
  }

  /// The word, then an expression in parentheses.
  private mutating func parseCondition() throws(QubusError) -> ExpressionSyntax {
    let word = source.text(token.span)
    try advance()
    try expect(.leftParenthesis, after: "'\(word)'")
    let condition = try nested { parser throws(QubusError) in try parser.parseExpression() }
    try expect(.rightParenthesis, after: "the condition")
    return condition
  }

  mutating func parseFor() throws(QubusError) -> StatementSyntax.Kind {
    try advance()
    let type = try parseType()
    let variable = try expectName("the name of the loop variable")
    try expect(.in)
    let values: ForSyntax.Values
    let start = token.span.start
    if token.kind == .leftBrace {
      values = .set(try parseSet())
    } else if try accept(.leftBracket) {
      let first = try nested { parser throws(QubusError) in try parser.parseExpression() }
      values = .range(try parseRange(from: first, start: start))
      try expect(.rightBracket, after: "the range")
    } else {
      values = .expression(try parseExpression())
    }
    let body = try parseStatement()
    return .forLoop(ForSyntax(type: type, variable: variable, values: values, body: body))
  }

  mutating func parseSwitch() throws(QubusError) -> StatementSyntax.Kind {
    let subject = try parseCondition()
    let start = token.span
    try expect(.leftBrace, after: "the value of 'switch'")
    var cases: [CaseSyntax] = []
    var otherwise: [StatementSyntax]?
    while token.kind != .rightBrace {
      if otherwise != nil { throw unexpected("'}': 'default' must be the last case") }
      if try accept(.default) {
        otherwise = try parseBlock()
        continue
      }
      guard try accept(.case) else {
        if token.kind == .end {
          throw failure(.programSyntaxError, "this block is not closed by '}'", start)
        }
        throw unexpected("'case' or 'default'")
      }
      var labels = [try parseExpression()]
      while try accept(.comma) {
        if token.kind == .leftBrace { break }
        labels.append(try parseExpression())
      }
      cases.append(CaseSyntax(labels: labels, body: try parseBlock()))
    }
    try advance()
    return .select(subject, cases, otherwise: otherwise ?? [])
  }
}
