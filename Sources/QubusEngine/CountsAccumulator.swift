internal import QubusSimulator

/// Adds up the histograms of many chunks in O(entries × log chunks): only histograms of like size
/// are merged.
struct CountsAccumulator {
  private let bitCount: Int
  private var levels: [Counts] = []

  init(bitCount: Int) { self.bitCount = bitCount }

  mutating func add(_ counts: Counts) {
    levels.append(counts)
    while levels.count > 1,
      levels[levels.count - 2].values.count <= 2 * levels[levels.count - 1].values.count
    {
      let last = levels.removeLast()
      levels[levels.count - 1].merge(last)
    }
  }

  /// The histogram of everything added.
  mutating func total() -> Counts {
    var total = levels.popLast() ?? Counts(bitCount: bitCount)
    while var next = levels.popLast() {
      next.merge(total)
      total = next
    }
    levels = [total]
    return total
  }
}
