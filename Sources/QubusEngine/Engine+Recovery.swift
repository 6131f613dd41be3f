internal import Logging
internal import QubusCore
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

/// What a service does at its start with the jobs of its earlier life.
extension Engine {
  /// Oldest first: queued jobs wait again in their order, started ones are attempts that were
  /// interrupted and wait again, canceled and expired ones end.
  func recover() throws(QubusError) {
    let records = try store.unfinishedJobs()
    // A started job has to be at its next attempt in the store before anybody touches it: changes
    // of the attempt that died are refused from then on. These are also the older ones.
    for record in records where record.status != .queued { recover(record) }
    flush()
    for record in records where record.status == .queued { recover(record) }
    if !records.isEmpty {
      logger.info("jobs recovered", metadata: ["count": "\(records.count)"])
    }
  }

  private func recover(_ record: JobRecord) {
    let job = ActiveJob(record, prepared: nil)
    let now = clock.now()
    _ = table.insert(job, departures: table.departures)
    if record.cancelRequested {
      let update = JobUpdate.end(
        record, .canceled, reason: JobReason.canceledByClient, error: nil, at: now)
      return end(job, update.throughQueue(from: record))
    }
    let (spec, prepared): (JobSpec, PreparedJob)
    do throws(QubusError) {
      spec = try self.spec(of: record)
      prepared = preparation.restored(try preparation.prepare(spec), in: record.lane)
    } catch {
      logger(record).error("a stored job cannot run", metadata: ["error": "\(error.logText)"])
      let update = JobUpdate.end(record, .failed, reason: "", error: error, at: now)
      return end(job, update.throughQueue(from: record))
    }
    let entry = waitingJob(record, prepared)
    if let expiry = entry.expiresAt, expiry <= now {
      let reason = prepared.spec.execution.expiryReason
      let error = QubusError(.jobExpired, "the \(reason) of the job passed")
      let update = JobUpdate.end(record, .expired, reason: reason, error: error, at: now)
      return end(job, update.throughQueue(from: record))
    }
    let isDependent: Bool
    do throws(QubusError) {
      isDependent = try restoreDependencies(record.id, spec)
    } catch {
      logger(record).error("a stored job cannot run", metadata: ["error": "\(error.logText)"])
      let update = JobUpdate.end(record, .failed, reason: "", error: error, at: now)
      return end(job, update.throughQueue(from: record))
    }
    quotas.restore(
      record.id, of: record.principal, on: Resource.family(ofDevice: record.device))
    job.withLock { $0.prepared = table.count <= configuration.residentJobs ? prepared : nil }
    if isDependent { withholdDependent(record) }
    restoreWithholding(of: record)
    if record.status == .queued, record.reason == JobReason.approval {
      restoreApproval(record, spec, prepared)
      return keepDependent(record.id)
    }
    let restored: @Sendable () -> Void = { [self] in
      scheduler.post(.restored(entry))
      keepDependent(record.id)
    }
    guard let update = requeue(record, now) else { return restored() }
    write(update, job) { result in
      if case .success = result { restored() }
    }
  }

  private func end(_ job: ActiveJob, _ update: JobUpdate) {
    job.withLock { $0.phase = .finishing }
    write(update, job)
  }

  /// The update that makes a job wait again; nil when it does already.
  private func requeue(_ record: JobRecord, _ now: Microseconds) -> JobUpdate? {
    guard record.status != .queued else { return nil }
    let wasStarted = record.status != .accepted
    let reason = wasStarted ? JobReason.interrupted : ""
    var update = JobUpdate(
      jobID: record.id, attempt: record.attempt, moves: [.queued],
      events: [
        NewEvent(
          time: now, kind: .statusChanged, status: .queued, reason: reason,
          attempt: record.attempt + (wasStarted ? 1 : 0))
      ])
    update.reason = reason
    update.phases = record.phases
    update.phases?.queuedAt = now
    if wasStarted {
      update.newAttempt = record.attempt + 1
      update.shotsDone = 0
    }
    return update
  }
}

extension JobUpdate {
  /// Some ends are not legal from `processing_results`; such a job waits for a moment first.
  func throughQueue(from record: JobRecord) -> JobUpdate {
    guard let end = moves.last, !record.status.successors.contains(end) else { return self }
    var update = self
    update.moves.insert(.queued, at: 0)
    update.events.insert(
      NewEvent(
        time: events[0].time, kind: .statusChanged, status: .queued,
        reason: JobReason.interrupted, attempt: record.attempt), at: 0)
    return update
  }
}
