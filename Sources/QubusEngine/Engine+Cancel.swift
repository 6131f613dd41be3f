package import QubusCore
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

extension Engine {
  typealias CancelCompletion = @Sendable (Result<CancelReport, QubusError>) -> Void

  package func cancel(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<CancelReport, QubusError>) -> Void
  ) {
    if reason.utf8.count > SpecValidation.textBytes {
      return completion(
        .failure(
          .field(
            .invalidRequest, "reason", "has \(reason.utf8.count) bytes",
            limit: "\(SpecValidation.textBytes) bytes")))
    }
    if let job = table.job(id) { return cancel(job, reason, context, completion) }
    withJobFromStore(id, completion) { [self] job in cancel(job, reason, context, completion) }
  }

  /// Reads a job that is not in memory, off the caller's thread.
  func withJobFromStore<Report>(
    _ id: Identifier, _ completion: @escaping @Sendable (Result<Report, QubusError>) -> Void,
    _ body: @escaping @Sendable (ActiveJob) -> Void
  ) {
    let isTaken = compilePool.submit { [self] _ in
      do throws(QubusError) {
        body(try activate(id))
      } catch {
        completion(.failure(error))
      }
    }
    if !isTaken { completion(.failure(isStopping ? .shuttingDown : .compileQueueFull)) }
  }

  private enum CancelStep {
    case tooLate(JobRecord)
    case beforeStart(JobRecord)
    case duringRun(JobRecord, isFirst: Bool)
    case waiting
  }

  private func cancel(
    _ job: ActiveJob, _ reason: String, _ context: CallContext,
    _ completion: @escaping CancelCompletion
  ) {
    do throws(QubusError) {
      try context.check(.cancelJobs, job.record, now: clock.now())
    } catch {
      return completion(.failure(error))
    }
    let step = job.withLock { state -> CancelStep in
      let record = state.record
      switch state.phase {
      case .finished: return .tooLate(record)
      case .finishing:
        // The end is being written; what it was is told after the commit.
        state.cancelWaiters.append { record in completion(.success(Self.tooLate(record))) }
        return .waiting
      case .queued:
        state.phase = .finishing
        return .beforeStart(record)
      case .running:
        let isFirst = state.stop == nil
        if isFirst { state.stop = .canceled(reason: reason) }
        state.cancelWaiters.append { record in completion(.success(Self.afterRun(record))) }
        return .duringRun(record, isFirst: isFirst)
      }
    }
    switch step {
    case .tooLate(let record): completion(.success(Self.tooLate(record)))
    case .waiting: break
    case .beforeStart(let record): cancelQueued(job, record, reason, context, completion)
    case .duringRun(let record, let isFirst):
      guard isFirst else { return }
      job.flag.cancel()
      // Durable at once, so that the job does not run again should the service die now.
      var update = JobUpdate(jobID: job.id, attempt: record.attempt)
      update.cancelRequested = true
      update.audit = [entry(record, reason, context)]
      write(update, job)
    }
  }

  private func cancelQueued(
    _ job: ActiveJob, _ record: JobRecord, _ reason: String, _ context: CallContext,
    _ completion: @escaping CancelCompletion
  ) {
    scheduler.post(.canceled(job.id))
    var update = JobUpdate.end(
      record, .canceled, reason: JobReason.canceledByClient, error: nil, at: clock.now())
    update.cancelRequested = true
    update.audit = [entry(record, reason, context)]
    if !reason.isEmpty { update.events[0].body.details["message"] = reason }
    write(update, job) { result in
      switch result {
      case .failure(let error): completion(.failure(error))
      case .success:
        completion(
          .success(
            CancelReport(outcome: .beforeStart, shotsDone: 0, job: JobView(record: job.record))))
      }
    }
  }

  /// A cancel that comes too late changes nothing and leaves no evidence.
  private func entry(
    _ record: JobRecord, _ reason: String, _ context: CallContext
  ) -> AuditEntry {
    context.entry(
      "CancelJob", .cancelJobs, "job \(record.id)", of: record.principal, reason: reason,
      at: clock.now())
  }

  private static func tooLate(_ record: JobRecord) -> CancelReport {
    CancelReport(outcome: .tooLate, shotsDone: record.shotsDone, job: JobView(record: record))
  }

  /// The job may have finished before it saw the flag.
  private static func afterRun(_ record: JobRecord) -> CancelReport {
    CancelReport(
      outcome: record.status == .canceled ? .duringRun : .tooLate, shotsDone: record.shotsDone,
      job: JobView(record: record))
  }
}
