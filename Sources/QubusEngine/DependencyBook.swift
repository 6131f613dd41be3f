internal import QubusCore
internal import QubusJobs

/// Which jobs wait for which others to end. In memory alone: requests and statuses, which are
/// durable, tell it again after a restart.
///
/// A job is added before anybody looks what has become of the others, so that no end is missed; it
/// is decided over when it is durable.
struct DependencyBook: Sendable {
  enum Decision: Sendable, Hashable {
    /// All have ended as they had to.
    case met
    /// One that had to succeed did not.
    case failed(Identifier, JobStatus)
  }
  struct Decided: Sendable, Hashable {
    var job: Identifier
    var decision: Decision
  }

  private struct Entry: Sendable {
    var open: Set<Identifier>
    let mustSucceed: Set<Identifier>
    var failure: (id: Identifier, status: JobStatus)?
    var isDurable = false

    var decision: Decision? {
      if let failure { return .failed(failure.id, failure.status) }
      return open.isEmpty ? .met : nil
    }
  }
  private var entries: [Identifier: Entry] = [:]
  /// By the job that is waited for.
  private var dependents: [Identifier: Set<Identifier>] = [:]

  /// Those that a job still waits for, the oldest first, and which of them must succeed.
  func open(of job: Identifier) -> [(id: Identifier, mustSucceed: Bool)] {
    guard let entry = entries[job] else { return [] }
    return entry.open.sorted().map { ($0, entry.mustSucceed.contains($0)) }
  }

  func isWaiting(_ job: Identifier) -> Bool { entries[job] != nil }

  mutating func add(_ job: Identifier, after: [Identifier], afterOK: [Identifier]) {
    let open = Set(after).union(afterOK)
    entries[job] = Entry(open: open, mustSucceed: Set(afterOK))
    for id in open { dependents[id, default: []].insert(job) }
  }

  /// One of those that a job waits for had ended before.
  mutating func note(_ job: Identifier, _ id: Identifier, _ status: JobStatus) {
    guard entries[job]?.open.remove(id) != nil else { return }
    forget(job, as: id)
    guard let entry = entries[job], entry.failure == nil else { return }
    if status != .succeeded, entry.mustSucceed.contains(id) {
      entries[job]?.failure = (id, status)
    }
  }

  /// - Returns: false when there is nothing left to wait for; the job is not in the book then.
  mutating func hasToWait(_ job: Identifier) -> Bool {
    guard entries[job]?.decision == .met else { return entries[job] != nil }
    return !remove(job)
  }

  /// The job is accepted: it is decided over from here on.
  mutating func keep(_ job: Identifier) -> Decided? {
    entries[job]?.isDurable = true
    return decide(job)
  }

  /// A job ended.
  /// - Returns: those that waited for it and for nothing else, or that cannot run any more.
  mutating func ended(_ id: Identifier, _ status: JobStatus) -> [Decided] {
    guard let waiting = dependents[id] else { return [] }
    return waiting.sorted().compactMap { job in
      note(job, id, status)
      return decide(job)
    }
  }

  /// - Returns: whether it was there.
  mutating func remove(_ job: Identifier) -> Bool {
    guard let entry = entries.removeValue(forKey: job) else { return false }
    for id in entry.open { forget(job, as: id) }
    return true
  }

  private mutating func decide(_ job: Identifier) -> Decided? {
    guard let entry = entries[job], entry.isDurable, let decision = entry.decision else {
      return nil
    }
    _ = remove(job)
    return Decided(job: job, decision: decision)
  }

  private mutating func forget(_ job: Identifier, as id: Identifier) {
    dependents[id]?.remove(job)
    if dependents[id]?.isEmpty == true { dependents[id] = nil }
  }
}
