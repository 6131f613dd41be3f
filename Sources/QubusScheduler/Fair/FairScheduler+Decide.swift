package import QubusCore

extension FairScheduler {
  /// Carries time on and answers everything that is to be done, in order; nothing for a time before
  /// the last one.
  package mutating func decide(now: Microseconds) -> [FairDecision] {
    guard now >= queue.now else { return [] }
    queue.advance(to: now)
    var decisions: [FairDecision] = []
    guard !isDrained else { return decisions }
    while let head = head {
      guard occupancy.takes(queue.jobs[head]) else {
        makeRoom(for: queue.jobs[head], now: now, &decisions)
        backfill(beside: queue.jobs[head], now: now, &decisions)
        break
      }
      start(head, inTurn: true, now: now, &decisions)
    }
    return decisions
  }

  /// The one whose turn it is; one that others make room for keeps its turn until it starts.
  private var head: UInt32? {
    if let pledge, let place = queue.jobs.place(of: pledge) { return place }
    return queue.head
  }

  private mutating func start(
    _ place: UInt32, inTurn: Bool, now: Microseconds, _ decisions: inout [FairDecision]
  ) {
    let waiting = queue.jobs[place]
    var sliceEndsAt: Microseconds?
    var time = waiting.expected
    if waiting.isPreemptible {
      let slice = queue.policy.slice(Int(waiting.slices), in: waiting.lane)
      sliceEndsAt = now + slice
      let left = waiting.expected - waiting.attained
      time = left > 0 ? min(left, slice) : slice
    } else if time == 0 {
      time = queue.policy.slice(0, in: waiting.lane)
    }
    let (job, charge) = queue.serve(place, for: time, inTurn: inTurn)
    occupancy.start(
      RunningJob(
        job: job, checkpoint: checkpoints.removeValue(forKey: job.id), charge: charge,
        startedAt: now, sliceEndsAt: sliceEndsAt))
    if pledge == job.id { pledge = nil }
    decisions.append(.start(job.id, until: sliceEndsAt))
  }

  /// Starts what fits beside the head's reservation, in fair order.
  private mutating func backfill(
    beside head: QueuedJob, now: Microseconds, _ decisions: inout [FairDecision]
  ) {
    guard occupancy.freeCores > 0, queue.count > 1 else { return }
    var room = occupancy.room(beside: head, now: now)
    var looks = queue.policy.backfillLooks
    while room.cores > 0, let place = queue.first(fitting: room, looks: &looks) {
      let job = queue.jobs[place]
      room.cores -= Int(job.cores)
      room.memoryBytes -= job.memoryBytes
      if job.long > room.window {
        room.spareCores -= Int(job.cores)
        room.spareMemoryBytes -= job.memoryBytes
      }
      start(place, inTurn: false, now: now, &decisions)
    }
  }

  // MARK: - Preemption

  /// Asks running jobs of the background lanes to stop at their next border, as many as the head
  /// needs; none when they would not do. The head's turn is kept until it starts.
  private mutating func makeRoom(
    for head: QueuedJob, now: Microseconds, _ decisions: inout [FairDecision]
  ) {
    guard pledge == nil, head.isOverdue || head.lane == .reserved || head.lane == .interactive
    else { return }
    var (cores, memory) = (occupancy.freeCores, occupancy.freeMemoryBytes)
    for running in occupancy.running.values where running.isYielding {
      cores += Int(running.job.cores)
      memory += running.job.memoryBytes
    }
    var victims: [Identifier] = []
    for victim in candidates(now: now) {
      if Int(head.cores) <= cores && head.memoryBytes <= memory { break }
      cores += Int(victim.job.cores)
      memory += victim.job.memoryBytes
      victims.append(victim.job.id)
    }
    guard Int(head.cores) <= cores && head.memoryBytes <= memory else { return }
    pledge = head.id
    for id in victims {
      occupancy.askToYield(id)
      decisions.append(.yield(id))
    }
  }

  /// Who may be asked: long before batch, the latest started first, none before its start has paid
  /// for the switch.
  private func candidates(now: Microseconds) -> [RunningJob] {
    occupancy.running.values.filter {
      mayYield($0) && now - $0.startedAt >= queue.policy.leastSlice
    }
    .sorted { a, b in
      if a.job.lane != b.job.lane { return a.job.lane == .long }
      return a.startedAt != b.startedAt ? a.startedAt > b.startedAt : a.job.id < b.job.id
    }
  }

  private func mayYield(_ running: RunningJob) -> Bool {
    running.job.isPreemptible && !running.isYielding && !running.job.isOverdue
      && (running.job.lane == .batch || running.job.lane == .long)
  }

  /// When `decide` must be called even if nothing happens before: a job becomes overdue, or one may
  /// be asked to make room.
  package var nextTime: Microseconds? {
    let yields = occupancy.running.values.filter(mayYield)
      .map { $0.startedAt + queue.policy.leastSlice }.filter { $0 > queue.now }
    return [queue.nextOverdue, queue.count > 0 ? yields.min() : nil].compactMap { $0 }.min()
  }

  /// What a restart must not lose of a job: the time that it ran and where it goes on from; nil for
  /// one that neither waits nor runs. `submitted` takes both back.
  package func progress(
    of id: Identifier
  ) -> (attainedMicroseconds: Microseconds, checkpoint: Checkpoint?)? {
    if let place = queue.jobs.place(of: id) { return (queue.jobs[place].attained, checkpoints[id]) }
    return occupancy.running[id].map { ($0.job.attained, $0.checkpoint) }
  }
}
