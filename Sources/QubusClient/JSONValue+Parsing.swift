/// Where and why a text is not JSON.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Byte offset of the fault, from 0.
  public let offset: Int
  /// What was expected there.
  public let message: String

  /// The fault and its place on one line.
  public var description: String { "not JSON at byte \(offset): \(message)" }
}

extension JSONValue {
  /// Nesting beyond this is refused, so that hostile input cannot exhaust the stack.
  private static let depthLimit = 128

  /// Reads one JSON value (RFC 8259) with nothing but white space around it.
  public init(parsing text: String) throws(JSONError) {
    var parser = JSONParser(bytes: Array(text.utf8), depthLimit: Self.depthLimit)
    self = try parser.parseDocument()
  }
}

/// A recursive-descent reader of JSON.
private struct JSONParser {
  let bytes: [UInt8]
  let depthLimit: Int
  var index = 0

  init(bytes: [UInt8], depthLimit: Int) {
    self.bytes = bytes
    self.depthLimit = depthLimit
  }

  mutating func parseDocument() throws(JSONError) -> JSONValue {
    let value = try parseValue(depth: 0)
    skipSpace()
    guard index == bytes.count else { throw fault("the end of the text") }
    return value
  }

  private func fault(_ expected: String) -> JSONError {
    JSONError(offset: index, message: "expected \(expected)")
  }

  private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      index += 1
    }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard current == UInt8(ascii: character) else { return false }
    index += 1
    return true
  }

  private mutating func parseValue(depth: Int) throws(JSONError) -> JSONValue {
    guard depth < depthLimit else { throw fault("at most \(depthLimit) levels of nesting") }
    skipSpace()
    switch current {
    case UInt8(ascii: "{"): return try parseObject(depth: depth)
    case UInt8(ascii: "["): return try parseArray(depth: depth)
    case UInt8(ascii: "\""): return .text(try parseString())
    case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
    case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
    case UInt8(ascii: "n"): return try parseWord("null", .null)
    default: return try parseNumber()
    }
  }

  private mutating func parseWord(
    _ word: StaticString, _ value: JSONValue
  ) throws(JSONError) -> JSONValue {
    let letters = Array("\(word)".utf8)
    guard bytes[index...].starts(with: letters) else { throw fault("\(word)") }
    index += letters.count
    return value
  }

  private mutating func parseNumber() throws(JSONError) -> JSONValue {
    let start = index
    let allowed = Set("+-.0123456789eE".utf8)
    while let byte = current, allowed.contains(byte) { index += 1 }
    let digits = String(decoding: bytes[start..<index], as: UTF8.self)
    guard Double(digits) != nil, digits.first != "+", digits.first != "." else {
      index = start
      throw fault("a value")
    }
    return .number(digits)
  }

  private mutating func parseArray(depth: Int) throws(JSONError) -> JSONValue {
    index += 1
    var elements: [JSONValue] = []
    if take("]") { return .array(elements) }
    repeat { elements.append(try parseValue(depth: depth + 1)) } while take(",")
    guard take("]") else { throw fault("',' or ']'") }
    return .array(elements)
  }

  private mutating func parseObject(depth: Int) throws(JSONError) -> JSONValue {
    index += 1
    var members: [JSONValue.Member] = []
    if take("}") { return .object(members) }
    repeat {
      skipSpace()
      guard current == UInt8(ascii: "\"") else { throw fault("a member's name") }
      let key = try parseString()
      guard take(":") else { throw fault("':'") }
      members.append(JSONValue.Member(key, try parseValue(depth: depth + 1)))
    } while take(",")
    guard take("}") else { throw fault("',' or '}'") }
    return .object(members)
  }

  private mutating func parseString() throws(JSONError) -> String {
    index += 1
    var units: [UInt8] = []
    while let byte = current {
      index += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: units, as: UTF8.self)
      case UInt8(ascii: "\\"): units += try parseEscape()
      default: units.append(byte)
      }
    }
    throw fault("the end of the string")
  }

  private mutating func parseEscape() throws(JSONError) -> [UInt8] {
    guard let byte = current else { throw fault("an escape") }
    index += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"):
      var units = [try parseHex()]
      if UTF16.isLeadSurrogate(units[0]), current == UInt8(ascii: "\\"), index + 1 < bytes.count,
        bytes[index + 1] == UInt8(ascii: "u")
      {
        index += 2
        units.append(try parseHex())
      }
      return Array(String(decoding: units, as: UTF16.self).utf8)
    default: throw fault("an escape")
    }
  }

  private mutating func parseHex() throws(JSONError) -> UInt16 {
    guard index + 4 <= bytes.count,
      let unit = UInt16(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16)
    else { throw fault("four hexadecimal digits") }
    index += 4
    return unit
  }
}
