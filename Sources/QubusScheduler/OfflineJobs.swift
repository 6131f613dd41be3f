internal import DequeModule
package import QubusCore

/// Why a device starts nothing.
package struct DeviceOutage: Sendable, Hashable {
  package var since: Microseconds
  /// Who wanted it and why, in words.
  package var detail: String
  package var remedy: String

  package init(since: Microseconds, detail: String, remedy: String) {
    self.since = since
    self.detail = detail
    self.remedy = remedy
  }
}

/// Jobs whose turn came while their device starts nothing. They wait beside the order until it does
/// and keep their place in the count of the queue.
struct OfflineJobs: Sendable {
  private var jobs: [Identifier: SchedulerJob] = [:]
  /// By device, in the order of their turns; jobs that left are passed over.
  private var lines: [UInt16: Deque<Identifier>] = [:]
  private var counts: [Lane: Int] = [:]

  var isEmpty: Bool { jobs.isEmpty }
  var all: some Sequence<SchedulerJob> { jobs.values.lazy.map { $0 } }
  func count(in lane: Lane) -> Int { counts[lane, default: 0] }
  func job(_ id: Identifier) -> SchedulerJob? { jobs[id] }

  mutating func add(_ job: SchedulerJob) {
    guard jobs.updateValue(job, forKey: job.id) == nil else { return }
    counts[job.lane, default: 0] += 1
    lines[job.device, default: []].append(job.id)
    tidy(job.device)
  }

  mutating func remove(_ id: Identifier) -> SchedulerJob? {
    guard let job = jobs.removeValue(forKey: id) else { return nil }
    counts[job.lane, default: 0] -= 1
    return job
  }

  /// The next of those whose device is none of `devices`.
  mutating func popFirst(notOn devices: [UInt16: DeviceOutage]) -> SchedulerJob? {
    for device in lines.keys.sorted() where devices[device] == nil {
      while let id = lines[device]?.popFirst() {
        if jobs[id]?.device == device, let job = remove(id) { return job }
      }
      lines[device] = nil
    }
    return nil
  }

  /// Entries of jobs that left go once they are the majority: amortised O(1).
  private mutating func tidy(_ device: UInt16) {
    guard let line = lines[device], line.count > 1024, line.count > 2 * jobs.count else { return }
    var seen: Set<Identifier> = []
    let jobs = self.jobs
    lines[device]?.removeAll { jobs[$0]?.device != device || !seen.insert($0).inserted }
  }
}
