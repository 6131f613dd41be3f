internal import Logging
internal import QubusCore
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

/// How a job's changes reach the store: in order, and again until they do.
extension Engine {
  /// Enqueues a change of an active job. When the store refuses it for want of room or time, it is
  /// tried again, merged with what came after it; nothing is lost while the service lives.
  /// - Parameter completion: after the commit, or when the store refuses for good.
  func write(
    _ update: JobUpdate, _ job: ActiveJob,
    completion: (@Sendable (Result<[JobEvent], QubusError>) -> Void)? = nil
  ) {
    let update = dated(update)
    let number = job.withLock { state -> UInt64? in
      state.writeCount += 1
      state.writes.append(
        ActiveJob.Write(number: state.writeCount, update: update, completion: completion))
      // While earlier changes wait for another try, this one joins them.
      guard state.retryDelay == 0 else { return nil }
      state.writesInFlight += 1
      return state.writeCount
    }
    guard let number else { return }
    perform(update, [number], job)
  }

  /// On the store's thread.
  private func written(
    _ numbers: [UInt64], _ update: JobUpdate, _ job: ActiveJob,
    _ result: Result<[JobEvent], QubusError>
  ) {
    if forget(job) { return }
    switch result {
    case .success(let events): committed(numbers, update, job, events)
    case .failure(let error): refused(numbers, job, error)
    }
  }

  /// Drops the writes of a job that was never accepted; false for any other.
  private func forget(_ job: ActiveJob) -> Bool {
    let isDropped = job.withLock { state in
      if state.isDropped {
        state.writes = []
        state.writesInFlight = 0
      }
      return state.isDropped
    }
    if isDropped { shared.withLock { $0.troubled[job.id] = nil } }
    return isDropped
  }

  private func committed(
    _ numbers: [UInt64], _ update: JobUpdate, _ job: ActiveJob, _ events: [JobEvent]
  ) {
    let residentEvents = configuration.residentEvents
    let (completions, waiters, retry, wasWithheld, predicted) = job.withLock { state in
      state.writesInFlight -= 1
      let done = state.writes.filter { numbers.contains($0.number) }
      state.writes.removeAll { numbers.contains($0.number) }
      state.commit(update, events, residentEvents: residentEvents)
      let waiters = state.phase == .finished ? state.cancelWaiters : []
      let predicted = state.prepared?.estimatedSeconds
      if state.phase == .finished {
        state.cancelWaiters = []
        state.prepared = nil
      }
      // What is left and not under way was refused, or came while others were.
      let retry = !state.writes.isEmpty && state.writesInFlight == 0
      return (done.compactMap(\.completion), waiters, retry, !state.withheld.isEmpty, predicted)
    }
    let (record, observers) = job.withLock { ($0.record, Array($0.observers.values)) }
    // A change of a job that had ended before is no other end of it.
    if update.moves.last?.isTerminal == true {
      if record.costHeld != nil { ledger?.settle(job.id, charge: record.cost ?? 0) }
      #if QUBUS_FAULT_INJECTION
        FaultPoint.terminalCommitted.reached()
      #endif
      shared.signal { shared in
        shared.watched.remove(job.id)
        shared.troubled[job.id] = nil
      }
      quotas.finished(
        job.id, of: record.principal, on: Resource.family(ofDevice: record.device),
        deviceMicroseconds: record.phases.deviceMicroseconds ?? 0)
      forgetApproval(job.id)
      if record.phases.startedAt == nil { startQuotes.forget(job.id) }
      let wasDependent = noteEnd(of: record)
      // One that was withheld while it expired is noted there without being there.
      if wasWithheld || wasDependent { scheduler.post(.canceled(job.id)) }
      table.retire(job)
    }
    for completion in completions { completion(.success(events)) }
    for waiter in waiters { waiter(record) }
    if !events.isEmpty {
      for observer in observers { observer(record.lastSequence, record.status) }
    }
    if retry { self.retry(job) } else { clearTrouble(job) }
    // Whoever waits for the end comes first.
    if update.moves.last?.isTerminal == true, logger.logLevel <= .info {
      logger(record).info("job ended", metadata: ["status": "\(record.status.word)"])
    }
    // Behind everything that somebody waits for.
    if update.moves.last == .succeeded, let result = update.result {
      learn(record, result.provenance, predicted: predicted)
    }
  }

  private func refused(_ numbers: [UInt64], _ job: ActiveJob, _ error: QubusError) {
    guard error.isStoreTrouble else { return abandonWrite(numbers, job, error) }
    let delay = job.withLock { state -> Microseconds? in
      state.writesInFlight -= 1
      state.retryDelay = min(5_000_000, max(100_000, 2 * state.retryDelay))
      return state.writesInFlight == 0 ? state.retryDelay : nil
    }
    shared.signal { $0.troubled[job.id] = error }
    logger(job.record).warning(
      "the store refused a change, it will be tried again", metadata: ["error": "\(error.logText)"])
    if let delay { scheduler.schedule(at: clock.now() + delay) { [self] in retry(job) } }
  }

  /// Performs everything that waits as one change.
  private func retry(_ job: ActiveJob) {
    if forget(job) { return }
    let writes = job.withLock { state -> [ActiveJob.Write] in
      guard state.writesInFlight == 0, !state.writes.isEmpty else { return [] }
      state.writesInFlight = 1
      return state.writes
    }
    guard !writes.isEmpty else { return }
    let update = JobUpdate.merged(writes.map(\.update))
    perform(update, writes.map(\.number), job)
  }

  private func perform(_ update: JobUpdate, _ numbers: [UInt64], _ job: ActiveJob) {
    writesUnderWay.withLock { $0 += 1 }
    let change = StoreCommand.update(update) { [self] result in
      let limit = configuration.writesUnderWay
      let mustWake = writesUnderWay.withLock { count in
        count -= 1
        return count == limit - 1
      }
      if mustWake { writesUnderWay.signal { _ in } }
      written(numbers, update, job, result)
    }
    store.perform(change)
  }

  /// A refusal that no other try can change. A terminal change without its result is tried once, so
  /// that the job ends with the reason in it.
  private func abandonWrite(_ numbers: [UInt64], _ job: ActiveJob, _ error: QubusError) {
    // An earlier change that waits for another try makes a later one illegal; they go together.
    let isBehindAnother = job.withLock { state -> Bool in
      guard let first = state.writes.first?.number, let own = numbers.first else { return false }
      guard first < own else { return false }
      state.writesInFlight -= 1
      return true
    }
    if isBehindAnother {
      let delay = job.withLock { $0.writesInFlight == 0 ? $0.retryDelay : nil }
      if let delay { scheduler.schedule(at: clock.now() + delay) { [self] in retry(job) } }
      return
    }
    let dropped = job.withLock { state -> [ActiveJob.Write] in
      state.writesInFlight -= 1
      let dropped = state.writes.filter { numbers.contains($0.number) }
      state.writes.removeAll { numbers.contains($0.number) }
      return dropped
    }
    // A place in the queue that is told too late is no news and no fault.
    let isFault = !dropped.allSatisfy(\.update.isQueueNews)
    logger(job.record).log(
      level: isFault ? .error : .debug, "the store refused a change",
      metadata: ["error": "\(error.logText)"])
    for write in dropped { write.completion?(.failure(error)) }
    let updates = dropped.map(\.update)
    guard let last = updates.last?.moves.last, last.isTerminal, last == .succeeded else { return }
    write(.failure(instead: .merged(updates), error, at: clock.now()), job)
  }

  private func clearTrouble(_ job: ActiveJob) {
    shared.withLock { shared in
      if shared.troubled[job.id] != nil { shared.troubled[job.id] = nil }
    }
  }
}

extension QubusError {
  /// Whether the same write may succeed later.
  var isStoreTrouble: Bool {
    switch code {
    case .diskFull, .storageUnavailable, .serverOverloaded: true
    default: false
    }
  }
}

extension JobUpdate {
  /// The same job ended as failed: for a success whose result cannot be stored.
  static func failure(
    instead update: JobUpdate, _ error: QubusError, at time: Microseconds
  ) -> JobUpdate {
    var failed = update
    failed.result = nil
    // Nothing came of it: nothing is charged.
    failed.settlement = nil
    failed.retention = nil
    failed.error = error
    failed.moves = update.moves.map { $0 == .succeeded ? .failed : $0 }
    failed.events = update.events.map { event in
      guard event.status == .succeeded else { return event }
      var body = event.body
      body.error = error
      return NewEvent(
        time: time, kind: event.kind, status: .failed, reason: event.reason,
        attempt: event.attempt, body: body)
    }
    return failed
  }
}
