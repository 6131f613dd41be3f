internal import QubusCircuit
package import QubusCore
internal import QubusDevices
package import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

extension Engine {
  package func job(_ id: Identifier, context: CallContext) throws(QubusError) -> JobView {
    let record = try record(id, .readJobs, context)
    return view(record, forecast: forecast(record))
  }

  package func jobs(
    _ filter: JobFilter, context: CallContext
  ) throws(QubusError) -> [JobView] {
    guard filter.limit > 0, filter.limit <= 10_000 else {
      throw .field(.invalidRequest, "limit", "is \(filter.limit)", limit: "1 to 10000")
    }
    var filter = filter
    filter.principal = try context.listed(.readJobs, filter.principal, now: clock.now())
    return try store.jobs(filter).map { view($0) }
  }

  package func result(
    _ id: Identifier, context: CallContext
  ) throws(QubusError) -> (JobView, ResultManifest, Provenance) {
    let record = try record(id, .readResults, context)
    try checkExpiry(record)
    guard record.status.isTerminal, let (manifest, provenance) = try store.result(id) else {
      throw notReady(record)
    }
    note(record, context)
    return (view(record), manifest, provenance)
  }

  package func recentResult(
    _ id: Identifier, context: CallContext
  ) -> (JobView, JobResult)? {
    guard let job = table.job(id) else { return nil }
    let found = job.withLock { state in state.result.map { (state.record, $0) } }
    guard let (record, result) = found, context.may(.readResults, record, now: clock.now()),
      !isResultExpired(record)
    else { return nil }
    note(record, context)
    return (JobView(record: record), result)
  }

  /// Evidence of a result that was read.
  private func note(_ record: JobRecord, _ context: CallContext) {
    audit?.note(
      context.entry(
        "GetResult", .readResults, "job \(record.id)", of: record.principal, at: clock.now()))
  }

  package func resultChunk(
    _ id: Identifier, item: Int, chunk: Int, context: CallContext
  ) throws(QubusError) -> [UInt8] {
    let record = try record(id, .readResults, context)
    try checkExpiry(record)
    guard record.hasResult else { throw notReady(record) }
    return try store.resultChunk(id, item: item, chunk: chunk)
  }

  package func events(
    _ id: Identifier, after sequence: UInt64, limit: Int, context: CallContext
  ) throws(QubusError) -> [JobEvent] {
    let record = try record(id, .readJobs, context)
    guard sequence <= record.lastSequence else {
      throw .field(
        .invalidCursor, "after_sequence", "is \(sequence)",
        limit: "the newest event is \(record.lastSequence)")
    }
    let recent = table.job(id)?.withLock { $0.events(after: sequence, limit: limit) }
    if let recent { return shown(recent, of: record, to: context) }
    let stored = try store.events(id, after: sequence, limit: limit)
    // Sequences have no gaps but what has expired.
    if let first = stored.first, first.sequence > sequence + 1 {
      throw .eventsExpired(id, at: record.retention.eventsExpireAt)
    }
    return shown(stored, of: record, to: context)
  }

  package func recentEvents(
    _ id: Identifier, after sequence: UInt64, limit: Int, context: CallContext
  ) -> [JobEvent]? {
    guard let job = table.job(id),
      let (record, events) = job.withLock({ state in
        state.events(after: sequence, limit: limit).map { (state.record, $0) }
      }), context.may(.readJobs, record, now: clock.now())
    else { return nil }
    return shown(events, of: record, to: context)
  }

  /// Counts of a job under way are results: whoever may not read those sees the events without.
  private func shown(
    _ events: [JobEvent], of record: JobRecord, to context: CallContext
  ) -> [JobEvent] {
    guard events.contains(where: { $0.body.counts != nil }),
      !context.may(.readResults, record, now: clock.now())
    else { return events }
    return events.map { event in
      var event = event
      event.body.counts = nil
      return event
    }
  }

  package var deviceNames: [String] { installedDevices.map(\.name) }

  package func devices(context: CallContext) -> [DeviceReport] {
    let (load, owners) = (load(), ledger?.dedicated ?? [:])
    let seesAll = Authority.allows(
      context.identity, .manageDevices, on: Resource(tenant: "", project: ""), now: clock.now())
    let seen = seesAll ? installedDevices : installedDevices.open(to: context.principal, ledger)
    return seen.map { device in
      DeviceReport(
        name: device.name, summary: device.summary, qubitCount: UInt32(device.target.qubitCount),
        isSimulator: device.name.hasPrefix("sim."), isIdeal: device.target.isIdeal,
        jobsQueued: load.jobsQueued, jobsRunning: load.jobsRunning,
        memoryLimitBytes: configuration.memoryBytes, instructionSet: device.instructionSet,
        supportsMidCircuitMeasurement: device.target.supportsMidCircuitMeasurement,
        nativeGates: device.target.nativeGates, outputs: OutputKind.allCases,
        tenant: owners[device.name], drain: drains[device.name])
    }
  }

  package func load() -> ServiceLoad {
    let (queued, running) = scheduler.withScheduler { ($0.queuedCount, $0.runningCount) }
    let troubled = shared.withLock { $0.troubled }
    let trouble = troubled.isEmpty ? "" : "\(troubled.count) jobs wait for the store"
    let example = troubled.min { $0.key < $1.key }.map { ": \($0.value.message)" } ?? ""
    return ServiceLoad(
      jobsQueued: UInt64(queued), jobsRunning: UInt64(running), trouble: trouble + example)
  }

  /// The record as committed, if the caller may do this with it.
  func record(
    _ id: Identifier, _ action: Action, _ context: CallContext
  ) throws(QubusError) -> JobRecord {
    let found: JobRecord?
    if let job = table.job(id) { found = job.record } else { found = try store.job(id) }
    guard let found else { throw .jobNotFound(id) }
    try context.check(action, found, now: clock.now())
    return found
  }

  /// A record with what only the running service knows.
  /// - Parameter forecast: nil: what was told last, as long as it holds.
  func view(_ record: JobRecord, forecast: JobForecast? = nil) -> JobView {
    guard record.status == .queued else { return JobView(record: record) }
    var record = record
    // Of the device, not of the job: told while it holds, and stored with nothing.
    if record.reason.isEmpty, drains[record.device] != nil {
      record.reason = JobReason.deviceOffline
    }
    let now = clock.now()
    let (position, start) = scheduler.withScheduler { scheduler in
      (scheduler.position(of: record.id), scheduler.estimatedStart(of: record.id, now: now))
    }
    let told = position == nil ? nil : startQuotes.known(record.id, now: now)
    let forecast = forecast ?? told
    return JobView(
      record: record, queuePosition: position?.overall,
      estimatedStartAt: forecast?.start.p50 ?? start, forecast: forecast)
  }

  func notReady(_ record: JobRecord) -> QubusError {
    guard record.status.isTerminal else {
      return QubusError(
        .resultNotReady, "job \(record.id) is \(record.status.word) and has no result yet",
        details: ["status": record.status.word])
    }
    if let error = record.error { return error }
    if record.status == .canceled {
      return QubusError(
        .executionCanceled, "job \(record.id) was canceled before it had a result",
        details: ["status": record.status.word])
    }
    return QubusError(
      .jobAlreadyFinished, "job \(record.id) is \(record.status.word) and left no result",
      details: ["status": record.status.word])
  }
}
