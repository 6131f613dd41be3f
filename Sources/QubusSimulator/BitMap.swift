/// Moves bits of a number: bit j of the result is bit `sources[j]` of the argument. Eight bits at
/// a time by table.
struct BitMap: Sendable {
  let isIdentity: Bool
  private let mask: UInt64
  /// 256 entries for every byte of the argument that matters.
  private let tables: [UInt64]

  init(sources: [Int]) {
    isIdentity = sources.enumerated().allSatisfy { $0.offset == $0.element }
    mask = sources.count >= 64 ? .max : (1 << UInt64(sources.count)) - 1
    let bytes = isIdentity ? 0 : (sources.max() ?? 0) / 8 + 1
    var tables = [UInt64](repeating: 0, count: 256 * bytes)
    if !isIdentity {
      for (bit, source) in sources.enumerated() {
        for byte in 0..<256 where byte >> (source % 8) & 1 == 1 {
          tables[source / 8 * 256 + byte] |= 1 << UInt64(bit)
        }
      }
    }
    self.tables = tables
  }

  @inline(__always)
  func map(_ value: UInt64) -> UInt64 {
    if isIdentity { return value & mask }
    return tables.withUnsafeBufferPointer { tables in
      var result: UInt64 = 0
      var rest = value
      var start = 0
      while start < tables.count {
        result |= tables[start + Int(rest & 0xFF)]
        rest >>= 8
        start += 256
      }
      return result
    }
  }
}
