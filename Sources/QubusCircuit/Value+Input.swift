package import QubusCore

extension Value {
  /// A job's parameter as a value of the declared input type.
  /// - Parameter name: the input's name, for the error.
  /// - Throws: `invalid_parameter_value` for NaN, infinities, fractions where an integer is
  ///   declared, and values outside the declared range.
  package static func input(
    _ number: Double, type: ScalarType, name: String
  ) throws(QubusError) -> Value {
    guard number.isFinite else {
      throw .field(.invalidParameterValue, "parameters.\(name)", "\(number) is not a finite number")
    }
    switch type {
    case .float: return .float(number)
    case .angle(let width): return try nearestAngle(radians: number, width: width)
    case .bool:
      guard number == 0 || number == 1 else {
        throw outside(number, type, name, "0 or 1")
      }
      return .bool(number == 1)
    case .int(let width):
      let least = -Double(sign: .plus, exponent: width - 1, significand: 1)
      guard number.rounded() == number, number >= least, number < -least else {
        throw outside(number, type, name, "integers from -2^\(width - 1) to 2^\(width - 1) - 1")
      }
      return .int(Int64(number), width: width)
    case .uint(let width), .bits(let width):
      let bound = Double(sign: .plus, exponent: width, significand: 1)
      guard number.rounded() == number, number >= 0, number < bound else {
        throw outside(number, type, name, "integers from 0 to 2^\(width) - 1")
      }
      if case .bits = type { return .bits(UInt64(number), width: width) }
      return .uint(UInt64(number), width: width)
    }
  }

  private static func outside(
    _ number: Double, _ type: ScalarType, _ name: String, _ limit: String
  ) -> QubusError {
    .field(
      .invalidParameterValue, "parameters.\(name)",
      "\(number) is not a value of type \(type.text)", limit: limit)
  }
}
