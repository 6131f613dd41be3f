package import QubusCore

/// What happened on a device, told to its scheduler in order.
package enum FairEvent: Sendable, Hashable {
  /// A job waits from now on: a new one, or one of an earlier life of the service, with its
  /// checkpoint.
  case submitted(FairJob)
  /// A waiting job leaves.
  case canceled(Identifier)
  /// A running job left the device for good.
  case finished(Identifier)
  /// A running job stopped at a border of chunks, after its slice or because it was asked to, and
  /// waits again.
  case yielded(Identifier, Checkpoint?)
  case weighted(AccountPath, Double)
  /// A drained device starts nothing; waiting jobs keep their places.
  case drained(Bool)
}

/// What is to be done on a device, in order.
package enum FairDecision: Sendable, Hashable {
  /// The job runs; at the first border of chunks after `until` it stops and `yielded` follows.
  case start(Identifier, until: Microseconds?)
  /// A running job stops at its next border of chunks; its cores stay taken until `yielded`.
  case yield(Identifier)
}
