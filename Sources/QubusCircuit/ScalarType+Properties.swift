extension ScalarType {
  /// The type as written in OpenQASM, for messages.
  package var text: String {
    switch self {
    case .bool: "bool"
    case .int(let width): "int[\(width)]"
    case .uint(let width): "uint[\(width)]"
    case .float(let width): "float[\(width)]"
    case .angle(let width): "angle[\(width)]"
    case .bits(let width): "bit[\(width)]"
    }
  }

  /// The value of a variable that was declared without an initialiser.
  package var zero: Value {
    switch self {
    case .bool: .bool(false)
    case .int(let width): .int(0, width: width)
    case .uint(let width): .uint(0, width: width)
    case .float: .float(0)
    case .angle(let width): .angle(raw: 0, width: width)
    case .bits(let width): .bits(0, width: width)
    }
  }

  package var isInteger: Bool {
    switch self {
    case .int, .uint: true
    case .bool, .float, .angle, .bits: false
    }
  }

  package var isFloat: Bool {
    if case .float = self { true } else { false }
  }

  /// Number of bits that can be indexed, nil for types without bit access.
  package var indexableWidth: Int? {
    switch self {
    case .int(let width), .uint(let width), .angle(let width), .bits(let width): width
    case .bool, .float: nil
    }
  }

  /// Whether OpenQASM 3 has a cast from this type to `target` (specification §Allowed casts).
  /// Widths are checked with the value.
  package func casts(to target: ScalarType) -> Bool {
    switch (self, target) {
    case (.bool, .angle), (.int, .angle), (.uint, .angle): false
    case (.float, .bits), (.bits, .float): false
    case (.angle, .int), (.angle, .uint), (.angle, .float): false
    default: true
    }
  }

  /// The integer type of an arithmetic operation on integers (bits and bool count as unsigned):
  /// the wider one; unsigned when the unsigned operand is at least as wide, as in C99.
  package static func promotedInteger(_ a: ScalarType, _ b: ScalarType) -> ScalarType? {
    guard let (aSigned, aWidth) = a.asInteger, let (bSigned, bWidth) = b.asInteger else {
      return nil
    }
    let width = max(aWidth, bWidth)
    if aSigned == bSigned { return aSigned ? .int(width: width) : .uint(width: width) }
    let unsignedWidth = aSigned ? bWidth : aWidth
    return unsignedWidth == width ? .uint(width: width) : .int(width: width)
  }

  private var asInteger: (signed: Bool, width: Int)? {
    switch self {
    case .bool: (false, 1)
    case .int(let width): (true, width)
    case .uint(let width), .bits(let width): (false, width)
    case .float, .angle: nil
    }
  }
}
