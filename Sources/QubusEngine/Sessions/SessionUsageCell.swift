internal import QubusJobs
internal import Synchronization

/// What a session has used, written by whoever has claimed it and read by anyone: a sequence lock,
/// so that neither waits for the other.
final class SessionUsageCell: Sendable {
  /// Even while nothing is being written.
  private let count = Atomic<UInt64>(0)
  private let steps: Atomic<UInt64>
  private let last: Atomic<UInt64>
  private let deviceNanoseconds: Atomic<UInt64>
  private let shotsUsed: Atomic<UInt64>

  init(_ usage: SessionUsage) {
    steps = Atomic(usage.steps)
    last = Atomic(usage.lastSequence)
    deviceNanoseconds = Atomic(usage.deviceNanoseconds)
    shotsUsed = Atomic(usage.shotsUsed)
  }

  /// Changes with every write.
  var version: UInt64 { count.load(ordering: .acquiring) }
  var lastSequence: UInt64 { last.load(ordering: .acquiring) }

  /// One thread at a time.
  func write(_ usage: SessionUsage) {
    let version = count.load(ordering: .relaxed)
    count.store(version + 1, ordering: .relaxed)
    atomicMemoryFence(ordering: .releasing)
    steps.store(usage.steps, ordering: .relaxed)
    last.store(usage.lastSequence, ordering: .relaxed)
    deviceNanoseconds.store(usage.deviceNanoseconds, ordering: .relaxed)
    shotsUsed.store(usage.shotsUsed, ordering: .relaxed)
    count.store(version + 2, ordering: .releasing)
  }

  /// All four as one writer left them, and the version they belong to.
  func read() -> (usage: SessionUsage, version: UInt64) {
    while true {
      let before = count.load(ordering: .acquiring)
      var usage = SessionUsage()
      usage.steps = steps.load(ordering: .relaxed)
      usage.lastSequence = last.load(ordering: .relaxed)
      usage.deviceNanoseconds = deviceNanoseconds.load(ordering: .relaxed)
      usage.shotsUsed = shotsUsed.load(ordering: .relaxed)
      atomicMemoryFence(ordering: .acquiring)
      if before & 1 == 0, count.load(ordering: .relaxed) == before { return (usage, before) }
    }
  }
}
