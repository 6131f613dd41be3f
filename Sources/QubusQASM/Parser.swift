internal import QubusCore

/// Recursive descent over tokens; hands out one top-level statement at a time.
struct Parser {
  var lexer: Lexer
  var token: Token
  /// End of the token before `token`.
  var previousEnd = 0
  /// Nesting of statements and expressions at this point.
  var depth = 0
  let limits: Limits

  /// Expression trees may be this much higher than the nesting limit: operator chains are long.
  static let heightFactor = 4

  init(_ source: SourceText, limits: Limits) throws(QubusError) {
    var lexer = Lexer(source)
    token = try lexer.next()
    self.lexer = lexer
    self.limits = limits
  }

  var dialect: Dialect { lexer.dialect }
  var source: SourceText { lexer.source }

  /// The version line, if there is one.
  /// - Returns: whether the language was declared.
  mutating func parseVersion() throws(QubusError) -> Bool {
    guard keyword == .openqasm else { return false }
    try advance()
    let span = token.span
    guard token.kind == .float || token.kind == .integer else {
      throw unexpected("a version number such as 3.0")
    }
    switch source.text(span) {
    case "2", "2.0": lexer.dialect = .openqasm2
    case "3", "3.0", "3.1": lexer.dialect = .openqasm3
    default:
      throw failure(
        .unsupportedProgramFeature,
        "OpenQASM \(source.text(span)) is not supported; versions 2.0, 3.0 and 3.1 are", span)
    }
    try advance()
    try expect(.semicolon, after: "the version")
    return true
  }

  /// The reserved word at this point, nil for anything else.
  var keyword: Keyword? { keyword(of: token) }

  func keyword(of token: Token) -> Keyword? {
    guard token.kind == .identifier, let word = Keyword(rawValue: token.name),
      word.isReserved(in: dialect)
    else { return nil }
    return word
  }

  mutating func advance() throws(QubusError) {
    previousEnd = token.span.end
    token = try lexer.next()
  }

  /// Consumes the token if it is of this kind.
  mutating func accept(_ kind: TokenKind) throws(QubusError) -> Bool {
    guard token.kind == kind else { return false }
    try advance()
    return true
  }

  mutating func accept(_ word: Keyword) throws(QubusError) -> Bool {
    guard keyword == word else { return false }
    try advance()
    return true
  }

  mutating func expect(_ kind: TokenKind, after phrase: String) throws(QubusError) {
    guard token.kind == kind else { throw unexpected("\(kind.description) after \(phrase)") }
    try advance()
  }

  mutating func expect(_ word: Keyword) throws(QubusError) {
    guard keyword == word else { throw unexpected("'\(word.text)'") }
    try advance()
  }

  mutating func expectName(_ what: String) throws(QubusError) -> NameSyntax {
    guard token.kind == .identifier else { throw unexpected(what) }
    if let keyword {
      throw failure(
        .programSyntaxError, "'\(keyword.text)' is a reserved word and cannot be \(what)",
        token.span)
    }
    let name = NameSyntax(name: token.name, span: token.span)
    try advance()
    return name
  }

  func unexpected(_ expectation: String) -> QubusError {
    let found =
      token.kind == .end ? "the program ends" : "found '\(source.location(token.span).text)'"
    return failure(.programSyntaxError, "expected \(expectation), \(found)", token.span)
  }

  func failure(_ code: ErrorCode, _ message: String, _ span: Span) -> QubusError {
    lexer.failure(code, message, span)
  }

  func unsupported(_ feature: String, _ span: Span) -> QubusError {
    var error = failure(.unsupportedProgramFeature, "\(feature) are not supported", span)
    error.details["feature"] = feature
    return error
  }

  /// Runs `body` one nesting level deeper.
  mutating func nested<T>(
    _ body: (inout Parser) throws(QubusError) -> T
  ) throws(QubusError) -> T {
    depth += 1
    defer { depth -= 1 }
    guard depth <= limits.programDepth else {
      throw failure(
        .programTooDeep,
        "the program nests more than \(limits.programDepth) levels deep at this point", token.span)
    }
    return try body(&self)
  }
}
