package import QubusCore

extension Value {
  package var type: ScalarType {
    switch self {
    case .bool: .bool
    case .int(_, let width): .int(width: width)
    case .uint(_, let width): .uint(width: width)
    case .float: .float(width: 64)
    case .angle(_, let width): .angle(width: width)
    case .bits(_, let width): .bits(width: width)
    }
  }

  /// Whether the value is different from zero, the meaning of a cast to `bool`.
  package var truth: Bool {
    switch self {
    case .bool(let value): value
    case .int(let value, _): value != 0
    case .uint(let value, _), .angle(let value, _), .bits(let value, _): value != 0
    case .float(let value): value != 0
    }
  }

  /// The value as a real number; angles in radians within [0, 2π).
  package var real: Double {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .int(let value, _): Double(value)
    case .uint(let value, _), .bits(let value, _): Double(value)
    case .float(let value): value
    case .angle(let raw, let width): Double(raw) * Value.turn(width: width)
    }
  }

  /// The value as a bit pattern, bit 0 least significant; nil for floating-point values.
  package var pattern: UInt64? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .int(let value, let width): UInt64(bitPattern: value) & Value.mask(width)
    case .uint(let value, _), .bits(let value, _), .angle(let value, _): value
    case .float: nil
    }
  }

  /// The value as an index or a count; nil when it is no integer or does not fit.
  package var integer: Int64? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .int(let value, _): value
    case .uint(let value, _), .bits(let value, _): Int64(exactly: value)
    case .float, .angle: nil
    }
  }

  /// Low `width` bits set; width 0…64.
  package static func mask(_ width: Int) -> UInt64 {
    width >= 64 ? .max : (1 << UInt64(width)) - 1
  }

  /// Radians of one unit of an angle of `width` bits.
  static func turn(width: Int) -> Double {
    Double(sign: .plus, exponent: 1 - width, significand: Double.pi)
  }

  /// A signed integer cut to `width` bits, two's complement.
  package static func wrappedInt(_ value: Int64, width: Int) -> Value {
    let shift = Int64(64 - width)
    return .int((value << shift) >> shift, width: width)
  }

  package static func wrappedUInt(_ value: UInt64, width: Int) -> Value {
    .uint(value & mask(width), width: width)
  }

  /// The nearest angle of `width` bits, ties to even (specification §Casting from float).
  package static func nearestAngle(radians: Double, width: Int) throws(QubusError) -> Value {
    guard radians.isFinite else {
      throw QubusError(.invalidParameterValue, "\(radians) cannot be converted to an angle")
    }
    let turns = radians / (2 * Double.pi)
    let fraction = turns - turns.rounded(.down)
    let scale = Double(sign: .plus, exponent: width, significand: 1)
    let raw = (fraction * scale).rounded(.toNearestOrEven)
    return .angle(raw: raw >= scale ? 0 : UInt64(raw), width: width)
  }

  /// Casts as OpenQASM 3 does (specification §Casting specifics). Two liberties: an angle casts to
  /// float as radians in [0, 2π), which gate arguments need; bits cast to a wider integer with
  /// zeros above.
  /// - Throws: `program_semantic_error` for a pair of types without a cast,
  ///   `invalid_parameter_value` for a value that the target cannot hold at all.
  package func converted(to target: ScalarType) throws(QubusError) -> Value {
    if type == target { return self }
    switch target {
    case .bool: return .bool(truth)
    case .int(let width): return try convertedToInt(width: width, target: target)
    case .uint(let width):
      let value = try convertedToInt(width: 64, target: target)
      guard case .int(let bits, _) = value else { throw refused(target) }
      return Value.wrappedUInt(UInt64(bitPattern: bits), width: width)
    case .float:
      if case .bits = self { throw refused(target) }
      return .float(real)
    case .angle(let width): return try convertedToAngle(width: width, target: target)
    case .bits(let width): return try convertedToBits(width: width, target: target)
    }
  }

  private func convertedToInt(width: Int, target: ScalarType) throws(QubusError) -> Value {
    switch self {
    case .bool(let value): return Value.wrappedInt(value ? 1 : 0, width: width)
    case .int(let value, _): return Value.wrappedInt(value, width: width)
    case .uint(let value, _): return Value.wrappedInt(Int64(bitPattern: value), width: width)
    case .bits(let value, let size):
      let room = target.indexableWidth ?? width
      guard size <= room else { throw refused(target) }
      return Value.wrappedInt(Int64(bitPattern: value), width: width)
    case .float(let value):
      let whole = value.rounded(.towardZero)
      if let exact = Int64(exactly: whole) { return Value.wrappedInt(exact, width: width) }
      if let exact = UInt64(exactly: whole) {
        return Value.wrappedInt(Int64(bitPattern: exact), width: width)
      }
      throw QubusError(
        .invalidParameterValue, "\(value) is too large to be converted to \(target.text)")
    case .angle: throw refused(target)
    }
  }

  private func convertedToAngle(width: Int, target: ScalarType) throws(QubusError) -> Value {
    switch self {
    case .float(let value): return try Value.nearestAngle(radians: value, width: width)
    case .angle(let raw, let size):
      if width >= size { return .angle(raw: raw << UInt64(width - size), width: width) }
      let dropped = UInt64(size - width)
      let kept = raw >> dropped
      let rest = raw & Value.mask(size - width)
      let half = UInt64(1) << (dropped - 1)
      let up = rest > half || (rest == half && kept & 1 == 1)
      return .angle(raw: (kept &+ (up ? 1 : 0)) & Value.mask(width), width: width)
    case .bits(let value, let size):
      guard size == width else { throw refused(target) }
      return .angle(raw: value, width: width)
    case .bool, .int, .uint: throw refused(target)
    }
  }

  private func convertedToBits(width: Int, target: ScalarType) throws(QubusError) -> Value {
    switch self {
    case .bool(let value):
      guard width == 1 else { throw refused(target) }
      return .bits(value ? 1 : 0, width: 1)
    case .int(let value, let size):
      let fits = width == size || (value >= 0 && UInt64(value) <= Value.mask(width))
      guard fits else { throw refused(target) }
      return .bits(UInt64(bitPattern: value) & Value.mask(width), width: width)
    case .uint(let value, _):
      guard value <= Value.mask(width) else { throw refused(target) }
      return .bits(value, width: width)
    case .angle(let value, let size), .bits(let value, let size):
      guard size == width else { throw refused(target) }
      return .bits(value, width: width)
    case .float: throw refused(target)
    }
  }

  private func refused(_ target: ScalarType) -> QubusError {
    QubusError(
      .programSemanticError, "a value of type \(type.text) cannot be converted to \(target.text)")
  }
}
