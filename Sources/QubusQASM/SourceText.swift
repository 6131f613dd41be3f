internal import QubusCore

/// A half-open range of bytes of the source.
struct Span: Sendable, Hashable {
  var start: Int
  var end: Int

  func joined(_ other: Span) -> Span { Span(start: start, end: max(end, other.end)) }
}

/// The program's bytes and what error messages need from them.
struct SourceText: Sendable {
  /// The source followed by NUL bytes, so that a lexer may look ahead without a bounds check.
  let bytes: [UInt8]
  /// Number of bytes before the sentinel.
  let count: Int

  private static let excerptColumns = 100
  private static let textColumns = 60

  /// - Throws: `invalid_utf8` or `nul_in_string` with the place of the first bad byte.
  init(_ source: [UInt8]) throws(QubusError) {
    count = source.count
    var bytes = source
    bytes.append(contentsOf: [0, 0, 0, 0])
    self.bytes = bytes
    if let bad = SourceText.firstBadByte(source) {
      let isNul = source[bad] == 0
      throw QubusError(
        isNul ? .nulInString : .invalidUTF8,
        isNul
          ? "the program contains a NUL character at byte \(bad)"
          : "the program is not valid UTF-8 at byte \(bad)",
        location: location(Span(start: bad, end: bad)))
    }
  }

  func text(_ span: Span) -> String {
    String(decoding: bytes[span.start..<min(span.end, count)], as: UTF8.self)
  }

  /// Line, column, text and excerpt of a span; linear in its position, for errors only.
  func location(_ span: Span) -> SourceLocation {
    var line = 1
    var lineStart = 0
    for position in 0..<min(span.start, count) where bytes[position] == UInt8(ascii: "\n") {
      line += 1
      lineStart = position + 1
    }
    var lineEnd = lineStart
    while lineEnd < count, bytes[lineEnd] != UInt8(ascii: "\n") { lineEnd += 1 }
    let scalars = Array(
      String(decoding: bytes[lineStart..<lineEnd], as: UTF8.self).unicodeScalars.map(printable))
    let column = String(decoding: bytes[lineStart..<span.start], as: UTF8.self).unicodeScalars.count
    return SourceLocation(
      line: line, column: column + 1, text: shortText(span),
      excerpt: excerpt(scalars, column: column))
  }

  private func shortText(_ span: Span) -> String {
    if span.start >= count { return "end of program" }
    let window = Span(
      start: span.start, end: min(span.end, span.start + 4 * SourceText.textColumns))
    let scalars = text(window).unicodeScalars
    guard scalars.count > SourceText.textColumns || window.end < span.end else {
      return String(scalars)
    }
    return String(String.UnicodeScalarView(scalars.prefix(SourceText.textColumns))) + "…"
  }

  /// The line, cropped around the column, and a caret below it.
  private func excerpt(_ scalars: [UnicodeScalar], column: Int) -> String {
    let columns = SourceText.excerptColumns
    var first = 0
    if scalars.count > columns {
      first = max(0, min(column - columns / 2, scalars.count - columns))
    }
    let last = min(scalars.count, first + columns)
    var line = String.UnicodeScalarView(scalars[first..<last])
    if first > 0 { line.insert("…", at: line.startIndex) }
    if last < scalars.count { line.append("…") }
    while let end = line.last, end == " " { line.removeLast() }
    let padding = column - first + (first > 0 ? 1 : 0)
    return String(line) + "\n" + String(repeating: " ", count: padding) + "^"
  }

  /// Tabs and control characters take one column, as the caret line counts them.
  private func printable(_ scalar: UnicodeScalar) -> UnicodeScalar {
    scalar.value < 0x20 || scalar.value == 0x7F ? " " : scalar
  }

  /// Offset of the first byte that is NUL or not part of well-formed UTF-8 (Unicode, table 3-7).
  private static func firstBadByte(_ source: [UInt8]) -> Int? {
    var index = 0
    let count = source.count
    while index < count {
      let byte = source[index]
      if byte < 0x80 {
        if byte == 0 { return index }
        index += 1
        continue
      }
      let length: Int
      var lower: UInt8 = 0x80
      var upper: UInt8 = 0xBF
      switch byte {
      case 0xC2...0xDF: length = 2
      case 0xE0: (length, lower) = (3, 0xA0)
      case 0xED: (length, upper) = (3, 0x9F)
      case 0xE1...0xEF: length = 3
      case 0xF0: (length, lower) = (4, 0x90)
      case 0xF4: (length, upper) = (4, 0x8F)
      case 0xF1...0xF3: length = 4
      default: return index
      }
      guard index + length <= count, (lower...upper).contains(source[index + 1]) else {
        return index
      }
      for offset in 2..<max(length, 2) where source[index + offset] & 0xC0 != 0x80 { return index }
      index += length
    }
    return nil
  }
}
