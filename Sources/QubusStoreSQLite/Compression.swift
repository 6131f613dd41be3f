internal import CZlib

/// Deflate for what is stored in rows.
enum Compression {
  /// Bytes below which what is gained is not worth setting up zlib's 256 KiB of state.
  private static let smallest = 2048

  /// The compressed bytes, or nil when they would not save an eighth.
  static func compress(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
    guard bytes.count >= smallest else { return nil }
    let limit = bytes.count - bytes.count / 8
    var written = uLongf(limit)
    // The destination is the limit itself: zlib stops as soon as compression is not worth it.
    let output = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
      let result = bytes.withUnsafeBufferPointer {
        compress2(buffer.baseAddress, &written, $0.baseAddress, uLong($0.count), 1)
      }
      count = result == Z_OK ? Int(written) : 0
    }
    return output.isEmpty ? nil : output
  }

  /// The original `count` bytes, or nil when the input is damaged.
  static func decompress(_ bytes: [UInt8], count: Int) -> [UInt8]? {
    var written = uLongf(count)
    var isWhole = false
    let output = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      let result = bytes.withUnsafeBufferPointer {
        uncompress(buffer.baseAddress, &written, $0.baseAddress, uLong($0.count))
      }
      isWhole = result == Z_OK && Int(written) == count
      initialized = isWhole ? count : 0
    }
    return isWhole ? output : nil
  }
}
