internal import QubusCore

extension Parser {
  /// A scalar type with an optional designator.
  mutating func parseType() throws(QubusError) -> TypeSyntax {
    let start = token.span
    let base: TypeSyntax.Base
    switch keyword {
    case .bool?: base = .bool
    case .int?: base = .int
    case .uint?: base = .uint
    case .float?: base = .float
    case .angle?: base = .angle
    case .bit?, .creg?: base = .bit
    case .complex?: throw unsupported("complex numbers", start)
    case .array?: throw unsupported("arrays", start)
    case .duration?, .stretch?:
      throw unsupported("durations ('\(source.text(start))')", start)
    default: throw unexpected("a type")
    }
    try advance()
    var width: ExpressionSyntax?
    if base != .bool { width = try parseDesignator() }
    return TypeSyntax(base: base, width: width, span: Span(start: start.start, end: previousEnd))
  }

  /// `[n]`, or nothing.
  mutating func parseDesignator() throws(QubusError) -> ExpressionSyntax? {
    guard try accept(.leftBracket) else { return nil }
    let size = try nested { parser throws(QubusError) in try parser.parseExpression() }
    try expect(.rightBracket, after: "the size")
    return size
  }

  mutating func parseDeclaration(isConstant: Bool) throws(QubusError) -> StatementSyntax.Kind {
    let type = try parseType()
    let name = try expectName("the name of a variable")
    var value: ValueSyntax?
    if try accept(.equals) { value = try parseValue() }
    if isConstant, value == nil { throw unexpected("'=' and the value of the constant") }
    try expect(.semicolon, after: "the declaration")
    return .declaration(type, name, value, isConstant: isConstant)
  }

  /// The right-hand side of `=`.
  mutating func parseValue() throws(QubusError) -> ValueSyntax {
    let start = token.span
    if try accept(.measure) {
      let operand = try parseOperand()
      return .measure(operand, start.joined(operand.span))
    }
    if token.kind == .leftBrace { throw unsupported("arrays (a literal in braces)", token.span) }
    let first = try parseExpression()
    guard token.kind == .doublePlus else { return .expression(first) }
    return .concatenation(try parseConcatenation(first))
  }

  mutating func parseConcatenation(
    _ first: ExpressionSyntax
  ) throws(QubusError) -> [ExpressionSyntax] {
    var parts = [first]
    while try accept(.doublePlus) { parts.append(try parseExpression()) }
    return parts
  }

  /// `qreg q[n];`, `creg c[n];`.
  mutating func parseOldRegister(isQuantum: Bool) throws(QubusError) -> StatementSyntax.Kind {
    let start = token.span
    try advance()
    let name = try expectName("the name of a register")
    let size = try parseDesignator()
    if dialect == .openqasm2, size == nil { throw unexpected("'[' and the size of the register") }
    try expect(.semicolon, after: "the declaration")
    if isQuantum { return .qubits(name, size: size) }
    return .declaration(
      TypeSyntax(base: .bit, width: size, span: start), name, nil, isConstant: false)
  }

  mutating func parseQubits() throws(QubusError) -> StatementSyntax.Kind {
    try advance()
    let size = try parseDesignator()
    let name = try expectName("the name of a qubit")
    try expect(.semicolon, after: "the declaration")
    return .qubits(name, size: size)
  }

  mutating func parseAlias() throws(QubusError) -> StatementSyntax.Kind {
    try advance()
    let name = try expectName("the name of an alias")
    try expect(.equals, after: "the name of an alias")
    let parts = try parseConcatenation(try parseExpression())
    try expect(.semicolon, after: "the alias")
    return .alias(name, parts)
  }

  mutating func parseInput(isOutput: Bool) throws(QubusError) -> StatementSyntax.Kind {
    try advance()
    let type = try parseType()
    let name = try expectName("the name of a parameter")
    try expect(.semicolon, after: "the declaration")
    return isOutput
      ? .declaration(type, name, nil, isConstant: false) : .input(type, name)
  }

  mutating func parseInclude() throws(QubusError) -> StatementSyntax {
    try advance()
    let span = token.span
    guard token.kind == .string else { throw unexpected("a file name in quotes") }
    try advance()
    try expect(.semicolon, after: "the file name")
    return StatementSyntax(kind: .include, span: span)
  }

  mutating func parseGateDefinition() throws(QubusError) -> StatementSyntax.Kind {
    try advance()
    let (name, parameters, qubits) = try parseGateHead()
    guard token.kind == .leftBrace else { throw unexpected("'{' and the body of the gate") }
    let body = try parseBlock()
    return .gate(GateSyntax(name: name, parameters: parameters, qubits: qubits, body: body))
  }

  mutating func parseOpaque() throws(QubusError) -> StatementSyntax.Kind {
    try advance()
    // `opaque delay(t) q;` is how OpenQASM 2 programs bring in Qiskit's delay.
    let (name, parameters, qubits) = try parseGateHead()
    try expect(.semicolon, after: "the declaration")
    return .opaque(name, parameterCount: parameters.count, qubitCount: qubits.count)
  }

  private mutating func parseGateHead() throws(QubusError) -> (
    NameSyntax, [NameSyntax], [NameSyntax]
  ) {
    let name = try expectName("the name of a gate")
    var parameters: [NameSyntax] = []
    if try accept(.leftParenthesis) {
      while token.kind != .rightParenthesis {
        parameters.append(try expectName("the name of a parameter"))
        guard try accept(.comma) else { break }
      }
      try expect(.rightParenthesis, after: "the parameters")
    }
    var qubits = [try expectName("the name of a qubit")]
    while try accept(.comma) {
      if token.kind == .leftBrace { break }
      qubits.append(try expectName("the name of a qubit"))
    }
    return (name, parameters, qubits)
  }
}
