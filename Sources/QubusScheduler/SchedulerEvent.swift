package import QubusCore

/// What happened, told to the scheduler in order.
package enum SchedulerEvent: Sendable, Hashable {
  /// A job whose place was promised by `admit` is durable and waits.
  case queued(SchedulerJob)
  /// A job of an earlier life of the service, or one that was taken out, waits again; not bound by
  /// the queue's limit.
  case restored(SchedulerJob)
  /// A promised place is not needed after all.
  case withdrawn(Lane)
  /// A waiting job leaves.
  case canceled(Identifier)
  /// A running job left its slot.
  case finished(Identifier)
  /// A job that waits, or will, is not to have its turn while this holds; it keeps its place in the
  /// count of the queue. One that was just given a slot is withheld when it has left it.
  case withheld(Identifier, WithholdCause, since: Microseconds)
  /// That does not hold any more.
  case released(Identifier, WithholdCause)
  /// Drained devices start nothing; waiting jobs keep their places.
  case drained(Bool)
  /// The devices that start nothing, by number, from now on; all others do.
  case offline([UInt16: DeviceOutage])
  /// What accounts may have running at one time, from now on; others are not bound.
  case capped([AccountPath: SchedulerCap])
  /// Weights of accounts from now on; all others have 1.
  case weighted([AccountPath: Double])
  /// All windows of all devices from now on.
  case scheduled([CalendarWindow])
}

/// What is to be done, answered by the scheduler in order.
package enum SchedulerDecision: Sendable, Hashable {
  case start(Identifier, SlotClass)
  /// A waiting job reached its time; it has left the queue.
  case expire(Identifier)
  /// A running job must stop; its slot stays taken until `finished`.
  case stop(Identifier, StopCause)
  /// A waiting job's turn came, and its account has as much running as it may: it waits on, ahead
  /// of those behind it.
  case hold(Identifier)
  /// A waiting job's turn came, and its run would reach into a window that is closed to it: it
  /// waits on, and has its turn again when one is long enough.
  case postpone(Identifier, CalendarDelay)
  /// A window of the job's own device and owner begins soon.
  case announce(Identifier, CalendarWindow)
}

/// Which kind of slot a job runs in.
package enum SlotClass: UInt8, Sendable, Hashable {
  /// One or all of the compute slots.
  case compute
  /// The extra slot that only the interactive lane uses.
  case express
}

package enum StopCause: UInt8, Sendable, Hashable {
  case expired
  case runLimit
}
