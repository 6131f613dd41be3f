package import QubusCore

/// Starts jobs in an order; when the first one does not fit it gets a reservation, and others may
/// start behind it if by their estimates they do not delay it: EASY backfill. Without backfill the
/// first job blocks all.
///
/// - Source: Lifka 1995, "The ANL/IBM SP scheduling system"; Mu'alem & Feitelson 2001.
package struct BackfillScheduler<Order: QueueOrder>: ReplayScheduler {
  private struct Entry: Sendable, Comparable {
    var key: OrderKey
    var processors: Int
    var remaining: Microseconds

    static func < (a: Entry, b: Entry) -> Bool { a.key < b.key }
    static func == (a: Entry, b: Entry) -> Bool { a.key == b.key }
  }
  private struct Running: Sendable {
    var estimatedEnd: Microseconds
    var isLeaving = false
  }
  private var order: Order
  private let backfills: Bool
  /// Longest time until a running job that has to make room does.
  private let chunk: Microseconds
  private var jobs: [OrderedJob] = []
  /// In order of their keys.
  private var queue: [Entry] = []
  private var running: [Int: Running] = [:]
  private var profile = AvailabilityProfile()
  private var freeProcessors: Int
  /// The first job of the queue and the start that it was promised last.
  package private(set) var reservation: (job: Int, start: Microseconds)?

  package init(order: Order, processors: Int, chunk: Microseconds, backfills: Bool = true) {
    self.order = order
    self.backfills = backfills
    self.chunk = chunk
    freeProcessors = processors
  }

  package mutating func apply(_ event: ReplayEvent, now: Microseconds) {
    order.advance(to: now)
    switch event {
    case .arrived(let job):
      precondition(job.index == jobs.count, "jobs arrive in the order of the trace")
      jobs.append(OrderedJob(job: job))
      enqueue(job.index, now: now)
    case .finished(let index): release(index, now: now)
    case .stopped(let index, let served):
      release(index, now: now)
      jobs[index].served = served
      enqueue(index, now: now)
    }
  }

  package mutating func decide(now: Microseconds) -> [ReplayDecision] {
    order.advance(to: now)
    reservation = nil
    guard !queue.isEmpty else { return [] }
    if !Order.isFixed { sortQueue(now) }
    var decisions: [ReplayDecision] = []
    var started = 0
    while started < queue.count, queue[started].processors <= freeProcessors {
      decisions.append(start(queue[started], now: now))
      started += 1
    }
    queue.removeFirst(started)
    guard let first = queue.first else { return decisions }
    if Order.preempts { makeRoom(for: first, now: now, &decisions) }
    let promise = profile.reservation(first.processors, free: freeProcessors, now: now)
    reservation = (first.key.index, promise.start)
    if backfills, freeProcessors > 0 { backfill(behind: promise, now: now, &decisions) }
    return decisions
  }

  /// Starts what fits now and either ends before the promised start or leaves the promised
  /// processors alone.
  private mutating func backfill(
    behind promise: (start: Microseconds, extra: Int), now: Microseconds,
    _ decisions: inout [ReplayDecision]
  ) {
    var extra = promise.extra
    var kept = 1
    for place in 1..<queue.count {
      guard freeProcessors > 0 else { return queue.removeSubrange(kept..<place) }
      let entry = queue[place]
      let endsBefore = now + entry.remaining <= promise.start
      if entry.processors <= freeProcessors, endsBefore || entry.processors <= extra {
        if !endsBefore { extra -= entry.processors }
        decisions.append(start(entry, now: now))
        continue
      }
      queue[kept] = entry
      kept += 1
    }
    queue.removeLast(queue.count - kept)
  }

  /// Asks running jobs that the first one may displace to make room, the last in order first, if
  /// together they are enough.
  private mutating func makeRoom(
    for first: Entry, now: Microseconds, _ decisions: inout [ReplayDecision]
  ) {
    let job = jobs[first.key.index]
    var available = freeProcessors
    var victims: [(key: OrderKey, index: Int)] = []
    for (index, entry) in running {
      if entry.isLeaving {
        available += jobs[index].job.processors
      } else if order.mayPreempt(job, jobs[index], now: now) {
        victims.append((order.key(of: jobs[index], now: now), index))
      }
    }
    let wanted = first.processors
    let most = victims.reduce(available) { $0 + jobs[$1.index].job.processors }
    guard available < wanted, most >= wanted else { return }
    victims.sort { $0.key > $1.key }
    for victim in victims where available < wanted {
      available += jobs[victim.index].job.processors
      leave(victim.index, now: now)
      decisions.append(.preempt(victim.index))
    }
  }

  private mutating func leave(_ index: Int, now: Microseconds) {
    guard let entry = running[index] else { return }
    let end = min(entry.estimatedEnd, now + chunk)
    profile.remove(index, end: entry.estimatedEnd)
    profile.insert(index, processors: jobs[index].job.processors, end: end)
    running[index] = Running(estimatedEnd: end, isLeaving: true)
  }

  private mutating func start(_ entry: Entry, now: Microseconds) -> ReplayDecision {
    let index = entry.key.index
    freeProcessors -= entry.processors
    jobs[index].started = now
    let end = now + entry.remaining
    running[index] = Running(estimatedEnd: end)
    profile.insert(index, processors: entry.processors, end: end)
    order.started(jobs[index].job, now: now)
    return .start(index, slice: nil)
  }

  private mutating func release(_ index: Int, now: Microseconds) {
    guard let entry = running.removeValue(forKey: index) else { return }
    freeProcessors += jobs[index].job.processors
    profile.remove(index, end: entry.estimatedEnd)
    let ran = now - (jobs[index].started ?? now)
    jobs[index].started = nil
    order.stopped(jobs[index].job, ran: ran, now: now)
  }

  private mutating func enqueue(_ index: Int, now: Microseconds) {
    order.waits(jobs[index].job, now: now)
    let entry = Entry(
      key: order.key(of: jobs[index], now: now), processors: jobs[index].job.processors,
      remaining: jobs[index].remaining)
    guard Order.isFixed else { return queue.append(entry) }
    var low = 0
    var high = queue.count
    while low < high {
      let middle = (low + high) / 2
      if queue[middle] < entry { low = middle + 1 } else { high = middle }
    }
    queue.insert(entry, at: low)
  }

  /// The queue is nearly sorted from the last time, which the sort makes use of.
  private mutating func sortQueue(_ now: Microseconds) {
    for place in queue.indices {
      queue[place].key = order.key(of: jobs[queue[place].key.index], now: now)
    }
    queue.sort()
  }
}
