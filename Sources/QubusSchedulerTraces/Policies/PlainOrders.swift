internal import Foundation
package import QubusCore

/// First come, first served.
package struct ArrivalOrder: QueueOrder {
  package static var isFixed: Bool { true }
  package init() {}
  package func key(of job: OrderedJob, now: Microseconds) -> OrderKey {
    OrderKey(value: 0, index: job.job.index)
  }
}

/// The job that is believed to run shortest, or that will: the first is what a scheduler can do,
/// the second what it could do if it knew.
package struct ShortestOrder: QueueOrder {
  package static var isFixed: Bool { true }
  private let isClairvoyant: Bool
  package init(isClairvoyant: Bool) { self.isClairvoyant = isClairvoyant }
  package func key(of job: OrderedJob, now: Microseconds) -> OrderKey {
    let left = isClairvoyant ? job.job.runTime - job.served : job.remaining
    return OrderKey(value: Double(left), index: job.job.index)
  }
}

/// The job of the user who has used least so far; nothing is forgotten, nothing ages.
package struct LeastUsedOrder: QueueOrder {
  package static var isFixed: Bool { false }
  private var book: UsageBook

  package init(userCount: Int) {
    book = UsageBook(userCount: userCount, halfLifeSeconds: nil)
  }
  package mutating func advance(to now: Microseconds) { book.advance(to: now) }
  package mutating func started(_ job: ReplayJob, now: Microseconds) {
    book.change(user: job.user, processors: job.processors)
  }
  package mutating func stopped(_ job: ReplayJob, ran: Microseconds, now: Microseconds) {
    book.change(user: job.user, processors: -job.processors)
  }
  package func key(of job: OrderedJob, now: Microseconds) -> OrderKey {
    OrderKey(value: book.usage(of: job.job.user), index: job.job.index)
  }
}

/// Fair share and age in Slurm's multifactor form: priority = 10000·2^(−(share of usage × users)) +
/// 1000·min(1, age / 7 d), usage halved every 7 days.
/// - Source: Slurm, "Multifactor priority plugin" and "Classic fairshare algorithm".
package struct ClassicOrder: QueueOrder {
  package static var isFixed: Bool { false }
  private static let sevenDays: Double = 7 * 24 * 3600
  private var book: UsageBook

  package init(userCount: Int) {
    book = UsageBook(userCount: userCount, halfLifeSeconds: Self.sevenDays)
  }
  package mutating func advance(to now: Microseconds) { book.advance(to: now) }
  package mutating func started(_ job: ReplayJob, now: Microseconds) {
    book.change(user: job.user, processors: job.processors)
  }
  package mutating func stopped(_ job: ReplayJob, ran: Microseconds, now: Microseconds) {
    book.change(user: job.user, processors: -job.processors)
  }
  package func key(of job: OrderedJob, now: Microseconds) -> OrderKey {
    let age = Double(now - job.job.submitted) / 1e6
    let share = exp2(-book.normalisedShare(of: job.job.user))
    return OrderKey(
      value: -(10_000 * share + 1000 * min(1, age / Self.sevenDays)), index: job.job.index)
  }
}
