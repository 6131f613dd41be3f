internal import QubusCore

/// Counts by outcome where outcomes do not ascend as indices do, or several indices share one.
struct KeyHistogram {
  private let keys: OutcomeKeys
  /// A count for every outcome, when there are not many more than indices.
  private var table: [UInt64] = []
  /// Otherwise the outcome of every index and its count.
  private var found: [UInt64] = []
  private var counts: [UInt32] = []

  init(_ keys: OutcomeKeys, indexCount: Int) {
    self.keys = keys
    if keys.bitCount <= 30 && keys.outcomeCount <= max(1 << 16, 8 * indexCount) {
      table = [UInt64](repeating: 0, count: keys.outcomeCount)
    } else {
      found.reserveCapacity(indexCount)
      counts.reserveCapacity(indexCount)
    }
  }

  mutating func add(_ indices: UnsafePointer<UInt64>, _ counts: UnsafePointer<UInt32>, _ size: Int)
  {
    if table.isEmpty {
      for place in 0..<size { found.append(keys.key(indices[place])) }
      self.counts.append(contentsOf: UnsafeBufferPointer(start: counts, count: size))
      return
    }
    table.withUnsafeMutableBufferPointer { table in
      for place in 0..<size { table[Int(keys.key(indices[place]))] &+= UInt64(counts[place]) }
    }
  }

  /// Outcomes that occur, ascending, and how often.
  /// - Throws: `execution_canceled`.
  consuming func sorted(
    _ cancellation: CancellationFlag
  ) throws(QubusError) -> (keys: [UInt64], values: [UInt64]) {
    if table.isEmpty { return try sortedPairs(cancellation) }
    var (found, values): ([UInt64], [UInt64]) = ([], [])
    for (key, count) in table.enumerated() {
      try cancellation.poll(key)
      guard count > 0 else { continue }
      found.append(UInt64(key))
      values.append(count)
    }
    return (found, values)
  }

  private consuming func sortedPairs(
    _ cancellation: CancellationFlag
  ) throws(QubusError) -> (keys: [UInt64], values: [UInt64]) {
    let sorted = try radixSorted(
      found, carrying: &counts, bits: keys.bitCount, cancellation)
    var (distinct, values): ([UInt64], [UInt64]) = ([], [])
    distinct.reserveCapacity(sorted.count)
    values.reserveCapacity(sorted.count)
    for (key, count) in zip(sorted, counts) {
      if distinct.last == key {
        values[values.count - 1] += UInt64(count)
      } else {
        distinct.append(key)
        values.append(UInt64(count))
      }
    }
    return (distinct, values)
  }
}
