package import QubusCircuit
internal import QubusCore

/// Readings of a value that control flow and assignments to bits need.
extension Value {
  /// The value as a whole number, for indices, ranges and `switch`.
  func whole() throws(QubusError) -> Int64 {
    guard let number = integer else {
      throw QubusError(
        .indexOutOfRange, "\(self) cannot serve as an index, range or case",
        details: ["limit": "whole numbers up to \(Int64.max)"])
    }
    return number
  }

  /// The bits of an integer-like value, bit 0 least significant.
  func bitPattern() throws(QubusError) -> UInt64 {
    guard let bits = pattern else {
      throw QubusError(.programSemanticError, "a float cannot be assigned to bits")
    }
    return bits
  }

  /// The value with one bit changed; `index` counts from the least significant.
  func settingBit(_ index: Int, to bit: Bool) throws(QubusError) -> Value {
    func changed(_ pattern: UInt64, _ width: Int) throws(QubusError) -> UInt64 {
      guard index >= 0 && index < width else {
        throw QubusError(
          .indexOutOfRange, "bit \(index) is outside a value of \(width) bits")
      }
      let mask = UInt64(1) << UInt64(index)
      return bit ? pattern | mask : pattern & ~mask
    }
    switch self {
    case .bool: return .bool(try changed(0, 1) == 1)
    case .uint(let value, let width): return .uint(try changed(value, width), width: width)
    case .bits(let value, let width): return .bits(try changed(value, width), width: width)
    case .angle(let raw, let width): return .angle(raw: try changed(raw, width), width: width)
    case .int(let value, let width):
      let pattern = try changed(UInt64(bitPattern: value), width)
      let shift = UInt64(64 - width)
      return .int(Int64(bitPattern: pattern << shift) >> Int64(shift), width: width)
    case .float:
      throw QubusError(.programSemanticError, "a float has no bits to assign")
    }
  }
}

extension Expression {
  /// True when evaluating may read a classical bit that satisfies `isMatch`.
  func readsBit(_ isMatch: (Int) -> Bool) -> Bool {
    switch self {
    case .constant, .input, .variable: false
    case .bit(let bit): isMatch(bit)
    case .register(let offset, let width): (offset..<offset + width).contains(where: isMatch)
    case .element(let offset, let width, let index):
      (offset..<offset + width).contains(where: isMatch) || index.readsBit(isMatch)
    case .bitOf(let value, let index): value.readsBit(isMatch) || index.readsBit(isMatch)
    case .unary(_, let operand), .cast(_, let operand): operand.readsBit(isMatch)
    case .binary(_, let left, let right): left.readsBit(isMatch) || right.readsBit(isMatch)
    case .call(_, let arguments): arguments.contains { $0.readsBit(isMatch) }
    }
  }

  /// True when the value cannot change while a shot runs.
  package var isFixedForRow: Bool {
    switch self {
    case .constant, .input: true
    case .variable, .bit, .register, .element: false
    case .bitOf(let value, let index): value.isFixedForRow && index.isFixedForRow
    case .unary(_, let operand), .cast(_, let operand): operand.isFixedForRow
    case .binary(_, let left, let right): left.isFixedForRow && right.isFixedForRow
    case .call(_, let arguments): arguments.allSatisfy(\.isFixedForRow)
    }
  }
}
