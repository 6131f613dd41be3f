package import QubusCore

/// What a policy is told of a job.
package struct ReplayJob: Sendable, Hashable {
  /// Place in the trace.
  package var index: Int
  package var submitted: Microseconds
  package var processors: Int
  package var user: Int
  /// How long the job is believed to run.
  package var estimate: Microseconds
  /// How long it will run: only a clairvoyant policy looks.
  package var runTime: Microseconds
}

package enum ReplayEvent: Sendable, Hashable {
  case arrived(ReplayJob)
  case finished(Int)
  /// A running job is at the end of its slice, or at the chunk border where it had to make room. It
  /// holds no processors now and waits; it has run for `served` in all.
  case stopped(Int, served: Microseconds)
}

package enum ReplayDecision: Sendable, Hashable {
  /// A waiting job takes its processors, until it is done or for a slice. Started again at the very
  /// time it stopped, it goes on without a switch.
  case start(Int, slice: Microseconds?)
  /// A running job makes room at its next chunk border; `stopped` or `finished` will follow.
  case preempt(Int)
}

/// A policy as the replay drives it: events in, decisions out, in virtual time; a value that
/// answers the same events alike.
package protocol ReplayScheduler: Sendable {
  /// - Throws: what the policy answers to an event that cannot be.
  mutating func apply(_ event: ReplayEvent, now: Microseconds) throws(QubusError)
  mutating func decide(now: Microseconds) -> [ReplayDecision]
  /// When `decide` must be called even if nothing happens before.
  var nextDecision: Microseconds? { get }
}

extension ReplayScheduler {
  package var nextDecision: Microseconds? { nil }
}
