/// Reads protobuf fields in place, without allocating. It takes only what an encoder writes, in its
/// shortest form; whatever else may be valid is left to the general decoder.
struct FieldScanner {
  private let bytes: UnsafeRawBufferPointer
  private var at: Int
  private let end: Int

  init(_ bytes: UnsafeRawBufferPointer) {
    self.init(bytes, 0..<bytes.count)
  }

  init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
    self.bytes = bytes
    at = range.lowerBound
    end = range.upperBound
  }

  var isAtEnd: Bool { at == end }

  /// A field number below 16 with its wire type, in one byte.
  mutating func key() -> UInt8? {
    guard at < end, bytes[at] < 0x80 else { return nil }
    defer { at += 1 }
    return bytes[at]
  }

  mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while at < end, shift < 70 {
      let byte = bytes[at]
      at += 1
      if shift == 63, byte > 1 { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 {
        // A longer form than needed is left to the general decoder.
        return byte == 0 && shift > 0 ? nil : value
      }
      shift += 7
    }
    return nil
  }

  /// Where the contents of a length-delimited field lie.
  mutating func contents() -> Range<Int>? {
    guard let count = varint(), count <= UInt64(end - at) else { return nil }
    defer { at += Int(count) }
    return at..<at + Int(count)
  }

  mutating func fixed32() -> UInt32? {
    guard end - at >= 4 else { return nil }
    defer { at += 4 }
    return UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
  }

  mutating func fixed64() -> UInt64? {
    guard end - at >= 8 else { return nil }
    defer { at += 8 }
    return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
  }
}
