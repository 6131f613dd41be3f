internal import DequeModule
internal import QubusCore

/// Jobs whose turn came while their account had as much running as it may. They have had their
/// turn: each starts before those that still wait, as soon as its account allows, oldest first
/// within a principal and lane.
struct ParkedJobs: Sendable {
  private struct Line: Hashable, Sendable {
    var tenant: String
    var project: String
    var principal: String
    var lane: Lane
    /// The calendar may hold up the jobs of one device only.
    var device: UInt16

    init(_ job: SchedulerJob) {
      tenant = job.tenant
      project = job.project
      principal = job.principal
      lane = job.lane
      device = job.device
    }
  }
  private struct Entry: Sendable {
    var job: SchedulerJob
    var number: UInt64
    var since: Microseconds
  }
  /// A place in a line; of a job that left, and perhaps stands in another line now, until the head
  /// reaches it.
  private struct Place: Sendable {
    var id: Identifier
    var number: UInt64
  }
  private var lines: [Line: Deque<Place>] = [:]
  private var entries: [Identifier: Entry] = [:]
  private var counts: [Lane: Int] = [:]
  private var nextNumber: UInt64 = 0

  var count: Int { entries.count }
  func count(in lane: Lane) -> Int { counts[lane, default: 0] }
  func job(_ id: Identifier) -> SchedulerJob? { entries[id]?.job }

  /// In the order in which they were parked.
  var all: [SchedulerJob] { entries.values.sorted { $0.number < $1.number }.map(\.job) }

  func since(_ id: Identifier) -> Microseconds? { entries[id]?.since }

  mutating func add(_ job: SchedulerJob, now: Microseconds) {
    nextNumber += 1
    entries[job.id] = Entry(job: job, number: nextNumber, since: now)
    lines[Line(job), default: []].append(Place(id: job.id, number: nextNumber))
    counts[job.lane, default: 0] += 1
  }

  mutating func remove(_ id: Identifier) -> SchedulerJob? {
    guard let job = entries.removeValue(forKey: id)?.job else { return nil }
    counts[job.lane, default: 0] -= 1
    let line = Line(job)
    while let first = lines[line]?.first, entries[first.id]?.number != first.number {
      lines[line]?.removeFirst()
    }
    if lines[line]?.isEmpty == true { lines[line] = nil }
    return job
  }

  /// The one that was parked first of those that slots of this class take and `isAllowed` lets run.
  func first(for slot: SlotClass, where isAllowed: (SchedulerJob) -> Bool) -> SchedulerJob? {
    if entries.isEmpty { return nil }
    var best: Entry?
    for (line, places) in lines where slot == .compute || line.lane == .interactive {
      guard let place = places.first, let entry = entries[place.id],
        entry.number < best?.number ?? .max, isAllowed(entry.job)
      else { continue }
      best = entry
    }
    return best?.job
  }
}
