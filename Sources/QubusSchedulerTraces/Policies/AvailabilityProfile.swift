internal import QubusCore

/// When processors fall free, by the estimates of the jobs that run: kept in order of their ends as
/// jobs start and stop, never rebuilt.
struct AvailabilityProfile: Sendable {
  private struct Release: Sendable {
    var end: Microseconds
    var index: Int
    var processors: Int
  }
  private var releases: [Release] = []

  mutating func insert(_ index: Int, processors: Int, end: Microseconds) {
    releases.insert(
      Release(end: end, index: index, processors: processors), at: place(end, index))
  }

  mutating func remove(_ index: Int, end: Microseconds) {
    let at = place(end, index)
    precondition(releases.indices.contains(at) && releases[at].index == index)
    releases.remove(at: at)
  }

  /// The first time at which `wanted` processors are free if nothing else starts, and how many are
  /// free beyond them then. A job that is past its estimate counts as about to end.
  func reservation(
    _ wanted: Int, free: Int, now: Microseconds
  ) -> (start: Microseconds, extra: Int) {
    var available = free
    var start = now
    for release in releases {
      let end = max(release.end, now + 1)
      if available >= wanted, end > start { break }
      available += release.processors
      start = end
    }
    return (start, available - wanted)
  }

  /// The place of an entry, or the one where it belongs, in order of end and index.
  private func place(_ end: Microseconds, _ index: Int) -> Int {
    var low = 0
    var high = releases.count
    while low < high {
      let middle = (low + high) / 2
      let release = releases[middle]
      if release.end < end || (release.end == end && release.index < index) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return low
  }
}
