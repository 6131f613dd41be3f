internal import HeapModule
internal import QubusJobs
internal import QubusSimulator

extension Counts {
  /// Outcomes of a `counts.partial` event.
  static let partialEntries = 1024

  /// An outcome by its index; the less frequent of two comes first, of equal ones the later.
  private struct Frequency: Comparable {
    var count: UInt64
    var index: Int

    static func < (a: Frequency, b: Frequency) -> Bool {
      a.count != b.count ? a.count < b.count : a.index > b.index
    }
  }

  /// The most frequent outcomes; equal ones in ascending order.
  func partial(pub: UInt32, row: UInt32, shots: UInt64) -> PartialCounts {
    // One pass, however many there are: progress is told in the middle of a run.
    var chosen = Heap<Frequency>()
    for (index, count) in values.enumerated() {
      let frequency = Frequency(count: count, index: index)
      if index < Self.partialEntries {
        chosen.insert(frequency)
      } else if let least = chosen.min, least < frequency {
        chosen.replaceMin(with: frequency)
      }
    }
    return PartialCounts(
      pub: pub, row: row, shotsDone: shots,
      entries: chosen.unordered.sorted(by: >).map { (bitString(at: $0.index), $0.count) },
      isTruncated: values.count > Self.partialEntries)
  }
}
