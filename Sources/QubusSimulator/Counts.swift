/// A histogram of shot outcomes over `bitCount` classical bits, in ascending order of the outcome.
///
/// An outcome is `wordsPerKey` little-endian 64-bit words, bit 0 = classical bit 0.
package struct Counts: Sendable, Hashable {
  package let bitCount: Int
  /// `values.count * wordsPerKey` words.
  package var keys: [UInt64]
  package var values: [UInt64]

  package var wordsPerKey: Int { max(1, (bitCount + 63) / 64) }
  package var total: UInt64 { values.reduce(0, +) }

  package init(bitCount: Int) {
    self.bitCount = bitCount
    keys = []
    values = []
  }

  /// Adds another histogram over the same bits; the result stays sorted.
  package mutating func merge(_ other: Counts) {
    precondition(other.bitCount == bitCount)
    let words = wordsPerKey
    var mergedKeys: [UInt64] = []
    var mergedValues: [UInt64] = []
    mergedKeys.reserveCapacity(keys.count + other.keys.count)
    mergedValues.reserveCapacity(values.count + other.values.count)
    var a = 0
    var b = 0
    while a < values.count || b < other.values.count {
      let order =
        a == values.count
        ? 1
        : b == other.values.count
          ? -1 : Self.compare(keys, a * words, other.keys, b * words, words: words)
      if order <= 0 {
        mergedKeys.append(contentsOf: keys[a * words..<(a + 1) * words])
        mergedValues.append(values[a] + (order == 0 ? other.values[b] : 0))
        a += 1
        if order == 0 { b += 1 }
      } else {
        mergedKeys.append(contentsOf: other.keys[b * words..<(b + 1) * words])
        mergedValues.append(other.values[b])
        b += 1
      }
    }
    keys = mergedKeys
    values = mergedValues
  }

  /// -1, 0 or 1; the highest word decides first.
  private static func compare(
    _ x: [UInt64], _ i: Int, _ y: [UInt64], _ j: Int, words: Int
  ) -> Int {
    for word in stride(from: words - 1, through: 0, by: -1) where x[i + word] != y[j + word] {
      return x[i + word] < y[j + word] ? -1 : 1
    }
    return 0
  }

  /// The outcome at `index` as text, highest classical bit leftmost.
  package func bitString(at index: Int) -> String {
    let words = wordsPerKey
    var text: [UInt8] = []
    text.reserveCapacity(bitCount)
    for bit in stride(from: bitCount - 1, through: 0, by: -1) {
      let word = keys[index * words + bit / 64]
      text.append(word >> UInt64(bit % 64) & 1 == 1 ? UInt8(ascii: "1") : UInt8(ascii: "0"))
    }
    return String(decoding: text, as: UTF8.self)
  }
}
