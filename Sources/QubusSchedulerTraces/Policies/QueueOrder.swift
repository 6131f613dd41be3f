package import QubusCore

/// Where a job stands in the queue; smaller goes first.
package struct OrderKey: Sendable, Hashable, Comparable {
  /// Compared first.
  package var band: Double
  package var value: Double
  /// Place in the trace breaks ties.
  package var index: Int

  package init(band: Double = 0, value: Double, index: Int) {
    self.band = band
    self.value = value
    self.index = index
  }

  package static func < (a: OrderKey, b: OrderKey) -> Bool {
    if a.band != b.band { return a.band < b.band }
    return a.value != b.value ? a.value < b.value : a.index < b.index
  }
}

/// A job that waits or runs, as an order sees it.
package struct OrderedJob: Sendable, Hashable {
  package var job: ReplayJob
  /// How long it has run, up to the last stop.
  package var served: Microseconds = 0
  /// When it took its processors, if it runs.
  package var started: Microseconds?

  /// Estimated time that is left at its last stop.
  package var remaining: Microseconds { max(1, job.estimate - served) }
}

/// Who goes first: the part in which replayed policies differ.
package protocol QueueOrder: Sendable {
  /// True when the key of a waiting job never changes, so that the queue is sorted once.
  static var isFixed: Bool { get }
  static var preempts: Bool { get }
  /// Called before keys are asked for, when time has passed or something happened.
  mutating func advance(to now: Microseconds)
  /// A job came, or waits again.
  mutating func waits(_ job: ReplayJob, now: Microseconds)
  mutating func started(_ job: ReplayJob, now: Microseconds)
  /// A job gave its processors back after it held them for `ran`.
  mutating func stopped(_ job: ReplayJob, ran: Microseconds, now: Microseconds)
  func key(of job: OrderedJob, now: Microseconds) -> OrderKey
  /// Whether a job that is first in the queue and does not fit may take the place of a running one.
  func mayPreempt(_ first: OrderedJob, _ running: OrderedJob, now: Microseconds) -> Bool
}

extension QueueOrder {
  package static var preempts: Bool { false }
  package mutating func advance(to now: Microseconds) {}
  package mutating func waits(_ job: ReplayJob, now: Microseconds) {}
  package mutating func started(_ job: ReplayJob, now: Microseconds) {}
  package mutating func stopped(_ job: ReplayJob, ran: Microseconds, now: Microseconds) {}
  package func mayPreempt(
    _ first: OrderedJob, _ running: OrderedJob, now: Microseconds
  ) -> Bool { false }
}
