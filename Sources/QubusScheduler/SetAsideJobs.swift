internal import HeapModule
internal import QubusCore

/// Jobs that had their turn when the calendar of their device did not let them start. Each goes
/// back into the order at its time, or as soon as the calendar changes.
struct SetAsideJobs: Sendable {
  private struct Entry: Sendable {
    var job: SchedulerJob
    var until: Microseconds
    var since: Microseconds
  }
  private struct Return: Comparable, Sendable {
    var time: Microseconds
    var id: Identifier

    static func < (a: Return, b: Return) -> Bool {
      a.time != b.time ? a.time < b.time : a.id < b.id
    }
  }
  private var entries: [Identifier: Entry] = [:]
  /// Entries of jobs that left stay until their time or until they are the majority.
  private var returns = Heap<Return>()
  private var counts: [Lane: Int] = [:]

  var isEmpty: Bool { entries.isEmpty }
  /// When the next one goes back.
  var next: Microseconds? { returns.min?.time }
  var all: some Sequence<SchedulerJob> { entries.values.lazy.map(\.job) }
  func count(in lane: Lane) -> Int { counts[lane, default: 0] }
  func job(_ id: Identifier) -> SchedulerJob? { entries[id]?.job }
  func since(_ id: Identifier) -> Microseconds? { entries[id]?.since }

  mutating func add(_ job: SchedulerJob, until: Microseconds, now: Microseconds) {
    entries[job.id] = Entry(job: job, until: until, since: now)
    counts[job.lane, default: 0] += 1
    returns.insert(Return(time: until, id: job.id))
    guard returns.count > 1024, returns.count > 2 * entries.count else { return }
    let entries = self.entries
    returns = Heap(returns.unordered.filter { entries[$0.id]?.until == $0.time })
  }

  mutating func remove(_ id: Identifier) -> SchedulerJob? {
    guard let job = entries.removeValue(forKey: id)?.job else { return nil }
    counts[job.lane, default: 0] -= 1
    if entries.isEmpty { returns = Heap() }
    return job
  }

  /// One whose time has come.
  mutating func popDue(_ now: Microseconds) -> SchedulerJob? {
    while let first = returns.min, first.time <= now {
      returns.removeMin()
      if entries[first.id]?.until == first.time { return remove(first.id) }
    }
    return nil
  }

  /// All jobs of these devices, oldest first.
  mutating func takeAll(of devices: Set<UInt16>) -> [SchedulerJob] {
    let found = entries.values.filter { devices.contains($0.job.device) }.map(\.job.id)
    return found.sorted().compactMap { remove($0) }
  }
}
