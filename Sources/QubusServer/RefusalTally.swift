internal import QubusCore

/// Counts refusals that are alike, so that a hostile peer fills neither log nor audit: the first of
/// a kind is told at once, those that follow within the second together at its end.
struct RefusalTally {
  private var counts: [Refusal: Int] = [:]
  /// Beyond `kindLimit` in this second, whatever they were.
  private var others = 0
  private var lastOther: Refusal?
  private(set) var due: Microseconds?

  /// Kinds told apart within a second.
  static let kindLimit = 10

  /// - Returns: whether to tell it now, as one.
  mutating func add(_ refusal: Refusal, _ now: Microseconds) -> Bool {
    if due == nil { due = now + 1_000_000 }
    if let count = counts[refusal] {
      counts[refusal] = count + 1
      return false
    }
    guard counts.count < Self.kindLimit else {
      others += 1
      lastOther = refusal
      return false
    }
    counts[refusal] = 0
    return true
  }

  /// What was not told yet, at the end of the second.
  mutating func take(_ now: Microseconds) -> [(Refusal, count: Int)] {
    guard let due, now >= due else { return [] }
    var told = counts.filter { $0.value > 0 }.map { ($0.key, count: $0.value) }
    if let lastOther { told.append((lastOther, count: others)) }
    self = RefusalTally()
    return told
  }
}
