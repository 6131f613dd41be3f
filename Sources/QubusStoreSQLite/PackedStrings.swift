/// Lists of strings as one blob: each a 32-bit little-endian length and UTF-8 bytes.
enum PackedStrings {
  static func pack(_ strings: [String]) -> [UInt8] {
    var bytes: [UInt8] = []
    for string in strings {
      let count = UInt32(string.utf8.count)
      withUnsafeBytes(of: count.littleEndian) { bytes.append(contentsOf: $0) }
      bytes.append(contentsOf: string.utf8)
    }
    return bytes
  }

  /// Keys and values in turn, by key, so that equal dictionaries give equal bytes.
  static func pack(_ pairs: [String: String]) -> [UInt8] {
    pairs.isEmpty ? [] : pack(pairs.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] })
  }

  /// The strings, or nil when the bytes are not a list.
  static func unpack(_ bytes: [UInt8]) -> [String]? {
    var strings: [String] = []
    var index = 0
    while index < bytes.count {
      guard index + 4 <= bytes.count else { return nil }
      let count = bytes.withUnsafeBytes {
        Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: index, as: UInt32.self)))
      }
      index += 4
      guard count <= bytes.count - index else { return nil }
      strings.append(String(decoding: bytes[index..<index + count], as: UTF8.self))
      index += count
    }
    return strings
  }

  static func unpackPairs(_ bytes: [UInt8]) -> [String: String]? {
    guard let strings = unpack(bytes), strings.count.isMultiple(of: 2) else { return nil }
    var pairs: [String: String] = [:]
    for i in stride(from: 0, to: strings.count, by: 2) { pairs[strings[i]] = strings[i + 1] }
    return pairs
  }
}
