package import QubusCore
package import QubusScheduler

/// The service's own scheduler in a replay: the very value that decides in the daemon, told of the
/// jobs of a trace.
///
/// A user of the trace is a tenant with one project and one principal. Estimates stand for both the
/// median and the p90 of the run time.
package struct ServiceReplay: ReplayScheduler {
  /// Which lane a job goes to, by its estimate.
  package struct Lanes: Sendable, Hashable {
    /// Jobs up to this long are interactive.
    package var interactiveUpTo: Microseconds
    /// Jobs longer than this are background.
    package var longFrom: Microseconds

    /// - Parameter longFrom: `.max` for no background lane; all is batch by default.
    package init(interactiveUpTo: Microseconds = 0, longFrom: Microseconds = .max) {
      self.interactiveUpTo = interactiveUpTo
      self.longFrom = longFrom
    }

    func lane(_ estimate: Microseconds) -> Lane {
      if estimate <= interactiveUpTo { return .interactive }
      return estimate > longFrom ? .long : .batch
    }
  }
  private var scheduler: FairScheduler
  private let lanes: Lanes
  private let isPreemptible: Bool

  /// - Throws: `invalid_configuration` for a policy that cannot be.
  package init(
    policy: FairPolicy, processors: Int, lanes: Lanes = Lanes(), isPreemptible: Bool
  ) throws(QubusError) {
    scheduler = try FairScheduler(policy: policy, cores: processors)
    self.lanes = lanes
    self.isPreemptible = isPreemptible
  }

  package var nextDecision: Microseconds? { scheduler.nextTime }

  package mutating func apply(_ event: ReplayEvent, now: Microseconds) throws(QubusError) {
    switch event {
    case .arrived(let job):
      try scheduler.apply(
        .submitted(
          FairJob(
            id: Self.id(job.index),
            account: AccountPath(tenant: "\(job.user)", project: "trace", principal: "user"),
            lane: lanes.lane(job.estimate), cores: job.processors, submittedAt: job.submitted,
            expectedMicroseconds: job.estimate, isPreemptible: isPreemptible)), now: now)
    case .finished(let index): try scheduler.apply(.finished(Self.id(index)), now: now)
    case .stopped(let index, served: _):
      try scheduler.apply(.yielded(Self.id(index), nil), now: now)
    }
  }

  package mutating func decide(now: Microseconds) -> [ReplayDecision] {
    scheduler.decide(now: now).map { decision in
      switch decision {
      case .start(let id, let until):
        .start(Int(id.low), slice: until.map { max(1, $0 - now) })
      case .yield(let id): .preempt(Int(id.low))
      }
    }
  }

  private static func id(_ index: Int) -> Identifier {
    Identifier(high: 0, low: UInt64(index))
  }
}
