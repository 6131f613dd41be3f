package import QubusCore

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

extension Function {
  /// The function of this name in OpenQASM; `ln` is OpenQASM 2's name of `log`.
  package init?(name: String) {
    switch name {
    case "arccos": self = .arccos
    case "arcsin": self = .arcsin
    case "arctan": self = .arctan
    case "ceiling": self = .ceiling
    case "cos": self = .cos
    case "exp": self = .exp
    case "floor": self = .floor
    case "log", "ln": self = .log
    case "mod": self = .mod
    case "popcount": self = .popcount
    case "pow": self = .pow
    case "rotl": self = .rotl
    case "rotr": self = .rotr
    case "sin": self = .sin
    case "sqrt": self = .sqrt
    case "tan": self = .tan
    default: return nil
    }
  }

  package var argumentCount: Int {
    switch self {
    case .mod, .pow, .rotl, .rotr: 2
    case .arccos, .arcsin, .arctan, .ceiling, .cos, .exp, .floor, .log, .popcount, .sin, .sqrt,
      .tan:
      1
    }
  }

  /// - Throws: `program_semantic_error` for an argument type without this function,
  ///   `division_by_zero` for `mod` by zero.
  package func apply(_ arguments: [Value]) throws(QubusError) -> Value {
    precondition(arguments.count == argumentCount)
    return try apply(arguments[0], arguments[arguments.count - 1])
  }

  /// The same without an array.
  /// - Parameter second: ignored by functions of one argument.
  package func apply(
    _ first: Value, _ second: Value = .bool(false)
  ) throws(QubusError) -> Value {
    switch self {
    case .arccos: return .float(libraryACos(first.real))
    case .arcsin: return .float(libraryASin(first.real))
    case .arctan: return .float(libraryATan(first.real))
    case .ceiling: return .float(first.real.rounded(.up))
    case .cos: return .float(libraryCos(first.real))
    case .exp: return .float(libraryExp(first.real))
    case .floor: return .float(first.real.rounded(.down))
    case .log: return .float(libraryLog(first.real))
    case .sin: return .float(librarySin(first.real))
    case .sqrt: return .float(first.real.squareRoot())
    case .tan: return .float(libraryTan(first.real))
    case .mod: return try BinaryOperator.modulo.apply(first, second)
    case .pow: return try BinaryOperator.power.apply(first, second)
    case .popcount:
      guard let pattern = first.pattern else { throw undefined(first) }
      return .uint(UInt64(pattern.nonzeroBitCount), width: 64)
    case .rotl: return try rotated(first, by: second, left: true)
    case .rotr: return try rotated(first, by: second, left: false)
    }
  }

  private func rotated(
    _ value: Value, by distance: Value, left: Bool
  ) throws(QubusError) -> Value {
    guard let pattern = value.pattern, let width = value.type.indexableWidth, width > 0,
      let amount = distance.integer
    else { throw undefined(value) }
    var shift = amount % Int64(width)
    if shift < 0 { shift += Int64(width) }
    if !left { shift = (Int64(width) - shift) % Int64(width) }
    let turned =
      ((pattern << UInt64(shift)) | (pattern >> UInt64(Int64(width) - shift))) & Value.mask(width)
    switch value {
    case .int: return Value.wrappedInt(Int64(bitPattern: turned), width: width)
    case .uint: return .uint(turned, width: width)
    case .bits: return .bits(turned, width: width)
    case .angle: return .angle(raw: turned, width: width)
    case .bool, .float: throw undefined(value)
    }
  }

  private func undefined(_ value: Value) -> QubusError {
    QubusError(
      .programSemanticError, "function '\(self)' is not defined for \(value.type.text)")
  }
}

// The enum's cases hide the C functions of the same names inside the extension.
private func libraryACos(_ x: Double) -> Double { acos(x) }
private func libraryASin(_ x: Double) -> Double { asin(x) }
private func libraryATan(_ x: Double) -> Double { atan(x) }
private func libraryCos(_ x: Double) -> Double { cos(x) }
private func libraryExp(_ x: Double) -> Double { exp(x) }
private func libraryLog(_ x: Double) -> Double { log(x) }
private func librarySin(_ x: Double) -> Double { sin(x) }
private func libraryTan(_ x: Double) -> Double { tan(x) }
