package import QubusCore

/// Decides which jobs run when. A pure value: it learns from events, answers decisions, and given
/// the same log of calls it answers the same. No threads, no storage, no circuits.
///
/// Every call is O(log n) in waiting jobs, besides the decisions it answers.
package struct Scheduler: Sendable {
  struct Running: Sendable {
    var job: SchedulerJob
    var slot: SlotClass
    var startedAt: Microseconds
    var mustStopAt: Microseconds?
    var wasStopped = false
  }
  package let capacity: SchedulerCapacity
  package internal(set) var policy: any SchedulingPolicy
  private(set) var running: [Identifier: Running] = [:]
  private(set) var freeSlots: [SlotClass: Int]
  private(set) var freeMemory: [SlotClass: UInt64]
  /// Places promised by `admit` and not yet taken.
  private var promised: [Lane: Int] = [:]
  /// Withheld jobs that have not left their slot yet.
  private var returning: [Identifier: SchedulerJob] = [:]
  private var deadlines = DeadlineHeap()
  private var drainRate = DrainRate()
  private(set) var caps = RunningCaps()
  var parked = ParkedJobs()
  private(set) var withheld = WithheldJobs()
  private(set) var outages: [UInt16: DeviceOutage] = [:]
  private(set) var offline = OfflineJobs()
  private var moves = 0
  /// When the moves that are left are due.
  private var movesOnAt: Microseconds?
  var calendar = Calendar()
  var setAside = SetAsideJobs()
  /// Since when jobs wait to be looked at that one call had no time for; nil: none do.
  private var unfinishedSince: Microseconds?
  /// Since when nothing starts; nil while jobs do.
  package private(set) var drainedSince: Microseconds?
  package var isDrained: Bool { drainedSince != nil }
  /// Jobs that ran and left their slot.
  package private(set) var endings: UInt64 = 0

  package init(capacity: SchedulerCapacity, policy: any SchedulingPolicy) {
    self.capacity = capacity
    self.policy = policy
    freeSlots = [.compute: capacity.computeSlots, .express: capacity.expressSlots]
    freeMemory = [.compute: capacity.memoryBytes, .express: capacity.expressMemoryBytes]
  }

  package var queuedCount: Int { Lane.allCases.reduce(0) { $0 + queuedCount(in: $1) } }
  package var runningCount: Int { running.count }
  /// Places promised and neither taken nor given back.
  package var promisedCount: Int { promised.values.reduce(0, +) }
  package func queuedCount(in lane: Lane) -> Int {
    policy.count(in: lane) + parked.count(in: lane) + withheld.count(in: lane)
      + offline.count(in: lane) + setAside.count(in: lane)
  }

  /// When `decide` must be called even if nothing happens before.
  package var nextDeadline: Microseconds? {
    var next = deadlines.next ?? .max
    if !calendar.isEmpty { next = min(next, calendar.nextBorder ?? .max) }
    if !setAside.isEmpty { next = min(next, setAside.next ?? .max) }
    if let unfinishedSince { next = min(next, unfinishedSince) }
    if let movesOnAt { next = min(next, movesOnAt) }
    return next == .max ? nil : next
  }

  /// Nil for one that is not to have its turn.
  package func position(of id: Identifier) -> QueuePosition? {
    if !outages.isEmpty, let job = policy.waiting(id), outages[job.device] != nil { return nil }
    return policy.position(of: id)
  }

  /// When a waiting job will probably start.
  package func estimatedStart(of id: Identifier, now: Microseconds) -> Microseconds? {
    position(of: id).map {
      now + $0.microsecondsAhead / Microseconds(capacity.computeSlots)
    }
  }

  /// Promises a place in the queue to a job that is about to be made durable; `queued` or
  /// `withdrawn` must follow.
  /// - Throws: `queue_capacity_exceeded` with a retry-after from the rate at which jobs leave.
  package mutating func admit(lane: Lane, now: Microseconds) throws(QubusError) {
    let all = queuedCount + promisedCount
    let inLane = queuedCount(in: lane) + promised[lane, default: 0]
    let laneLimit = capacity.jobsQueuedPerLane[lane] ?? capacity.jobsQueued
    guard all < capacity.jobsQueued, inLane < laneLimit else {
      let isLaneFull = inLane >= laneLimit
      let limit = isLaneFull ? laneLimit : capacity.jobsQueued
      throw QubusError(
        .queueCapacityExceeded,
        isLaneFull
          ? "the lane \(lane.rawValue) holds \(inLane) jobs (limit: \(limit))"
          : "the queue holds \(all) jobs (limit: \(limit))",
        retryAfterMilliseconds: drainRate.milliseconds(
          toDrain: max(1, limit / 100), now: now),
        details: ["lane": lane.rawValue, "limit": String(limit)])
    }
    promised[lane, default: 0] += 1
  }

  /// Takes a waiting job out, for a change of what is known of it, with a place promised in the
  /// lane that it is to have then. `queued` must follow, or `withdrawn` and `restored` as it was.
  /// What keeps it from its turn stays noted.
  /// - Returns: nil when it does not wait here; then nothing is promised.
  /// - Throws: `queue_capacity_exceeded`; the job waits on.
  package mutating func takeOut(
    _ id: Identifier, for lane: Lane, now: Microseconds
  ) throws(QubusError) -> SchedulerJob? {
    policy.advance(to: now)
    let taken =
      policy.remove(id) ?? parked.remove(id) ?? offline.remove(id) ?? setAside.remove(id)
      ?? withheld.take(id)
    guard let job = taken else { return nil }
    do throws(QubusError) {
      try admit(lane: lane, now: now)
    } catch {
      enqueue(job)
      throw error
    }
    return job
  }

  /// Device-seconds that principals used, worth what their age left of them by now.
  package mutating func use(now: Microseconds) -> [AccountPath: Double] {
    policy.advance(to: now)
    return policy.use
  }

  /// What an account counts now; nil under a policy without accounts.
  package mutating func standing(of account: AccountPath, now: Microseconds) -> AccountStanding? {
    policy.advance(to: now)
    return policy.standing(of: account)
  }

  /// Takes over the use of an earlier life of the service, already aged.
  package mutating func restore(_ use: [AccountPath: Double], now: Microseconds) {
    policy.advance(to: now)
    policy.restore(use)
  }

  package mutating func apply(_ event: SchedulerEvent, now: Microseconds) {
    policy.advance(to: now)
    switch event {
    case .queued(let job):
      promised[job.lane, default: 0] = max(0, promised[job.lane, default: 0] - 1)
      enqueue(job)
    case .restored(let job): enqueue(job)
    case .withdrawn(let lane):
      promised[lane, default: 0] = max(0, promised[lane, default: 0] - 1)
    case .canceled(let id):
      returning[id] = nil
      let noted = withheld.remove(id)
      if noted ?? policy.remove(id) ?? parked.remove(id) ?? offline.remove(id)
        ?? setAside.remove(id) != nil
      {
        drainRate.record(now)
        tidyDeadlines()
      }
    case .withheld(let id, let cause, let since): withhold(id, cause, since: since)
    case .released(let id, let cause):
      if let job = withheld.release(id, cause) { insert(job) }
    case .finished(let id): release(id)
    case .drained(let drained): drainedSince = drained ? drainedSince ?? now : nil
    case .offline(let outages): setOutages(outages)
    case .weighted(let weights): policy.setWeights(weights)
    case .scheduled(let windows): setCalendar(windows, now: now)
    case .capped(let caps): self.caps.set(caps, running: running.values.map(\.job))
    }
  }

  /// Carries time on and answers everything that is due, in order.
  package mutating func decide(now: Microseconds) -> [SchedulerDecision] {
    policy.advance(to: now)
    unfinishedSince = nil
    var decisions: [SchedulerDecision] = []
    passBorders(now, &decisions)
    while let entry = deadlines.popDue(now) {
      if let decision = passDeadline(entry, now: now) { decisions.append(decision) }
    }
    (moves, movesOnAt) = (0, nil)
    guard !isDrained else { return decisions }
    bringBack(now: now)
    // The extra slot first, so that compute slots stay for those that may use no other.
    for slot in [SlotClass.express, .compute] {
      while let job = next(for: slot, &decisions, now: now), fits(job, slot) {
        start(job, in: slot, now: now)
        decisions.append(.start(job.id, slot))
      }
    }
    return decisions
  }

  /// Starts an admitted job if nothing waits and the policy would start it now; otherwise nothing
  /// changes, and `queued` or `withdrawn` must follow.
  package mutating func startNow(_ job: SchedulerJob, now: Microseconds) -> SlotClass? {
    guard Lane.allCases.allSatisfy({ policy.count(in: $0) == 0 }),
      nextDeadline.map({ $0 > now }) ?? true
    else { return nil }
    guard !isDrained, running[job.id] == nil, job.expiresAt.map({ $0 > now }) ?? true,
      caps.allows(job), outages.isEmpty || outages[job.device] == nil,
      calendar.isEmpty || calendar.delay(of: job, at: now) == nil
    else { return nil }
    // In place: a copy of the policy would cost more than all the rest.
    policy.advance(to: now)
    let job = laned(job)
    policy.insert(job)
    for slot in [SlotClass.express, .compute] {
      guard policy.next(for: slot)?.id == job.id, fits(job, slot), !isParkedOneDue(slot) else {
        continue
      }
      promised[job.lane, default: 0] = max(0, promised[job.lane, default: 0] - 1)
      watchExpiry(of: job)
      start(job, in: slot, now: now)
      return slot
    }
    _ = policy.remove(job.id)
    return nil
  }

  /// Parked jobs wait for their own kind; `decide` has them first when they may run.
  private func isParkedOneDue(_ slot: SlotClass) -> Bool {
    parked.first(for: slot) { caps.allows($0) } != nil
  }

  /// The job whose turn it is and that its account may run; those that may not are parked.
  private mutating func next(
    for slot: SlotClass, _ decisions: inout [SchedulerDecision], now: Microseconds
  ) -> SchedulerJob? {
    let before = decisions.count
    while decisions.count - before < Self.movesPerCall {
      if let job = parked.first(for: slot, where: { caps.allows($0) && !isBehindHolder($0) }) {
        if putAside(job, now: now, &decisions) { continue }
        return laned(job)
      }
      guard let turn = policy.next(for: slot) else { return nil }
      let job = first(insteadOf: turn, slot)
      if !outages.isEmpty, outages[job.device] != nil {
        guard mayMove(now: now) else { return nil }
        _ = policy.remove(job.id)
        offline.add(job)
        continue
      }
      if putAside(job, now: now, &decisions) { continue }
      if caps.allows(job) { return job }
      _ = policy.remove(job.id)
      parked.add(job, now: now)
      decisions.append(.hold(job.id))
    }
    unfinishedSince = now
    return nil
  }

  // MARK: Devices that start nothing

  private mutating func setOutages(_ outages: [UInt16: DeviceOutage]) {
    self.outages = outages
    for job in parked.all where outages[job.device] != nil {
      _ = parked.remove(job.id)
      offline.add(job)
    }
  }

  /// Jobs whose device starts jobs again wait their turn.
  private mutating func bringBack(now: Microseconds) {
    guard !offline.isEmpty else { return }
    while let job = offline.popFirst(notOn: outages) {
      insert(job)
      guard mayMove(now: now) else { return }
    }
  }

  private mutating func mayMove(now: Microseconds) -> Bool {
    moves += 1
    guard moves > Self.movesPerCall else { return true }
    movesOnAt = now
    return false
  }

  private mutating func enqueue(_ job: SchedulerJob) {
    guard waiting(job.id) == nil, running[job.id] == nil else { return }
    if withheld.isNoted(job.id) { withheld.add(job) } else { insert(job) }
    watchExpiry(of: job)
  }

  private mutating func withhold(
    _ id: Identifier, _ cause: WithholdCause, since: Microseconds
  ) {
    withheld.note(id, cause, since: since)
    let taken =
      policy.remove(id) ?? parked.remove(id) ?? offline.remove(id) ?? setAside.remove(id)
    if let job = taken {
      withheld.add(job)
    } else if let entry = running[id] {
      returning[id] = entry.job
    }
  }

  private mutating func watchExpiry(of job: SchedulerJob) {
    guard let time = job.expiresAt else { return }
    deadlines.insert(.init(time: time, id: job.id, cause: .expired))
  }

  func waiting(_ id: Identifier) -> SchedulerJob? {
    policy.waiting(id) ?? parked.job(id) ?? withheld.job(id) ?? offline.job(id)
      ?? setAside.job(id)
  }

  func slots(of job: SchedulerJob) -> Int {
    job.cores == .all ? capacity.computeSlots : 1
  }

  /// A job larger than the whole budget counts as the whole budget, so that it runs alone.
  func memory(of job: SchedulerJob, in slot: SlotClass) -> UInt64 {
    min(job.memoryBytes, slot == .compute ? capacity.memoryBytes : capacity.expressMemoryBytes)
  }

  func fits(_ job: SchedulerJob, _ slot: SlotClass) -> Bool {
    if slot == .express, job.cores == .all || job.memoryBytes > capacity.expressMemoryBytes {
      return false
    }
    return slots(of: job) <= freeSlots[slot, default: 0]
      && memory(of: job, in: slot) <= freeMemory[slot, default: 0]
  }

  private mutating func start(_ job: SchedulerJob, in slot: SlotClass, now: Microseconds) {
    policy.started(job, in: slot)
    _ = parked.remove(job.id)
    caps.start(job)
    drainRate.record(now)
    freeSlots[slot, default: 0] -= slots(of: job)
    freeMemory[slot, default: 0] -= memory(of: job, in: slot)
    let limit = job.runLimitMicroseconds.map { now + $0 }
    running[job.id] = Running(job: job, slot: slot, startedAt: now, mustStopAt: limit)
    if let limit { deadlines.insert(.init(time: limit, id: job.id, cause: .runLimit)) }
  }

  private mutating func release(_ id: Identifier) {
    guard let entry = running.removeValue(forKey: id) else { return }
    caps.end(entry.job)
    freeSlots[entry.slot, default: 0] += slots(of: entry.job)
    freeMemory[entry.slot, default: 0] += memory(of: entry.job, in: entry.slot)
    policy.finished(id)
    endings += 1
    if let job = returning.removeValue(forKey: id) { enqueue(job) }
    tidyDeadlines()
  }

  private mutating func passDeadline(
    _ entry: DeadlineHeap.Entry, now: Microseconds
  ) -> SchedulerDecision? {
    if entry.cause == .expired, waiting(entry.id)?.expiresAt == entry.time {
      _ =
        withheld.remove(entry.id) ?? policy.remove(entry.id) ?? parked.remove(entry.id)
        ?? offline.remove(entry.id) ?? setAside.remove(entry.id)
      drainRate.record(now)
      return .expire(entry.id)
    }
    guard var job = running[entry.id], !job.wasStopped, holds(entry, job) else { return nil }
    job.wasStopped = true
    running[entry.id] = job
    return .stop(entry.id, entry.cause)
  }

  private func holds(_ entry: DeadlineHeap.Entry, _ running: Running) -> Bool {
    switch entry.cause {
    case .expired: running.job.expiresAt == entry.time
    case .runLimit: running.mustStopAt == entry.time
    }
  }

  /// Drops the deadlines of jobs that left once they are the majority: amortised O(1).
  private mutating func tidyDeadlines() {
    guard deadlines.count > 1024, deadlines.count > 3 * (queuedCount + running.count) else {
      return
    }
    let (scheduler, running) = (self, running)
    deadlines.keep { scheduler.waiting($0.id) != nil || running[$0.id] != nil }
  }
}
