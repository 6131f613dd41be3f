internal import QubusJobs
internal import QubusSimulator

extension Counts {
  /// Outcomes of a `counts.partial` event.
  static let partialEntries = 1024

  /// The most frequent outcomes; equal ones in ascending order.
  func partial(pub: UInt32, row: UInt32, shots: UInt64) -> PartialCounts {
    var order = Array(values.indices)
    let isTruncated = order.count > Self.partialEntries
    order.sort { values[$0] != values[$1] ? values[$0] > values[$1] : $0 < $1 }
    return PartialCounts(
      pub: pub, row: row, shotsDone: shots,
      entries: order.prefix(Self.partialEntries).map { (bitString(at: $0), values[$0]) },
      isTruncated: isTruncated)
  }
}
