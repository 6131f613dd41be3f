/// When something will happen: with probability 0.1, 0.5 and 0.9 by these times.
package struct TimeBand: Sendable, Hashable {
  package var p10: Microseconds
  package var p50: Microseconds
  package var p90: Microseconds

  package init(p10: Microseconds, p50: Microseconds, p90: Microseconds) {
    self.p10 = p10
    self.p50 = p50
    self.p90 = p90
  }

  /// Of times that were found; at least one.
  package init(_ times: [Microseconds]) {
    precondition(!times.isEmpty, "a band of no times")
    let sorted = times.sorted()
    func quantile(_ part: Double) -> Microseconds {
      let place = part * Double(sorted.count - 1)
      let (low, rest) = (Int(place), place - Double(Int(place)))
      let next = sorted[min(low + 1, sorted.count - 1)]
      return sorted[low] + Microseconds(Double(next - sorted[low]) * rest)
    }
    self.init(p10: quantile(0.1), p50: quantile(0.5), p90: quantile(0.9))
  }

  package func contains(_ time: Microseconds) -> Bool { p10 <= time && time <= p90 }

  package var width: Microseconds { p90 - p10 }
}
