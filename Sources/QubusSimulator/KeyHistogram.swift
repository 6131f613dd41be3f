/// Counts by outcome where outcomes do not ascend as indices do, or several indices share one.
struct KeyHistogram {
  private let keys: OutcomeKeys
  /// A count for every outcome, when there are not many more than indices.
  private var table: [UInt64] = []
  private var pairs: [(key: UInt64, count: UInt64)] = []

  init(_ keys: OutcomeKeys, indexCount: Int) {
    self.keys = keys
    if keys.bitCount <= 30 && keys.outcomeCount <= max(1 << 16, 8 * indexCount) {
      table = [UInt64](repeating: 0, count: keys.outcomeCount)
    } else {
      pairs.reserveCapacity(indexCount)
    }
  }

  mutating func add(_ indices: UnsafePointer<UInt64>, _ counts: UnsafePointer<UInt32>, _ size: Int)
  {
    if table.isEmpty {
      for place in 0..<size { pairs.append((keys.key(indices[place]), UInt64(counts[place]))) }
      return
    }
    table.withUnsafeMutableBufferPointer { table in
      for place in 0..<size { table[Int(keys.key(indices[place]))] &+= UInt64(counts[place]) }
    }
  }

  /// Outcomes that occur, ascending, and how often.
  consuming func sorted() -> (keys: [UInt64], values: [UInt64]) {
    var (found, values): ([UInt64], [UInt64]) = ([], [])
    if table.isEmpty {
      pairs.sort { $0.key < $1.key }
      for pair in pairs {
        if found.last == pair.key {
          values[values.count - 1] += pair.count
        } else {
          found.append(pair.key)
          values.append(pair.count)
        }
      }
      return (found, values)
    }
    let size = table.reduce(into: 0) { $0 += $1 > 0 ? 1 : 0 }
    found.reserveCapacity(size)
    values.reserveCapacity(size)
    for (key, count) in table.enumerated() where count > 0 {
      found.append(UInt64(key))
      values.append(count)
    }
    return (found, values)
  }
}
