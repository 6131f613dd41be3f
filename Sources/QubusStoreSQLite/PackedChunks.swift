internal import QubusCore

/// The chunks of a small result as one blob in its row: each item, chunk and length as 32-bit
/// little-endian numbers, SHA-256, bytes.
enum PackedChunks {
  static let sumBytes = 32
  static let headBytes = 12 + sumBytes

  static func append(
    item: Int, chunk: Int, sha256: [UInt8], bytes: ArraySlice<UInt8>, to packed: inout [UInt8]
  ) {
    precondition(sha256.count == sumBytes, "not a SHA-256")
    packed.reserveCapacity(packed.count + headBytes + bytes.count)
    for number in [UInt32(item), UInt32(chunk), UInt32(bytes.count)] {
      withUnsafeBytes(of: number.littleEndian) { packed.append(contentsOf: $0) }
    }
    packed.append(contentsOf: sha256)
    packed.append(contentsOf: bytes)
  }

  enum Search {
    case found(bytes: [UInt8], sha256: [UInt8])
    case missing
    /// The lengths do not add up.
    case damaged
  }

  static func find(item: Int, chunk: Int, in packed: [UInt8]) -> Search {
    var index = 0
    while index < packed.count {
      guard packed.count - index >= headBytes else { return .damaged }
      let numbers = packed.withUnsafeBytes { raw in
        (0..<3).map {
          Int(
            UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: index + 4 * $0, as: UInt32.self))
          )
        }
      }
      let start = index + headBytes
      guard numbers[2] <= packed.count - start else { return .damaged }
      if numbers[0] == item, numbers[1] == chunk {
        return .found(
          bytes: Array(packed[start..<start + numbers[2]]),
          sha256: Array(packed[start - sumBytes..<start]))
      }
      index = start + numbers[2]
    }
    return .missing
  }
}
