package import QubusCore
internal import Synchronization

/// Wall time that never goes back, for what expires: when the machine's clock is set back, time
/// goes on from where it was, by the clock that cannot be set. So nothing that has expired or been
/// revoked comes back to life, and nothing lives longer than it was given. A clock that is set
/// forward is followed at once: what expires too early can be issued again.
package final class ForwardClock: Clock {
  private let base: any Clock
  /// Wall time less the monotonic clock, the largest that was ever seen.
  private let offset: Atomic<Microseconds>

  package init(_ base: any Clock) {
    self.base = base
    offset = Atomic(base.now() - base.monotonic())
  }

  package func now() -> Microseconds {
    let monotonic = base.monotonic()
    let seen = base.now() - monotonic
    return monotonic + max(seen, offset.max(seen, ordering: .relaxed).newValue)
  }

  package func monotonic() -> Microseconds { base.monotonic() }
}
