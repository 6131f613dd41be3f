/// Writes the fields of an optimizer, or reads them back: one list of fields serves both ways, so
/// that none can be forgotten in one.
///
/// Numbers are little-endian, doubles by their bit patterns; arrays carry their count. After a
/// failed read every further one leaves its field as it is; `failure` is what was wrong first.
package struct CheckpointCoder: Sendable {
  private(set) var bytes: [UInt8]
  private var position = 0
  private let reads: Bool
  private(set) var failure: String?

  /// One that writes.
  init() {
    bytes = []
    reads = false
  }

  init(reading bytes: [UInt8]) {
    self.bytes = bytes
    reads = true
  }

  var isAtEnd: Bool { position == bytes.count }

  mutating func fail(_ reason: String) {
    if failure == nil { failure = reason }
  }

  /// What must hold of the fields read.
  mutating func require(_ condition: Bool, _ reason: String) {
    if reads, !condition { fail(reason) }
  }

  mutating func visit(_ value: inout UInt64) {
    guard reads else {
      for shift in stride(from: 0, to: 64, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
      }
      return
    }
    guard failure == nil else { return }
    guard bytes.count - position >= 8 else { return fail("it ends early") }
    value = (0..<8).reduce(0) { $0 | UInt64(bytes[position + $1]) << UInt64(8 * $1) }
    position += 8
  }

  mutating func visit(_ value: inout UInt8, through limit: UInt8) {
    guard reads else { return bytes.append(value) }
    guard failure == nil else { return }
    guard position < bytes.count else { return fail("it ends early") }
    guard bytes[position] <= limit else { return fail("a byte is out of range") }
    value = bytes[position]
    position += 1
  }

  mutating func visit(_ value: inout Bool) {
    var byte: UInt8 = value ? 1 : 0
    visit(&byte, through: 1)
    value = byte == 1
  }

  /// A count or an index, at most `limit`.
  mutating func visit(_ value: inout Int, through limit: Int) {
    var wide = UInt64(value)
    visit(&wide)
    guard reads, failure == nil else { return }
    guard wide <= UInt64(limit) else { return fail("a count is out of range") }
    value = Int(wide)
  }

  /// The number of parameters, which the lengths of arrays follow from.
  mutating func visitParameterCount(_ count: inout Int, of method: OptimizerMethod) {
    visit(&count, through: method.parameterLimit)
    require(count > 0, "it has no parameters")
  }

  mutating func visit(_ value: inout Double) {
    var bits = value.bitPattern
    visit(&bits)
    value = Double(bitPattern: bits)
  }

  /// An array of exactly `count` numbers.
  mutating func visit(_ values: inout [Double], count: Int) {
    var stored = values.count
    visit(&stored, through: bytes.count / 8)
    guard reads else {
      precondition(values.count == count, "an array of another length than its checkpoint's")
      for var value in values { visit(&value) }
      return
    }
    guard failure == nil else { return }
    guard stored == count, bytes.count - position >= 8 * count else {
      return fail("an array has another length")
    }
    values = (0..<count).map { _ in
      var value = 0.0
      visit(&value)
      return value
    }
  }
}
