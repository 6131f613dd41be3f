/// How many positions a chunk spans: a fixed table, because chunk borders are part of a plan.
enum ChunkSize {
  /// Half of a 1 MiB second-level cache, less while a state is small so that threads have chunks
  /// to share, and the whole state where one thread is as quick.
  static func bits(live: Int, _ precision: Precision) -> Int {
    let whole = precision == .double ? 14 : 15
    let largest = precision == .double ? 15 : 16
    if live <= whole { return max(live, precision.laneBits) }
    return min(largest, live - 2)
  }
}
