internal import Crypto

/// Bytes with one meaning, for hashing: numbers little-endian, every run preceded by its length, so
/// that two different contents never give the same bytes.
package struct CanonicalBytes: Sendable {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  /// With room for as many bytes.
  package init(capacity: Int) { bytes.reserveCapacity(capacity) }

  package mutating func append(_ value: UInt64) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// The bits of the number; 0 and -0 differ.
  package mutating func append(_ value: Double) { append(value.bitPattern) }

  package mutating func append(_ flag: Bool) { bytes.append(flag ? 1 : 0) }

  package mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { utf8 in
      append(UInt64(utf8.count))
      bytes.append(contentsOf: utf8)
    }
  }

  package mutating func append(run: [UInt8]) {
    append(UInt64(run.count))
    bytes.append(contentsOf: run)
  }

  package mutating func append(_ shape: [Int]) {
    append(UInt64(shape.count))
    for size in shape { append(UInt64(size)) }
  }

  package mutating func append(_ values: [Double]) {
    append(UInt64(values.count))
    for value in values { append(value) }
  }

  /// Absent and every present value differ.
  package mutating func append(_ value: Double?) {
    append(value != nil)
    if let value { append(value) }
  }

  package mutating func append(_ value: UInt64?) {
    append(value != nil)
    if let value { append(value) }
  }

  /// SHA-256 over the bytes.
  package var digest: [UInt8] { Array(SHA256.hash(data: bytes)) }
}
