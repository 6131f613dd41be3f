package import QubusCore

/// The fair queue as the order of the engine's scheduler: lanes with shares that lend what they do
/// not use, then tenants, projects and principals by their weights and past, then shortest first.
/// Jobs run to their end here; slots and memory are the scheduler's.
package struct FairOrder: SchedulingPolicy {
  private struct Started: Sendable {
    var job: QueuedJob
    var charge: Charge
    var at: Microseconds
  }
  /// Times of a job that the queue itself does not keep; `.max` for none.
  private struct Limits: Sendable {
    var expiresAt: Microseconds = .max
    var runLimit: Microseconds = .max
    var deadline: Microseconds = .max
    var isReserved = false
  }
  private var queue: FairQueue
  /// By the job's place.
  private var limits: [Limits] = []
  private var running: [Identifier: Started] = [:]
  /// Waiting jobs in the lane of reservations, by device.
  private var reserved: [UInt16: Int] = [:]

  /// - Throws: `invalid_configuration` for rules that cannot be, naming the field.
  package init(_ policy: FairPolicy = FairPolicy(), capacity: SchedulerCapacity) throws(QubusError)
  {
    queue = try FairQueue(
      policy: policy, cores: capacity.computeSlots, memoryBytes: capacity.memoryBytes)
  }

  /// Of accounts; others have 1.
  package var weights: [AccountPath: Double] { queue.policy.weights }

  package mutating func setWeights(_ weights: [AccountPath: Double]) {
    let known = queue.policy.weights
    let paths = Set(known.keys).union(weights.keys).sorted { $0.description < $1.description }
    for path in paths where known[path] ?? 1 != weights[path] ?? 1 {
      do throws(QubusError) {
        try queue.setWeight(weights[path] ?? 1, of: path)
      } catch {
        preconditionFailure("a weight that nobody checked: \(error.message)")
      }
    }
  }

  /// Device-seconds of an account, worth what their age left of them.
  package func used(by account: AccountPath) -> Double { queue.used(by: account) }

  package var use: [AccountPath: Double] { queue.use }

  package mutating func restore(_ use: [AccountPath: Double]) { queue.restore(use) }

  package var rules: FairPolicy? { queue.policy }

  package func standing(of account: AccountPath) -> AccountStanding? { queue.standing(of: account) }

  package mutating func advance(to now: Microseconds) { queue.advance(to: now) }

  package mutating func insert(_ job: SchedulerJob) {
    let place = Int(queue.add(queued(job)))
    while limits.count <= place { limits.append(Limits()) }
    limits[place] = Limits(
      expiresAt: job.expiresAt ?? .max, runLimit: job.runLimitMicroseconds ?? .max,
      deadline: job.deadline ?? .max, isReserved: job.isReserved)
    if job.isReserved { reserved[job.device, default: 0] += 1 }
  }

  package mutating func remove(_ id: Identifier) -> SchedulerJob? {
    guard let place = queue.jobs.place(of: id) else { return nil }
    let job = described(place)
    _ = queue.take(place)
    leave(place, device: job.device)
    return job
  }

  /// One that waited here does no more.
  private mutating func leave(_ place: UInt32, device: UInt16) {
    guard limits[Int(place)].isReserved, let count = reserved[device] else { return }
    reserved[device] = count > 1 ? count - 1 : nil
  }

  package func next(for slot: SlotClass) -> SchedulerJob? {
    switch slot {
    case .compute: return queue.head.map { described($0) }
    case .express:
      if let due = queue.head(in: .overdue), queue.jobs[due].lane == .interactive {
        return described(due)
      }
      if let first = nextReserved(for: slot) { return first }
      return queue.head(in: .interactive).map { described($0) }
    }
  }

  package mutating func started(_ job: SchedulerJob, in slot: SlotClass) {
    let time =
      job.predictedMicroseconds > 0
      ? job.predictedMicroseconds : queue.policy.slice(0, in: job.lane)
    let (entry, charge): (QueuedJob, Charge)
    if let place = queue.jobs.place(of: job.id) {
      (entry, charge) = queue.serve(place, for: time)
      leave(place, device: entry.device)
    } else {
      // One that waited elsewhere, after its turn.
      entry = queued(job)
      charge = queue.charge(entry, for: time)
    }
    running[job.id] = Started(job: entry, charge: charge, at: queue.now)
  }

  package mutating func finished(_ id: Identifier) {
    guard let ended = running.removeValue(forKey: id) else { return }
    let used = queue.demand(ended.job) * Double(max(0, queue.now - ended.at)) * 1e-6
    queue.settle(ended.charge, used: used)
  }

  package func waiting(_ id: Identifier) -> SchedulerJob? {
    queue.jobs.place(of: id).map { described($0) }
  }

  package func waiting(of account: AccountPath) -> [Identifier] {
    queue.waiting(of: account).map { queue.jobs[$0].id }.sorted()
  }

  package func reservedCount(on device: UInt16) -> Int { reserved[device] ?? 0 }

  package func nextReserved(for slot: SlotClass) -> SchedulerJob? {
    guard !reserved.isEmpty, let first = queue.head(in: .reserved),
      slot == .compute || queue.jobs[first].lane == .interactive
    else { return nil }
    return described(first)
  }

  package func position(of id: Identifier) -> QueuePosition? {
    guard let place = queue.jobs.place(of: id) else { return nil }
    let (inLane, overall, work) = queue.position(of: place)
    return QueuePosition(
      inLane: UInt64(inLane), overall: UInt64(overall), microsecondsAhead: Microseconds(work))
  }

  package func count(in lane: Lane) -> Int { queue.count(in: lane) }

  package var size: Int { queue.jobs.slots.count }

  package func constraints(on id: Identifier) -> [WaitConstraint] {
    guard let place = queue.jobs.place(of: id) else { return [] }
    return queue.turn(of: place).map { [$0] } ?? []
  }

  private mutating func queued(_ job: SchedulerJob) -> QueuedJob {
    let submittedAt = job.id.madeAt.map { min($0, queue.now) } ?? queue.now
    let cores = job.cores == .all ? queue.cores : 1
    return QueuedJob(
      id: job.id, submittedAt: submittedAt,
      // In its own window it goes first anyway.
      overdueAt: job.isReserved
        ? .max
        : queue.overdueTime(
          job.lane, expected: job.predictedMicroseconds, submittedAt: submittedAt,
          deadline: job.deadline, left: job.longMicroseconds),
      expected: job.predictedMicroseconds, long: job.longMicroseconds, attained: 0,
      memoryBytes: job.memoryBytes, cores: UInt32(cores),
      leaf: queue.leaf(of: job.account, in: job.isReserved ? .reserved : job.lane),
      lane: job.lane, takesAll: job.cores == .all, device: job.device, priority: job.priority)
  }

  private func described(_ place: UInt32) -> SchedulerJob {
    let job = queue.jobs[place]
    let limits = limits[Int(place)]
    let path = queue.path(of: job.leaf)
    var described = SchedulerJob(
      id: job.id, tenant: path.tenant, project: path.project ?? "",
      principal: path.principal ?? "", lane: job.lane, cores: job.takesAll ? .all : .one,
      memoryBytes: job.memoryBytes, predictedMicroseconds: job.expected,
      longMicroseconds: job.long, deadline: limits.deadline == .max ? nil : limits.deadline,
      expiresAt: limits.expiresAt == .max ? nil : limits.expiresAt,
      runLimitMicroseconds: limits.runLimit == .max ? nil : limits.runLimit, device: job.device,
      priority: job.priority)
    described.isReserved = limits.isReserved
    return described
  }
}

extension Identifier {
  /// When it was made, to the millisecond; nil for one that is no UUID version 7.
  var madeAt: Microseconds? {
    high >> 12 & 0xF == 7 ? Microseconds(high >> 16) * 1000 : nil
  }
}
