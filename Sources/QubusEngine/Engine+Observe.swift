package import QubusCore
package import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

extension Engine {
  package func observe(
    _ id: Identifier, context: CallContext,
    changed: @escaping @Sendable (UInt64, JobStatus) -> Void
  ) throws(QubusError) -> any Observation {
    let job = try activate(id)
    try context.check(.readJobs, job.record, now: clock.now())
    let (number, sequence, status, isWaiting) = job.withLock { state in
      state.observerCount += 1
      state.observers[state.observerCount] = changed
      return (
        state.observerCount, state.record.lastSequence, state.record.status,
        state.phase == .queued
      )
    }
    if isWaiting { watch(job) }
    changed(sequence, status)
    return JobObservation(job, number)
  }

  package func annotate(
    _ id: Identifier, annotations: [String: String], context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    if let job = table.job(id) { return annotate(job, annotations, context, completion) }
    withJobFromStore(id, completion) { [self] job in
      annotate(job, annotations, context, completion)
    }
  }

  private func annotate(
    _ job: ActiveJob, _ annotations: [String: String], _ context: CallContext,
    _ completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    let record = job.record
    var all = record.annotations
    all.merge(annotations) { $1 }
    do throws(QubusError) {
      try context.check(.annotateJobs, record, now: clock.now())
      guard !annotations.isEmpty else { throw .field(.missingField, "annotations", "is empty") }
      try SpecValidation(limits: configuration.limits).check(annotations: all)
    } catch {
      return completion(.failure(error))
    }
    var body = JobEventBody()
    body.details = annotations
    var update = JobUpdate(
      jobID: job.id, attempt: record.attempt,
      events: [
        NewEvent(
          time: clock.now(), kind: .annotationAdded, status: record.status, attempt: record.attempt,
          body: body)
      ])
    update.annotations = all
    write(update, job) { [self] result in
      completion(result.map { _ in view(job.record) })
    }
  }

  /// Tells a waiting job's watchers now and then how far it has come.
  private func watch(_ job: ActiveJob) {
    let mustSet = shared.signal { shared -> Bool in
      shared.watched.insert(job.id)
      defer { shared.isQueueTimerSet = true }
      return !shared.isQueueTimerSet
    }
    if mustSet { setQueueTimer() }
  }

  private func setQueueTimer() {
    let time = clock.now() + configuration.queueMovedMicroseconds
    scheduler.schedule(at: time) { [self] in reportPositions() }
  }

  /// On the scheduler's thread, at most once in `queueMovedMicroseconds`.
  private func reportPositions() {
    let watched = shared.withLock { $0.watched }
    let positions = scheduler.withScheduler { scheduler in
      watched.compactMap { id in scheduler.position(of: id).map { (id, $0.overall) } }
    }
    for (id, position) in positions {
      if let job = table.job(id) { reportPosition(job, position) }
    }
    let mustSet = shared.signal { shared -> Bool in
      shared.isQueueTimerSet = !shared.watched.isEmpty && !shared.isStopping
      return shared.isQueueTimerSet
    }
    if mustSet { setQueueTimer() }
  }

  private func reportPosition(_ job: ActiveJob, _ position: UInt64) {
    let (record, isNews, isWatched) = job.withLock { state in
      let isWatched = !state.observers.isEmpty && state.phase == .queued
      let isNews = isWatched && state.lastQueuePosition != position
      if isNews { state.lastQueuePosition = position }
      return (state.record, isNews, isWatched)
    }
    if !isWatched { shared.signal { _ = $0.watched.remove(job.id) } }
    guard isNews else { return }
    var body = JobEventBody()
    body.queuePosition = position
    write(
      JobUpdate(
        jobID: job.id, attempt: record.attempt,
        events: [
          NewEvent(
            time: clock.now(), kind: .queueMoved, status: .queued, attempt: record.attempt,
            body: body)
        ]), job)
  }
}

/// One watcher of one job.
private final class JobObservation: Observation {
  private let job: ActiveJob
  private let number: UInt64

  init(_ job: ActiveJob, _ number: UInt64) {
    self.job = job
    self.number = number
  }

  deinit { end() }

  func end() {
    let number = self.number
    job.withLock { state in _ = state.observers.removeValue(forKey: number) }
  }
}
