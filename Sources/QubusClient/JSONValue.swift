/// A JSON value that keeps the order of members and the digits of numbers as they were written,
/// so that a 64-bit seed survives.
public enum JSONValue: Sendable, Hashable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A number, as its text.
  case number(String)
  /// A string, unescaped.
  case text(String)
  /// An array.
  case array([JSONValue])
  /// An object; members in order.
  case object([Member])

  /// One member of an object.
  public struct Member: Sendable, Hashable {
    /// The member's name.
    public var key: String
    /// The member's value.
    public var value: JSONValue

    /// Makes a member.
    public init(_ key: String, _ value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  /// An integer.
  public static func integer(_ value: some BinaryInteger) -> JSONValue { .number("\(value)") }

  /// A floating-point number, shortest digits that read back the same; null for NaN and infinities,
  /// which JSON has not.
  public static func real(_ value: Double) -> JSONValue {
    value.isFinite ? .number("\(value)") : .null
  }

  /// The member of this name, when this is an object that has it.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  /// The members of an object as pairs; empty for every other value.
  public var members: [(key: String, value: JSONValue)] {
    guard case .object(let members) = self else { return [] }
    return members.map { ($0.key, $0.value) }
  }

  /// The elements of an array; empty for every other value.
  public var elements: [JSONValue] {
    guard case .array(let elements) = self else { return [] }
    return elements
  }

  /// The text of a string or the digits of a number.
  public var string: String? {
    switch self {
    case .text(let text), .number(let text): text
    case .null, .bool, .array, .object: nil
    }
  }

  /// The value as an integer; 64-bit numbers may come as strings, as protobuf's JSON has them.
  public var integer: Int? { string.flatMap { Int($0) } }

  /// The value as an unsigned integer, for seeds and counts.
  public var unsigned: UInt64? { string.flatMap { UInt64($0) } }

  /// The value as a floating-point number.
  public var real: Double? { string.flatMap { Double($0) } }

  /// The value as a truth value.
  public var isTrue: Bool { self == .bool(true) }
}

extension JSONValue: CustomStringConvertible {
  /// Compact JSON on one line.
  public var description: String {
    var output = ""
    write(to: &output, indentation: nil, depth: 0)
    return output
  }

  /// JSON over several lines, two spaces a level; arrays of plain values stay on one line.
  public var indented: String {
    var output = ""
    write(to: &output, indentation: "  ", depth: 0)
    return output
  }

  private func write(to output: inout String, indentation: String?, depth: Int) {
    switch self {
    case .null: output += "null"
    case .bool(let value): output += value ? "true" : "false"
    case .number(let digits): output += digits
    case .text(let text): Self.quote(text, to: &output)
    case .array(let elements):
      let isFlat = elements.allSatisfy { !$0.isContainer }
      Self.writeList(
        elements, "[", "]", to: &output, indentation: isFlat ? nil : indentation, depth: depth
      ) { $0.write(to: &$1, indentation: isFlat ? nil : indentation, depth: depth + 1) }
    case .object(let members):
      Self.writeList(members, "{", "}", to: &output, indentation: indentation, depth: depth) {
        Self.quote($0.key, to: &$1)
        $1 += indentation == nil ? ":" : ": "
        $0.value.write(to: &$1, indentation: indentation, depth: depth + 1)
      }
    }
  }

  private var isContainer: Bool {
    switch self {
    case .array, .object: true
    case .null, .bool, .number, .text: false
    }
  }

  private static func writeList<Element>(
    _ elements: [Element], _ open: String, _ close: String, to output: inout String,
    indentation: String?, depth: Int, _ body: (Element, inout String) -> Void
  ) {
    output += open
    for (index, element) in elements.enumerated() {
      if index > 0 { output += "," }
      if let indentation {
        output += "\n" + String(repeating: indentation, count: depth + 1)
      }
      body(element, &output)
    }
    if let indentation, !elements.isEmpty {
      output += "\n" + String(repeating: indentation, count: depth)
    }
    output += close
  }

  private static func quote(_ text: String, to output: inout String) {
    output += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": output += "\\\""
      case "\\": output += "\\\\"
      case "\n": output += "\\n"
      case "\r": output += "\\r"
      case "\t": output += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        let digits = String(scalar.value, radix: 16)
        output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: output.unicodeScalars.append(scalar)
      }
    }
    output += "\""
  }
}
