internal import QubusCore

/// Outcomes of shots counted.
extension Counts {
  /// Counts equal outcomes.
  /// - Parameter outcomes: `wordsPerKey` words a shot.
  /// - Throws: `execution_canceled`.
  init(
    bitCount: Int, outcomes: [UInt64], _ cancellation: CancellationFlag
  ) throws(QubusError) {
    self.init(bitCount: bitCount)
    let words = wordsPerKey
    if words == 1 {
      let sorted = try radixSorted(outcomes, bits: bitCount, cancellation)
      for (step, key) in sorted.enumerated() {
        try cancellation.poll(step)
        count(key)
      }
      return
    }
    let order = try Self.order(outcomes, bitCount: bitCount, words, cancellation)
    for (step, shot) in order.enumerated() {
      try cancellation.poll(step)
      let key = outcomes[Int(shot) * words..<(Int(shot) + 1) * words]
      if !values.isEmpty, keys.suffix(words) == key {
        values[values.count - 1] += 1
      } else {
        keys.append(contentsOf: key)
        values.append(1)
      }
    }
  }

  /// Shots in ascending order of their outcomes: sorted by every word, the lowest first.
  private static func order(
    _ outcomes: [UInt64], bitCount: Int, _ words: Int, _ cancellation: CancellationFlag
  ) throws(QubusError) -> [UInt32] {
    var order = (0..<UInt32(outcomes.count / words)).map { $0 }
    if order.count < 1 << 10 {
      order.sort { compare(outcomes, Int($0) * words, outcomes, Int($1) * words, words: words) < 0 }
      return order
    }
    for word in 0..<words {
      var column: [UInt64] = []
      column.reserveCapacity(order.count)
      for (step, shot) in order.enumerated() {
        try cancellation.poll(step)
        column.append(outcomes[Int(shot) * words + word])
      }
      _ = try radixSorted(
        column, carrying: &order, bits: min(64, bitCount - 64 * word), cancellation)
    }
    return order
  }

  private mutating func count(_ key: UInt64) {
    if keys.last == key {
      values[values.count - 1] += 1
    } else {
      keys.append(key)
      values.append(1)
    }
  }
}
