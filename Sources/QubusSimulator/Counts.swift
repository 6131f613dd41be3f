package import QubusCore

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
    // Without a flag nothing is thrown.
    if let sum = try? merged(other, nil) { self = sum }
  }

  /// The sum of two histograms over the same bits.
  /// - Throws: `execution_canceled`.
  package func merged(
    _ other: Counts, _ cancellation: CancellationFlag?
  ) throws(QubusError) -> Counts {
    precondition(other.bitCount == bitCount)
    let words = wordsPerKey
    var sum = Counts(bitCount: bitCount)
    sum.keys.reserveCapacity(keys.count + other.keys.count)
    sum.values.reserveCapacity(values.count + other.values.count)
    var (a, b) = (0, 0)
    while a < values.count || b < other.values.count {
      try cancellation.poll(a + b)
      let order =
        a == values.count
        ? 1
        : b == other.values.count
          ? -1 : Self.compare(keys, a * words, other.keys, b * words, words: words)
      for word in 0..<words {
        sum.keys.append(order <= 0 ? keys[a * words + word] : other.keys[b * words + word])
      }
      sum.values.append(
        (order <= 0 ? values[a] : 0) + (order >= 0 ? other.values[b] : 0))
      if order <= 0 { a += 1 }
      if order >= 0 { b += 1 }
    }
    return sum
  }

  /// -1, 0 or 1; the highest word decides first.
  static func compare(
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
