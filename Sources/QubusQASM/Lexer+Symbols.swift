internal import QubusCore

extension Lexer {
  mutating func single(_ kind: TokenKind, length: Int = 1) -> Token {
    let span = Span(start: position, end: position + length)
    position += length
    return Token(kind: kind, span: span)
  }

  /// Operators and brackets, the longest match first.
  mutating func symbol(_ byte: UInt8) throws(QubusError) -> Token {
    let second = peek(1)
    let isEquals = second == UInt8(ascii: "=")
    switch byte {
    case UInt8(ascii: "["): return single(.leftBracket)
    case UInt8(ascii: "]"): return single(.rightBracket)
    case UInt8(ascii: "{"): return single(.leftBrace)
    case UInt8(ascii: "}"): return single(.rightBrace)
    case UInt8(ascii: "("): return single(.leftParenthesis)
    case UInt8(ascii: ")"): return single(.rightParenthesis)
    case UInt8(ascii: ":"): return single(.colon)
    case UInt8(ascii: ";"): return single(.semicolon)
    case UInt8(ascii: ","): return single(.comma)
    case UInt8(ascii: "."): return single(.dot)
    case UInt8(ascii: "="): return isEquals ? single(.equalTo, length: 2) : single(.equals)
    case UInt8(ascii: "!"): return isEquals ? single(.notEqualTo, length: 2) : single(.exclamation)
    case UInt8(ascii: "~"): return isEquals ? single(.compound, length: 2) : single(.tilde)
    case UInt8(ascii: "^"): return isEquals ? single(.compound, length: 2) : single(.caret)
    case UInt8(ascii: "/"): return isEquals ? single(.compound, length: 2) : single(.slash)
    case UInt8(ascii: "%"): return isEquals ? single(.compound, length: 2) : single(.percent)
    case UInt8(ascii: "-"):
      if second == UInt8(ascii: ">") { return single(.arrow, length: 2) }
      return isEquals ? single(.compound, length: 2) : single(.minus)
    case UInt8(ascii: "+"):
      return doubled(byte, second, one: .plus, two: .doublePlus, hasCompoundDouble: false)
    case UInt8(ascii: "*"):
      return doubled(byte, second, one: .asterisk, two: .doubleAsterisk, hasCompoundDouble: true)
    case UInt8(ascii: "|"):
      return doubled(byte, second, one: .pipe, two: .doublePipe, hasCompoundDouble: false)
    case UInt8(ascii: "&"):
      return doubled(byte, second, one: .ampersand, two: .doubleAmpersand, hasCompoundDouble: false)
    case UInt8(ascii: "<"):
      if second == byte {
        return peek(2) == UInt8(ascii: "=")
          ? single(.compound, length: 3) : single(.shiftLeft, length: 2)
      }
      return isEquals ? single(.lessOrEqual, length: 2) : single(.less)
    case UInt8(ascii: ">"):
      if second == byte {
        return peek(2) == UInt8(ascii: "=")
          ? single(.compound, length: 3) : single(.shiftRight, length: 2)
      }
      return isEquals ? single(.greaterOrEqual, length: 2) : single(.greater)
    default:
      let span = Span(start: position, end: position + 1)
      let shown = byte < 0x20 ? "control character \(byte)" : "'\(source.text(span))'"
      throw failure(.programSyntaxError, "unexpected character \(shown)", span)
    }
  }

  private mutating func doubled(
    _ byte: UInt8, _ second: UInt8, one: TokenKind, two: TokenKind, hasCompoundDouble: Bool
  ) -> Token {
    if second == UInt8(ascii: "=") { return single(.compound, length: 2) }
    guard second == byte else { return single(one) }
    if hasCompoundDouble, peek(2) == UInt8(ascii: "=") { return single(.compound, length: 3) }
    return single(two, length: 2)
  }
}
