/// Mean and spread of an observable's part in one group, over shots that come in batches.
struct GroupEstimate: Sendable {
  private(set) var shots: UInt64 = 0
  private(set) var mean = 0.0
  /// Sum of squared distances from the mean.
  private var squares = 0.0
  /// Most that one shot can be from 0.
  private let bound: Double

  init(_ terms: [MeasurementGroup.Term]) {
    bound = terms.reduce(0) { $0 + abs($1.coefficient) }
  }

  /// Adds a batch: outcomes and how often each came, in a fixed order.
  /// - Source: Chan, Golub & LeVeque 1983, eq. 2.1 for joining two batches.
  mutating func add(
    _ keys: [UInt64], _ counts: [UInt64], _ terms: [MeasurementGroup.Term]
  ) {
    var total = 0.0
    var count: UInt64 = 0
    for (key, times) in zip(keys, counts) {
      total += Double(times) * Self.value(key, terms)
      count += times
    }
    if count == 0 { return }
    let batchMean = total / Double(count)
    var batchSquares = 0.0
    for (key, times) in zip(keys, counts) {
      let distance = Self.value(key, terms) - batchMean
      batchSquares += Double(times) * distance * distance
    }
    let (n, m) = (Double(shots), Double(count))
    let difference = batchMean - mean
    mean += difference * m / (n + m)
    squares += batchSquares + difference * difference * n * m / (n + m)
    shots += count
  }

  /// Squared standard error of the mean, as if one more shot had come out `bound` from it: equal
  /// outcomes alone never claim certainty, and n of them only what n shots can tell (an error of
  /// bound / n). Vanishes against the spread of the outcomes as 1 / n.
  /// - Source: Agresti & Coull 1998 on estimates by added observations.
  var variance: Double { variance(unseen: 1) }

  /// The same for who decides whether enough shots were taken, beyond doubt: an outcome that was
  /// not seen in n shots may still have the probability 3 / n, and lie 2 `bound` away.
  /// - Source: Hanley & Lippman-Hand 1983, the rule of three.
  var cautiousVariance: Double { variance(unseen: 12) }

  /// - Parameter unseen: added to the sum of squares for what was not seen, in squares of `bound`.
  private func variance(unseen: Double) -> Double {
    if bound == 0 { return 0 }
    if shots < 2 { return bound * bound }
    return (squares + unseen * bound * bound) / Double(shots - 1) / Double(shots)
  }

  @inline(__always)
  private static func value(_ key: UInt64, _ terms: [MeasurementGroup.Term]) -> Double {
    var value = 0.0
    for term in terms {
      value +=
        (key & term.mask).nonzeroBitCount & 1 == 1 ? -term.coefficient : term.coefficient
    }
    return value
  }
}
