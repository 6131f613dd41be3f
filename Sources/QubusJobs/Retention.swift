package import QubusCore

/// What time does to an ended job: written with the events and the evidence of it, or not at all.
package struct RetentionChange: Sendable, Hashable {
  /// From then on the result is not handed out, and goes; nil: as it was.
  package var resultsExpireAt: Microseconds?
  /// From then on the events go; nil: as it was.
  package var eventsExpireAt: Microseconds?
  /// The data go; manifest and provenance stay.
  package var removesResult = false
  /// By which time the result was found to have expired: it goes only while that is still its time,
  /// as it may have been restored meanwhile. Nil: whatever its time is.
  package var removedExpiry: Microseconds?
  /// Events up to this sequence go.
  package var removesEventsThrough: UInt64?
  /// None of them is left to go.
  package var endsEvents = false
  /// The result that comes with the change is the one that had gone, or was about to. Its expiry is
  /// this change's; nil: none.
  package var restoresResult = false

  package init() {}

  /// What this and a later change do together.
  package func merged(with later: RetentionChange) -> RetentionChange {
    var all = self
    all.resultsExpireAt = later.resultsExpireAt ?? resultsExpireAt
    all.eventsExpireAt = later.eventsExpireAt ?? eventsExpireAt
    all.removesResult = removesResult || later.removesResult
    all.removedExpiry = later.removedExpiry ?? removedExpiry
    all.removesEventsThrough = later.removesEventsThrough ?? removesEventsThrough
    all.endsEvents = endsEvents || later.endsEvents
    all.restoresResult = restoresResult || later.restoresResult
    return all
  }
}

/// When what belongs to a job goes, and what has gone.
package struct JobRetention: Sendable, Hashable {
  package var resultsExpireAt: Microseconds?
  package var eventsExpireAt: Microseconds?
  package var isResultRemoved = false
  package var areEventsRemoved = false
  /// The result was restored from an archive, at least once.
  package var isRestored = false

  package init() {}

  /// The result is there, out of an archive.
  package var isArchivedCopy: Bool { isRestored && !isResultRemoved }

  package mutating func apply(_ change: RetentionChange) {
    if change.restoresResult {
      (resultsExpireAt, isResultRemoved, isRestored) = (nil, false, true)
    }
    resultsExpireAt = change.resultsExpireAt ?? resultsExpireAt
    eventsExpireAt = change.eventsExpireAt ?? eventsExpireAt
    isResultRemoved = isResultRemoved || change.removesResult
    areEventsRemoved = areEventsRemoved || change.endsEvents
  }

  /// Whether the result is not to be handed out any more.
  package func isResultExpired(at now: Microseconds) -> Bool {
    isResultRemoved || resultsExpireAt.map { $0 <= now } ?? false
  }
}

/// A page of jobs and where the next one begins.
package struct JobScan: Sendable, Hashable {
  package var jobs: [Identifier]
  /// Nil behind the last.
  package var next: Int64?

  package init(jobs: [Identifier], next: Int64?) {
    self.jobs = jobs
    self.next = next
  }
}

/// What a store does for the times that data are kept. Each call is a small piece of work; those
/// that read may block on the disk.
package protocol RetentionStore: Sendable {
  /// Ended jobs of which something has expired and not gone, the oldest expiry first.
  func expiredJobs(by now: Microseconds, limit: Int) throws(QubusError) -> [Identifier]
  /// Among the `limit` jobs behind `cursor`, in order of age, those that ended without a time for
  /// their result or their events.
  func undatedJobs(
    results: Bool, events: Bool, after cursor: Int64, limit: Int
  ) throws(QubusError) -> JobScan
  /// Cuts up to `limit` records that are older than `time` off the beginning of the audit, behind a
  /// signed statement of the last of them, in one transaction with `entry`, whose subject it fills
  /// in. The completion answers how many went; on the store's thread.
  func cutAudit(
    before time: Microseconds, limit: Int, entry: AuditEntry,
    completion: @escaping @Sendable (Result<Int, QubusError>) -> Void)
  /// Removes files of results that no row names and none named when this was last called: a backup
  /// that runs may still copy what has just gone.
  /// - Returns: how many went.
  func removeUnnamedFiles() throws(QubusError) -> Int
}

extension QubusError {
  package static func resultExpired(_ id: Identifier, at time: Microseconds?) -> QubusError {
    let when = time.map { " at \(TimeText.rfc3339($0))" } ?? ""
    return QubusError(
      .resultExpired,
      "the result of job \(id) expired\(when); the job, its manifest and provenance are kept",
      details: time.map { ["results_expired_at": String($0)] } ?? [:])
  }

  package static func restoredMeanwhile(_ id: Identifier) -> QubusError {
    QubusError(.illegalTransition, "the result of job \(id) has another time by now and stays")
  }

  package static func eventsExpired(_ id: Identifier, at time: Microseconds?) -> QubusError {
    let when = time.map { " at \(TimeText.rfc3339($0))" } ?? ""
    return QubusError(
      .eventsExpired, "the events of job \(id) expired\(when); its end and its figures are kept",
      details: time.map { ["events_expired_at": String($0)] } ?? [:])
  }
}
