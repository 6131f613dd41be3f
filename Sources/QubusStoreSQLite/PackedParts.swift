internal import QubusJobs

/// Parts of a held sum as bytes: entitlement and amount, eight bytes each, little-endian.
enum PackedParts {
  static func pack(_ parts: [CostPart]) -> [UInt8] {
    parts.flatMap { part in
      [part.entitlement, part.amount].flatMap { number in
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
      }
    }
  }

  /// Nil when the bytes are damaged.
  static func unpack(_ bytes: [UInt8]) -> [CostPart]? {
    guard bytes.count % 16 == 0 else { return nil }
    return bytes.withUnsafeBytes { raw in
      stride(from: 0, to: raw.count, by: 16).map { place in
        CostPart(
          entitlement: Int64(
            littleEndian: raw.loadUnaligned(fromByteOffset: place, as: Int64.self)),
          amount: Int64(
            littleEndian: raw.loadUnaligned(fromByteOffset: place + 8, as: Int64.self)))
      }
    }
  }
}
