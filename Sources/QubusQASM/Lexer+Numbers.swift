internal import QubusCore

extension Lexer {
  mutating func number() throws(QubusError) -> Token {
    let start = position
    var kind = TokenKind.integer
    if source.bytes[position] == UInt8(ascii: "0"), let radix = prefixedRadix() {
      position += 2
      try digits(radix: radix, start: start)
    } else {
      skipDecimals()
      if source.bytes[position] == UInt8(ascii: ".") {
        kind = .float
        position += 1
        skipDecimals()
      }
      if source.bytes[position] | 0x20 == UInt8(ascii: "e") {
        let signed = peek(1) == UInt8(ascii: "+") || peek(1) == UInt8(ascii: "-")
        if Lexer.isDigit(peek(signed ? 2 : 1)) {
          kind = .float
          position += signed ? 2 : 1
          skipDecimals()
        }
      }
    }
    if dialect == .openqasm3, let suffix = unitSuffix() {
      position = suffix.end
      return Token(kind: suffix.kind, span: Span(start: start, end: position))
    }
    if Lexer.isIdentifierStart(source.bytes[position]) {
      while Lexer.isIdentifierPart(source.bytes[position]) { position += 1 }
      throw failure(
        .programSyntaxError, "a number cannot be followed directly by letters",
        Span(start: start, end: position))
    }
    return Token(kind: kind, span: Span(start: start, end: position))
  }

  private func prefixedRadix() -> UInt8? {
    switch peek(1) {
    case UInt8(ascii: "x"), UInt8(ascii: "X"): 16
    case UInt8(ascii: "b"), UInt8(ascii: "B"): 2
    case UInt8(ascii: "o"): 8
    default: nil
    }
  }

  private mutating func digits(radix: UInt8, start: Int) throws(QubusError) {
    let first = position
    while Lexer.digit(source.bytes[position]) < radix || source.bytes[position] == UInt8(ascii: "_")
    {
      position += 1
    }
    if position == first {
      throw failure(
        .programSyntaxError, "digits are missing after the prefix",
        Span(start: start, end: position))
    }
  }

  private mutating func skipDecimals() {
    while Lexer.isDigit(source.bytes[position])
      || (source.bytes[position] == UInt8(ascii: "_") && Lexer.isDigit(peek(1)))
    {
      position += 1
    }
  }

  /// `ns`, `us`, `µs`, `ms`, `s`, `dt` and `im` after a number, also behind blanks.
  private func unitSuffix() -> (kind: TokenKind, end: Int)? {
    var cursor = position
    while source.bytes[cursor] == UInt8(ascii: " ") || source.bytes[cursor] == UInt8(ascii: "\t") {
      cursor += 1
    }
    guard Lexer.isIdentifierStart(source.bytes[cursor]) else { return nil }
    var end = cursor
    while Lexer.isIdentifierPart(source.bytes[end]) { end += 1 }
    guard end - cursor <= 3 else { return nil }
    switch source.text(Span(start: cursor, end: end)) {
    case "dt", "ns", "us", "µs", "μs", "ms", "s": return (.timing, end)
    case "im": return (.imaginary, end)
    default: return nil
    }
  }

  /// Value of a digit, 255 for anything else.
  static func digit(_ byte: UInt8) -> UInt8 {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: 255
    }
  }

  /// The value of an integer token.
  /// - Throws: `program_syntax_error` when it needs more than 64 bits.
  func integerValue(_ span: Span) throws(QubusError) -> UInt64 {
    var radix: UInt64 = 10
    var cursor = span.start
    if span.end - span.start > 2, source.bytes[cursor] == UInt8(ascii: "0") {
      switch source.bytes[cursor + 1] | 0x20 {
      case UInt8(ascii: "x"): radix = 16
      case UInt8(ascii: "o"): radix = 8
      case UInt8(ascii: "b"): radix = 2
      default: break
      }
      if radix != 10 { cursor += 2 }
    }
    var value: UInt64 = 0
    while cursor < span.end {
      let byte = source.bytes[cursor]
      cursor += 1
      if byte == UInt8(ascii: "_") { continue }
      let (product, over) = value.multipliedReportingOverflow(by: radix)
      let (sum, carry) = product.addingReportingOverflow(UInt64(Lexer.digit(byte)))
      if over || carry {
        throw failure(.programSyntaxError, "this integer needs more than 64 bits", span)
      }
      value = sum
    }
    return value
  }

  /// The nearest double to a decimal token. Up to 15 digits and a power of ten up to 22 are exact
  /// in double arithmetic (Clinger 1990); everything else goes through the library.
  func floatValue(_ span: Span) -> Double {
    var mantissa: UInt64 = 0
    var digits = 0
    var scale = 0
    var seenDot = false
    var cursor = span.start
    scan: while cursor < span.end {
      let byte = source.bytes[cursor]
      switch byte {
      case UInt8(ascii: "."): seenDot = true
      case UInt8(ascii: "_"): break
      case 0x30...0x39:
        if digits >= 15 { return slowFloatValue(span) }
        mantissa = 10 * mantissa + UInt64(byte - 0x30)
        if mantissa > 0 { digits += 1 }
        if seenDot { scale -= 1 }
      default: break scan
      }
      cursor += 1
    }
    if cursor < span.end { return slowFloatValue(span) }
    guard scale >= -22 else { return slowFloatValue(span) }
    return Double(mantissa) / Lexer.powersOfTen[-scale]
  }

  private func slowFloatValue(_ span: Span) -> Double {
    Double(source.text(span).filter { $0 != "_" }.trimmingDot) ?? .infinity
  }

  private static let powersOfTen: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
  ]
}

extension String {
  /// `Double` accepts neither a leading nor a trailing dot before an exponent in every library.
  fileprivate var trimmingDot: String {
    var text = self
    if text.hasPrefix(".") { text = "0" + text }
    return text.replacing(".e", with: ".0e").replacing(".E", with: ".0E")
  }
}
