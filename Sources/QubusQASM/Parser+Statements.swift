internal import QubusCircuit
internal import QubusCore

extension Parser {
  /// The next top-level statement, nil at the end of the program.
  mutating func parseNext() throws(QubusError) -> StatementSyntax? {
    token.kind == .end ? nil : try parseStatement()
  }

  mutating func parseStatement() throws(QubusError) -> StatementSyntax {
    try nested { parser throws(QubusError) in
      let start = parser.token.span
      if parser.keyword == .include { return try parser.parseInclude() }
      let kind = try parser.parseStatementKind()
      return StatementSyntax(kind: kind, span: Span(start: start.start, end: parser.previousEnd))
    }
  }

  /// `{ … }`.
  mutating func parseBlock() throws(QubusError) -> [StatementSyntax] {
    let start = token.span
    try expect(.leftBrace, after: "the head of a block")
    var statements: [StatementSyntax] = []
    while token.kind != .rightBrace {
      guard token.kind != .end else {
        throw failure(.programSyntaxError, "this block is not closed by '}'", start)
      }
      statements.append(try parseStatement())
    }
    try advance()
    return statements
  }

  private mutating func parseStatementKind() throws(QubusError) -> StatementSyntax.Kind {
    switch token.kind {
    case .leftBrace: return .block(try parseBlock())
    case .annotation:
      try advance()
      return .annotation
    case .pragma:
      try advance()
      return .pragma
    case .semicolon:
      // An empty statement is not in the grammar, but every program written by hand has one.
      try advance()
      return .empty
    case .identifier:
      if let keyword { return try parseKeyword(keyword) }
      return try parseNamedStatement()
    default: throw unexpected("a statement")
    }
  }

  private mutating func parseKeyword(_ word: Keyword) throws(QubusError) -> StatementSyntax.Kind {
    switch word {
    case .qreg: return try parseOldRegister(isQuantum: true)
    case .creg: return try parseOldRegister(isQuantum: false)
    case .qubit: return try parseQubits()
    case .bool, .bit, .int, .uint, .float, .angle, .complex, .array, .duration, .stretch:
      return try parseDeclaration(isConstant: false)
    case .const:
      try advance()
      return try parseDeclaration(isConstant: true)
    case .input: return try parseInput(isOutput: false)
    case .output: return try parseInput(isOutput: true)
    case .let: return try parseAlias()
    case .gate: return try parseGateDefinition()
    case .opaque: return try parseOpaque()
    case .inv, .pow, .ctrl, .negctrl, .gphase: return try parseModifiedCall()
    case .measure: return try parseMeasure()
    case .reset: return try parseReset()
    case .barrier, .nop: return try parseBarrier(word)
    case .delay: return try parseDelay()
    case .if: return try parseIf()
    case .for: return try parseFor()
    case .while: return try parseWhile()
    case .switch: return try parseSwitch()
    case .break: return try parseSimple(.breakLoop)
    case .continue: return try parseSimple(.continueLoop)
    case .end: return try parseSimple(.end)
    case .openqasm:
      throw failure(
        .programSyntaxError, "the version must be the first statement of the program", token.span)
    default: throw refusal(of: word)
    }
  }

  /// The error for a word that starts no statement, or one of a part that is not supported.
  private func refusal(of word: Keyword) -> QubusError {
    switch word {
    case .def, .return: unsupported("subroutines ('\(word.text)')", token.span)
    case .extern: unsupported("external functions ('extern')", token.span)
    case .cal, .defcal, .defcalgrammar:
      unsupported("calibration blocks ('\(word.text)')", token.span)
    case .box: unsupported("boxes ('box')", token.span)
    case .durationof: unsupported("durations ('durationof')", token.span)
    default: unexpected("a statement")
    }
  }

  private mutating func parseSimple(
    _ kind: StatementSyntax.Kind
  ) throws(QubusError) -> StatementSyntax.Kind {
    try advance()
    try expect(.semicolon, after: "the statement")
    return kind
  }

  private mutating func parseMeasure() throws(QubusError) -> StatementSyntax.Kind {
    try advance()
    let operand = try parseOperand()
    var target: ExpressionSyntax?
    if try accept(.arrow) {
      target = try parseOperand()
    } else if dialect == .openqasm2 {
      throw unexpected("'->' and a classical bit")
    }
    try expect(.semicolon, after: "the measurement")
    return .measure(operand, into: target)
  }

  private mutating func parseReset() throws(QubusError) -> StatementSyntax.Kind {
    try advance()
    let operand = try parseOperand()
    try expect(.semicolon, after: "the operand of 'reset'")
    return .reset(operand)
  }

  private mutating func parseBarrier(_ word: Keyword) throws(QubusError) -> StatementSyntax.Kind {
    try advance()
    let operands = token.kind == .semicolon ? [] : try parseOperands()
    try expect(.semicolon, after: "the operands")
    return word == .nop ? .empty : .barrier(operands)
  }

  private mutating func parseDelay() throws(QubusError) -> StatementSyntax.Kind {
    try advance()
    guard try parseDesignator() != nil else { throw unexpected("'[' and a duration") }
    if token.kind != .semicolon { _ = try parseOperands() }
    try expect(.semicolon, after: "the operands")
    return .delay
  }

  /// A qubit or bit: a name with indices, or a physical qubit.
  mutating func parseOperand() throws(QubusError) -> ExpressionSyntax {
    let isOperand = token.kind == .hardwareQubit || token.kind == .identifier && keyword == nil
    guard isOperand else { throw unexpected("a qubit or a bit") }
    let operand = try parseExpression()
    switch operand.kind {
    case .name, .hardwareQubit, .index: return operand
    default:
      throw failure(.programSyntaxError, "an expression cannot be used here", operand.span)
    }
  }

  mutating func parseOperands() throws(QubusError) -> [ExpressionSyntax] {
    var operands = [try parseOperand()]
    while try accept(.comma) {
      if token.kind == .semicolon { break }
      operands.append(try parseOperand())
    }
    return operands
  }
}
