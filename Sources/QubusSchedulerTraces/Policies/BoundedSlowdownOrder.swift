internal import Foundation
package import QubusCore

/// Short jobs first, weighed with their users' shares and with how long they wait, and no job after
/// its bound: an order that keeps the mean slowdown low and every wait bounded.
///
/// A job's rank is `log2(remaining) + shareWeight·min(share, 8) − ageWeight·log2(1 + wait/remaining)
/// + sizeWeight·log2(processors)`, `share` being the user's part of the recent usage as a multiple
/// of an equal part. A job that has waited its bound goes in front of all others, the earliest
/// bound first.
package struct BoundedSlowdownOrder: QueueOrder {
  package struct Settings: Sendable, Hashable {
    /// When set, a job is due this many times its estimate after its submission.
    package var stretch: Double?
    /// Doublings of the run time that an equal share of usage weighs as much as.
    package var shareWeight = 1.0
    package var ageWeight = 0.0
    package var sizeWeight = 0.0
    /// Usage is halved in this time.
    package var halfLifeSeconds = 7 * 24 * 3600.0
    /// The wait after which a job is overdue: a time and a multiple of its estimate.
    package var boundSeconds = Double.infinity
    package var boundEstimates = 0.0
    /// A running job makes room for one whose rank is lower by this many doublings; nil is never.
    package var preemptionMargin: Double?

    package init() {}
  }
  package static var isFixed: Bool { false }
  package static var preempts: Bool { true }
  private let settings: Settings
  private var book: UsageBook

  package init(userCount: Int, settings: Settings) {
    self.settings = settings
    book = UsageBook(userCount: userCount, halfLifeSeconds: settings.halfLifeSeconds)
  }
  package mutating func advance(to now: Microseconds) { book.advance(to: now) }
  package mutating func started(_ job: ReplayJob, now: Microseconds) {
    book.change(user: job.user, processors: job.processors)
  }
  package mutating func stopped(
    _ job: ReplayJob, ran: Microseconds, isDone: Bool, now: Microseconds
  ) {
    book.change(user: job.user, processors: -job.processors)
  }

  package func key(of job: OrderedJob, now: Microseconds) -> OrderKey {
    if let stretch = settings.stretch {
      var allowed = stretch * Double(job.remaining) / 1e6
      if settings.shareWeight != 0 {
        allowed *= exp2(
          settings.shareWeight * (min(8, book.normalisedShare(of: job.job.user)) - 1))
      }
      return OrderKey(
        value: Double(job.job.submitted) / 1e6 + min(allowed, settings.boundSeconds),
        index: job.job.index)
    }
    let waited = Double(now - job.job.submitted - job.served) / 1e6
    let bound =
      settings.boundSeconds + settings.boundEstimates * Double(job.job.estimate) / 1e6
    if waited >= bound {
      return OrderKey(
        band: 0, value: Double(job.job.submitted) / 1e6 + bound, index: job.job.index)
    }
    let remaining = Double(job.remaining) / 1e6
    var rank = log2(remaining)
    if settings.shareWeight != 0 {
      rank += settings.shareWeight * min(8, book.normalisedShare(of: job.job.user))
    }
    if settings.ageWeight != 0 { rank -= settings.ageWeight * log2(1 + waited / remaining) }
    if settings.sizeWeight != 0 { rank += settings.sizeWeight * log2(Double(job.job.processors)) }
    return OrderKey(band: 1, value: rank, index: job.job.index)
  }

  package func mayPreempt(
    _ first: OrderedJob, _ running: OrderedJob, now: Microseconds
  ) -> Bool {
    guard let margin = settings.preemptionMargin else { return false }
    var left = running
    left.served += now - (running.started ?? now)
    let ours = key(of: first, now: now)
    let theirs = key(of: left, now: now)
    return ours.band != theirs.band
      ? ours.band < theirs.band : ours.band == 1 && ours.value + margin < theirs.value
  }
}
