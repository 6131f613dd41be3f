internal import QubusCore
internal import QubusJobs

/// When results and events expire, and what becomes of a job when they do.
extension Engine {
  /// Of events that tell of it: microseconds UTC.
  static let resultsExpireDetail = "results_expire_at"

  /// An update that ends a job says when what it leaves expires, and its last event announces it.
  func dated(_ update: JobUpdate) -> JobUpdate {
    let times = configuration.retention
    guard !times.isOff, update.moves.last?.isTerminal == true else { return update }
    let now = clock.now()
    var update = update
    var change = RetentionChange()
    if update.result != nil { change.resultsExpireAt = times.results.map { now + $0 } }
    change.eventsExpireAt = times.events.map { now + $0 }
    update.retention = change
    let last = update.events.lastIndex { $0.kind == .statusChanged }
    if let last {
      update.events[last].body.details[Self.resultsExpireDetail] =
        change.resultsExpireAt.map { String($0) }
    }
    return update
  }

  /// - Throws: `result_expired`, naming when.
  func checkExpiry(_ record: JobRecord) throws(QubusError) {
    guard isResultExpired(record) else { return }
    throw .resultExpired(record.id, at: record.retention.resultsExpireAt)
  }

  /// An operator who turns retention off keeps what has not gone yet.
  func isResultExpired(_ record: JobRecord) -> Bool {
    configuration.retention.results == nil
      ? record.retention.isResultRemoved : record.retention.isResultExpired(at: clock.now())
  }

  /// For a job that ended before results or events had a time: they have it from now on, and the
  /// job says so. Nil when nothing is missing.
  func dating(_ record: JobRecord) -> JobUpdate? {
    let (times, now) = (configuration.retention, clock.now())
    guard record.status.isTerminal else { return nil }
    var change = RetentionChange()
    if record.hasResult, record.retention.resultsExpireAt == nil {
      change.resultsExpireAt = times.results.map { now + $0 }
    }
    if record.retention.eventsExpireAt == nil {
      change.eventsExpireAt = times.events.map { now + $0 }
    }
    guard change != RetentionChange() else { return nil }
    var update = JobUpdate(jobID: record.id, attempt: record.attempt)
    update.retention = change
    if let time = change.resultsExpireAt {
      update.events = [notice(record, [Self.resultsExpireDetail: String(time)])]
    }
    return update
  }

  /// Removes what has expired of a job; nil when nothing has.
  func removal(_ record: JobRecord) throws(QubusError) -> JobUpdate? {
    let (times, now, kept) = (configuration.retention, clock.now(), record.retention)
    var change = RetentionChange()
    var gone: [String] = []
    if times.results != nil, !kept.isResultRemoved, kept.isResultExpired(at: now) {
      change.removesResult = true
      change.removedExpiry = kept.resultsExpireAt
      gone.append("results")
    }
    if times.events != nil, !kept.areEventsRemoved, let time = kept.eventsExpireAt, time <= now {
      let first = try store.events(record.id, after: 0, limit: 1).first?.sequence ?? 1
      let last = min(record.lastSequence, first + Self.eventsAtOnce - 1)
      change.removesEventsThrough = last
      change.endsEvents = last == record.lastSequence
      if change.endsEvents { gone.append("events") }
    }
    guard change != RetentionChange() else { return nil }
    var update = JobUpdate(jobID: record.id, attempt: record.attempt)
    update.retention = change
    guard !gone.isEmpty else { return update }
    update.events = [notice(record, ["removed": gone.joined(separator: ",")])]
    update.audit = [
      Self.entry(gone.joined(separator: " and ") + " of job \(record.id)", of: record, at: now)
    ]
    return update
  }

  /// Events that one transaction removes of a job; later ones have their turn behind others.
  private static let eventsAtOnce: UInt64 = 2000

  private func notice(_ record: JobRecord, _ details: [String: String]) -> NewEvent {
    var body = JobEventBody()
    body.details = details
    return NewEvent(
      time: clock.now(), kind: .notice, status: record.status, reason: JobReason.retention,
      attempt: record.attempt, body: body)
  }

  /// Evidence of what the service does by itself.
  static func entry(
    _ subject: String, of record: JobRecord? = nil, at now: Microseconds
  ) -> AuditEntry {
    AuditEntry(
      time: now, principal: nil, credential: "", method: "Retention", action: "",
      subject: subject, tenant: record?.principal.tenant ?? "", outcome: .allowed,
      policy: "retention", traceID: record?.traceID ?? "")
  }
}
