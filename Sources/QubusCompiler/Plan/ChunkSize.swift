/// How many positions a chunk spans: a fixed table, because chunk borders are part of a plan.
package struct ChunkSize: Sendable, Hashable {
  /// Up to here the whole state is one chunk: one thread is as quick as several.
  package var whole: Int
  package var largest: Int

  /// Smaller sizes than the table's are for tests.
  package init(whole: Int, largest: Int) {
    self.whole = whole
    self.largest = largest
  }

  /// Half of a 1 MiB second-level cache.
  package init(_ precision: Precision) {
    self.init(whole: precision == .double ? 14 : 15, largest: precision == .double ? 15 : 16)
  }

  /// Less than the largest while a state is small, so that threads have chunks to share.
  func bits(live: Int, _ precision: Precision) -> Int {
    if live <= whole { return max(live, precision.laneBits) }
    // Lane bits are always local; two more make room for every gate.
    return max(min(largest, live - 2), min(whole, live), precision.laneBits + 2)
  }
}
