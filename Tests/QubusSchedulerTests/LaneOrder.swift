import QubusCore

@testable import QubusScheduler

/// The plainest policy, with which the scheduler itself is tested: FIFO within a lane, interactive
/// before batch, but after `burst` interactive starts in a row it is batch's turn, so that no lane
/// starves. It knows these two lanes; jobs of any other wait with batch.
struct LaneOrder: SchedulingPolicy {
  private var interactive = LaneQueue()
  private var batch = LaneQueue()
  private var interactiveInARow = 0
  private let burst: Int

  init(burst: Int = 8) {
    precondition(burst > 0)
    self.burst = burst
  }

  mutating func insert(_ job: SchedulerJob) {
    switch job.lane {
    case .interactive: interactive.append(job)
    case .reserved, .overdue, .batch, .long: batch.append(job)
    }
  }

  mutating func remove(_ id: Identifier) -> SchedulerJob? {
    interactive.remove(id) ?? batch.remove(id)
  }

  func next(for slot: SlotClass) -> SchedulerJob? {
    switch slot {
    case .express: return interactive.first
    case .compute:
      if interactiveInARow >= burst, let job = batch.first { return job }
      return interactive.first ?? batch.first
    }
  }

  mutating func started(_ job: SchedulerJob, in slot: SlotClass) {
    _ = remove(job.id)
    guard slot == .compute else { return }
    switch job.lane {
    case .interactive: interactiveInARow = min(burst, interactiveInARow + 1)
    case .reserved, .overdue, .batch, .long: interactiveInARow = 0
    }
  }

  func waiting(_ id: Identifier) -> SchedulerJob? {
    interactive.job(id) ?? batch.job(id)
  }

  func position(of id: Identifier) -> QueuePosition? {
    if let (count, microseconds) = interactive.ahead(of: id) {
      let place = UInt64(count) + 1
      return QueuePosition(inLane: place, overall: place, microsecondsAhead: microseconds)
    }
    if let (count, microseconds) = batch.ahead(of: id) {
      return QueuePosition(
        inLane: UInt64(count) + 1, overall: UInt64(count + interactive.count) + 1,
        microsecondsAhead: microseconds + interactive.totalMicroseconds)
    }
    return nil
  }

  func count(in lane: Lane) -> Int {
    switch lane {
    case .interactive: interactive.count
    case .batch: batch.count
    case .reserved, .overdue, .long: 0
    }
  }
}

extension Scheduler {
  init(capacity: SchedulerCapacity) { self.init(capacity: capacity, policy: LaneOrder()) }
}
