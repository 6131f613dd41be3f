/// Lexical classes; operators and brackets have one each.
enum TokenKind: UInt8 {
  case end, identifier, integer, float, timing, imaginary, string, hardwareQubit
  case annotation, pragma
  case leftBracket, rightBracket, leftBrace, rightBrace, leftParenthesis, rightParenthesis
  case colon, semicolon, comma, dot, at, arrow
  case equals, compound
  case plus, doublePlus, minus, asterisk, doubleAsterisk, slash, percent
  case pipe, doublePipe, ampersand, doubleAmpersand, caret, tilde, exclamation
  case equalTo, notEqualTo, less, lessOrEqual, greater, greaterOrEqual
  case shiftLeft, shiftRight

  /// How messages name the token.
  var description: String {
    switch self {
    case .end: "end of program"
    case .identifier: "a name"
    case .integer: "an integer"
    case .float: "a number"
    case .timing: "a duration"
    case .imaginary: "an imaginary number"
    case .string: "a string"
    case .hardwareQubit: "a physical qubit"
    case .annotation: "an annotation"
    case .pragma: "a pragma"
    case .leftBracket: "'['"
    case .rightBracket: "']'"
    case .leftBrace: "'{'"
    case .rightBrace: "'}'"
    case .leftParenthesis: "'('"
    case .rightParenthesis: "')'"
    case .colon: "':'"
    case .semicolon: "';'"
    case .comma: "','"
    case .arrow: "'->'"
    case .equals: "'='"
    default: "an operator"
    }
  }
}

struct Token {
  var kind: TokenKind
  var span: Span
  /// Number in the name table, for identifiers.
  var name = -1
}

/// Reserved words. The first group is reserved in OpenQASM 2 and 3, `opaque` in 2 only, the rest
/// in 3 only. Raw values are the words' numbers in the name table.
enum Keyword: Int, CaseIterable {
  case openqasm, include, qreg, creg, gate, `if`, barrier, reset, measure
  case opaque
  case def, cal, defcal, defcalgrammar, extern, box, `let`, `break`, `continue`, `else`, end
  case `return`, `for`, `while`, `in`, `switch`, `case`, `default`, nop, input, output, const
  case readonly, mutable, qubit, bool, bit, int, uint, float, angle, complex, array, void
  case duration, stretch, gphase, inv, pow, ctrl, negctrl, durationof, delay, `true`, `false`

  var text: String {
    switch self {
    case .openqasm: "OPENQASM"
    default: String(describing: self)
    }
  }

  func isReserved(in dialect: Dialect) -> Bool {
    switch dialect {
    case .openqasm2: rawValue <= Keyword.opaque.rawValue
    case .openqasm3: self != .opaque
    }
  }
}

/// The language of a program.
enum Dialect: Sendable { case openqasm2, openqasm3 }
