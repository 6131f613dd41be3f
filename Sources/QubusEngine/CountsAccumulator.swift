internal import QubusCore
internal import QubusSimulator

/// Adds up the histograms of many chunks in O(entries × log chunks): only histograms of like size
/// are merged.
struct CountsAccumulator {
  private let bitCount: Int
  private var levels: [Counts] = []

  init(bitCount: Int) { self.bitCount = bitCount }

  /// Takes a histogram; `settle` merges it with those before.
  mutating func add(_ counts: Counts) { levels.append(counts) }

  /// - Throws: `execution_canceled`; nothing that was added is lost.
  mutating func settle(_ cancellation: CancellationFlag?) throws(QubusError) {
    while levels.count > 1,
      levels[levels.count - 2].values.count <= 2 * levels[levels.count - 1].values.count
    {
      try mergeLast(cancellation)
    }
  }

  /// The histogram of everything added.
  /// - Throws: `execution_canceled`; nothing that was added is lost.
  mutating func total(_ cancellation: CancellationFlag?) throws(QubusError) -> Counts {
    while levels.count > 1 { try mergeLast(cancellation) }
    return levels.first ?? Counts(bitCount: bitCount)
  }

  private mutating func mergeLast(_ cancellation: CancellationFlag?) throws(QubusError) {
    let last = levels.count - 1
    levels[last - 1] = try levels[last - 1].merged(levels[last], cancellation)
    levels.removeLast()
  }
}
