package import QubusCore

/// Shortest jobs first among users who are about equally far, and no job due later than a bound: an
/// order that keeps the mean slowdown low, every wait bounded and shares fair up to a band.
///
/// Users carry the tags of start-time fair queueing: what they used over their weight. Jobs of
/// users whose tag is within `bandSeconds` of the smallest go by the time at which they are due,
/// their submission + min(stretch · remaining estimate, longest due time); other users come after
/// them, by their tags. What a job uses is charged when it is over, so that estimates that are too
/// long cost nobody his turn.
package struct FairBandOrder: QueueOrder {
  package struct Settings: Sendable, Hashable {
    /// A job is due this many times its estimate after its submission; 0 is first come, first
    /// served, large is shortest first.
    package var stretch = 128.0
    /// No job is due later than this after its submission.
    package var longestDueSeconds = 300 * 3600.0
    /// How much more than the one furthest behind a user may have had and still compete, in seconds
    /// of the whole machine.
    package var bandSeconds = 2.5 * 3600
    /// What a user's recent usage may multiply its weight by, 1 ÷ this to this.
    package var usageFactor = 4.0
    package var usageHalfLifeSeconds = 7 * 24 * 3600.0
    /// A running job makes room for one that is due earlier; never without.
    package var preempts = false

    package init() {}

    /// - Throws: `invalid_configuration` naming the setting and its limit.
    package func validate() throws(QubusError) {
      let least: [(String, Double, Double)] = [
        ("stretch", stretch, 0), ("longest_due", longestDueSeconds, 0), ("band", bandSeconds, 0),
        ("usage_factor", usageFactor, 1), ("usage_half_life", usageHalfLifeSeconds, 1),
      ]
      for (name, value, minimum) in least where !(value >= minimum) {
        throw .field(.invalidConfiguration, name, "is \(value)", limit: "at least \(minimum)")
      }
    }
  }
  /// A job is not worth a switch for less than this.
  private static let preemptionGain: Double = 1
  package static var isFixed: Bool { false }
  package static var preempts: Bool { true }
  private let settings: Settings
  /// Seconds of the machine per second of one processor.
  private let part: Double
  private var book: UsageBook
  private var tags: [Double]
  private var waitingCounts: [Int]
  private var virtualTime = 0.0
  /// Smallest tag of a user who waits.
  private var smallestTag = 0.0

  package init(userCount: Int, processors: Int, settings: Settings) {
    self.settings = settings
    part = 1 / Double(processors)
    book = UsageBook(userCount: userCount, halfLifeSeconds: settings.usageHalfLifeSeconds)
    tags = Array(repeating: 0, count: userCount)
    waitingCounts = Array(repeating: 0, count: userCount)
  }

  package mutating func advance(to now: Microseconds) {
    book.advance(to: now)
    var smallest = Double.infinity
    for user in tags.indices where waitingCounts[user] > 0 { smallest = min(smallest, tags[user]) }
    smallestTag = smallest.isFinite ? smallest : virtualTime
  }

  package mutating func waits(_ job: ReplayJob, now: Microseconds) {
    if waitingCounts[job.user] == 0 { tags[job.user] = max(tags[job.user], virtualTime) }
    waitingCounts[job.user] += 1
  }

  package mutating func started(_ job: ReplayJob, now: Microseconds) {
    waitingCounts[job.user] -= 1
    virtualTime = max(virtualTime, smallestTag)
    book.change(user: job.user, processors: job.processors)
  }

  package mutating func stopped(_ job: ReplayJob, ran: Microseconds, now: Microseconds) {
    book.change(user: job.user, processors: -job.processors)
    tags[job.user] += Double(ran) / 1e6 * Double(job.processors) * part / weight(job.user)
  }

  private func weight(_ user: Int) -> Double {
    let share = book.normalisedShare(of: user)
    return min(settings.usageFactor, max(1 / settings.usageFactor, 1 / max(share, 1e-9)))
  }

  package func key(of job: OrderedJob, now: Microseconds) -> OrderKey {
    let tag = tags[job.job.user]
    return OrderKey(
      band: tag <= smallestTag + settings.bandSeconds ? -1 : tag, value: due(job, job.served),
      index: job.job.index)
  }

  /// Seconds since the start of the trace.
  private func due(_ job: OrderedJob, _ served: Microseconds) -> Double {
    let remaining = Double(max(1, job.job.estimate - served)) / 1e6
    return Double(job.job.submitted) / 1e6
      + min(settings.stretch * remaining, settings.longestDueSeconds)
  }

  package func mayPreempt(
    _ first: OrderedJob, _ running: OrderedJob, now: Microseconds
  ) -> Bool {
    guard settings.preempts else { return false }
    let ours = key(of: first, now: now)
    let theirs = key(of: running, now: now)
    guard ours.band == theirs.band else { return ours.band < theirs.band }
    let servedNow = running.served + now - (running.started ?? now)
    return ours.value + Self.preemptionGain < due(running, servedNow)
  }
}
