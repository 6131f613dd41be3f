/// What may run at once and how much may wait.
package struct SchedulerCapacity: Sendable, Hashable {
  /// Compute slots; a job that wants all cores takes every one.
  package var computeSlots: Int
  /// Extra slots for the interactive lane, so that a large job keeps no small one waiting.
  package var expressSlots: Int
  /// Memory of the jobs in compute slots.
  package var memoryBytes: UInt64
  /// Memory of the jobs in express slots, on top of `memoryBytes`.
  package var expressMemoryBytes: UInt64
  /// Jobs that may wait, over all lanes.
  package var jobsQueued: Int
  /// Jobs that may wait in one lane; absent lanes share `jobsQueued`.
  package var jobsQueuedPerLane: [Lane: Int]

  package init(
    computeSlots: Int, expressSlots: Int = 1, memoryBytes: UInt64,
    expressMemoryBytes: UInt64 = 64 << 20, jobsQueued: Int, jobsQueuedPerLane: [Lane: Int] = [:]
  ) {
    precondition(computeSlots > 0 && expressSlots >= 0 && jobsQueued > 0)
    self.computeSlots = computeSlots
    self.expressSlots = expressSlots
    self.memoryBytes = memoryBytes
    self.expressMemoryBytes = expressMemoryBytes
    self.jobsQueued = jobsQueued
    self.jobsQueuedPerLane = jobsQueuedPerLane
  }
}
