internal import QubusCore

/// Cuts the source into tokens, one at a time and in linear time.
struct Lexer {
  let source: SourceText
  let names = NameTable()
  /// Durations and imaginary numbers exist in OpenQASM 3 only.
  var dialect = Dialect.openqasm3
  var position = 0

  init(_ source: SourceText) {
    self.source = source
    if source.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  mutating func next() throws(QubusError) -> Token {
    try skipBlanks()
    let start = position
    let byte = source.bytes[start]
    if byte == 0 { return Token(kind: .end, span: Span(start: start, end: start)) }
    if Lexer.isIdentifierStart(byte) { return try identifier() }
    if Lexer.isDigit(byte) || (byte == UInt8(ascii: ".") && Lexer.isDigit(peek(1))) {
      return try number()
    }
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "'"): return try string(quote: byte)
    case UInt8(ascii: "$"): return try hardwareQubit()
    case UInt8(ascii: "#"): return try hash()
    case UInt8(ascii: "@"):
      if Lexer.isIdentifierStart(peek(1)) { return restOfLine(.annotation) }
      return single(.at)
    default: return try symbol(byte)
    }
  }

  func peek(_ offset: Int) -> UInt8 { source.bytes[min(position + offset, source.count)] }

  func failure(_ code: ErrorCode, _ message: String, _ span: Span) -> QubusError {
    QubusError(code, message, location: source.location(span))
  }

  private mutating func skipBlanks() throws(QubusError) {
    let bytes = source.bytes
    while true {
      switch bytes[position] {
      case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
        position += 1
      case UInt8(ascii: "/"):
        if bytes[position + 1] == UInt8(ascii: "/") {
          while bytes[position] != 0, bytes[position] != UInt8(ascii: "\n") { position += 1 }
        } else if bytes[position + 1] == UInt8(ascii: "*") {
          try skipBlockComment()
        } else {
          return
        }
      default: return
      }
    }
  }

  private mutating func skipBlockComment() throws(QubusError) {
    let start = position
    position += 2
    while source.bytes[position] != 0 {
      if source.bytes[position] == UInt8(ascii: "*"),
        source.bytes[position + 1] == UInt8(ascii: "/")
      {
        position += 2
        return
      }
      position += 1
    }
    throw failure(
      .programSyntaxError, "this comment is not closed by '*/'", Span(start: start, end: start + 2))
  }

  private mutating func identifier() throws(QubusError) -> Token {
    let start = position
    var isASCII = true
    while Lexer.isIdentifierPart(source.bytes[position]) {
      if source.bytes[position] >= 0x80 { isASCII = false }
      position += 1
    }
    let span = Span(start: start, end: position)
    if !isASCII { try checkLetters(span) }
    let name = source.bytes.withUnsafeBufferPointer { bytes in
      names.intern(UnsafeBufferPointer(rebasing: bytes[start..<position]))
    }
    return Token(kind: .identifier, span: span, name: name)
  }

  /// Beyond ASCII, identifiers hold letters only (categories L and Nl).
  private func checkLetters(_ span: Span) throws(QubusError) {
    var offset = span.start
    for scalar in source.text(span).unicodeScalars {
      let length = UTF8.width(scalar)
      if !scalar.isASCII {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
          .letterNumber:
          break
        default:
          throw failure(
            .programSyntaxError, "'\(scalar)' cannot be part of a name",
            Span(start: offset, end: offset + length))
        }
      }
      offset += length
    }
  }

  private mutating func string(quote: UInt8) throws(QubusError) -> Token {
    let start = position
    position += 1
    while source.bytes[position] != quote {
      if source.bytes[position] == 0 || source.bytes[position] == UInt8(ascii: "\n") {
        throw failure(
          .programSyntaxError, "this string is not closed", Span(start: start, end: start + 1))
      }
      position += 1
    }
    position += 1
    return Token(kind: .string, span: Span(start: start, end: position))
  }

  private mutating func hardwareQubit() throws(QubusError) -> Token {
    let start = position
    position += 1
    while Lexer.isDigit(source.bytes[position]) { position += 1 }
    let span = Span(start: start, end: position)
    guard span.end > span.start + 1 else {
      throw failure(.programSyntaxError, "'$' must be followed by a number", span)
    }
    return Token(kind: .hardwareQubit, span: span)
  }

  private mutating func hash() throws(QubusError) -> Token {
    let rest = source.bytes[position..<min(position + 7, source.count)]
    if rest.elementsEqual("#pragma".utf8) { return restOfLine(.pragma) }
    let span = Span(start: position, end: position + 1)
    if source.bytes[position..<min(position + 4, source.count)].elementsEqual("#dim".utf8) {
      throw failure(.unsupportedProgramFeature, "arrays ('#dim') are not supported", span)
    }
    throw failure(.programSyntaxError, "unexpected character '#'", span)
  }

  mutating func restOfLine(_ kind: TokenKind) -> Token {
    let start = position
    while source.bytes[position] != 0, source.bytes[position] != UInt8(ascii: "\n") {
      position += 1
    }
    return Token(kind: kind, span: Span(start: start, end: position))
  }

  static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

  static func isIdentifierStart(_ byte: UInt8) -> Bool {
    (byte | 0x20) &- 0x61 < 26 || byte == UInt8(ascii: "_") || byte >= 0x80
  }

  static func isIdentifierPart(_ byte: UInt8) -> Bool { isIdentifierStart(byte) || isDigit(byte) }
}
