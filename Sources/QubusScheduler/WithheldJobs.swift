internal import QubusCore

/// Why a job is not to have its turn, whatever the order says.
package enum WithholdCause: UInt8, Sendable, Hashable, CaseIterable {
  /// Somebody who may cancel it does not want it to start yet.
  case paused
  /// Other jobs have to end first.
  case dependency
  /// An operator does not want it to start yet.
  case held
}

/// Jobs that are not to have their turn until every cause of it is taken away. A cause may be noted
/// before its job is here.
struct WithheldJobs: Sendable {
  private var causes: [Identifier: [WithholdCause: Microseconds]] = [:]
  private var jobs: [Identifier: SchedulerJob] = [:]
  private var counts: [Lane: Int] = [:]

  func count(in lane: Lane) -> Int { counts[lane, default: 0] }
  func job(_ id: Identifier) -> SchedulerJob? { jobs[id] }
  func isNoted(_ id: Identifier) -> Bool { causes[id] != nil }

  var all: some Sequence<SchedulerJob> { jobs.values }

  /// Since when each cause holds.
  func causes(of id: Identifier) -> [(cause: WithholdCause, since: Microseconds)] {
    (causes[id] ?? [:]).map { ($0.key, $0.value) }
      .sorted { $0.cause.rawValue < $1.cause.rawValue }
  }

  /// One that is noted already keeps its time.
  mutating func note(_ id: Identifier, _ cause: WithholdCause, since: Microseconds) {
    if causes[id]?[cause] == nil { causes[id, default: [:]][cause] = since }
  }

  mutating func add(_ job: SchedulerJob) {
    if jobs.updateValue(job, forKey: job.id) == nil { counts[job.lane, default: 0] += 1 }
  }

  /// Takes a cause away; answers the job when it was the last.
  mutating func release(_ id: Identifier, _ cause: WithholdCause) -> SchedulerJob? {
    causes[id]?[cause] = nil
    guard causes[id]?.isEmpty != false else { return nil }
    return remove(id)
  }

  /// Takes a job out; what keeps it stays noted.
  mutating func take(_ id: Identifier) -> SchedulerJob? {
    guard let job = jobs.removeValue(forKey: id) else { return nil }
    counts[job.lane, default: 0] -= 1
    return job
  }

  /// Forgets a job and all that was noted of it.
  mutating func remove(_ id: Identifier) -> SchedulerJob? {
    causes[id] = nil
    return take(id)
  }
}
