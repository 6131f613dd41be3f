internal import Foundation
package import QubusCore

/// Short jobs of users who used little first: remaining estimate × 2^(share of usage × users), use
/// halved every 7 days. One more equal part of the usage counts as jobs twice as long.
package struct UsageWeightedOrder: QueueOrder {
  package static var isFixed: Bool { false }
  /// More than this many equal parts make no difference any more.
  private static let largestShare = 8.0
  private var book: UsageBook

  package init(userCount: Int) {
    book = UsageBook(userCount: userCount, halfLifeSeconds: 7 * 24 * 3600)
  }
  package mutating func advance(to now: Microseconds) { book.advance(to: now) }
  package mutating func started(_ job: ReplayJob, now: Microseconds) {
    book.change(user: job.user, processors: job.processors)
  }
  package mutating func stopped(_ job: ReplayJob, ran: Microseconds, now: Microseconds) {
    book.change(user: job.user, processors: -job.processors)
  }
  package func key(of job: OrderedJob, now: Microseconds) -> OrderKey {
    let share = min(Self.largestShare, book.normalisedShare(of: job.job.user))
    return OrderKey(value: log2(Double(job.remaining)) + share, index: job.job.index)
  }
}
