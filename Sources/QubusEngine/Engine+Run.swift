internal import Logging
internal import QubusCore
internal import QubusJobs
internal import QubusScheduler
internal import QubusSimulator
internal import QubusTenancy

/// What a compute thread does with a job.
extension Engine {
  func run(_ id: Identifier, ownTeam: ComputeTeam) {
    writesUnderWay.wait { $0 < configuration.writesUnderWay ? () : nil }
    let job: ActiveJob
    do throws(QubusError) {
      job = try activate(id)
    } catch {
      return retryLater(id, error)
    }
    guard begin(job) else { return }
    scoreQuotes(of: id)
    runningJobs.begin()
    defer {
      runningJobs.end()
      quotas.ended(id)
      shared.signal { $0.running[id] = nil }
    }
    let prepared: PreparedJob
    do throws(QubusError) {
      prepared = try self.prepared(job)
    } catch {
      return endUnprepared(job, error)
    }
    let team = prepared.cores == .all ? allCores : ownTeam
    let run = JobRun(self, job, prepared, team: team)
    let ending = finish(job, run.run())
    if case .failed(let error) = ending {
      logger(run.record).warning("job failed", metadata: ["error": "\(error.logText)"])
    }
    let update = run.ending(ending)
    #if QUBUS_FAULT_INJECTION
      if case .succeeded = ending { FaultPoint.processingResults.reached() }
    #endif
    write(update, job)
  }

  /// Ends the running of a job: a stop that came while its result was put together still counts,
  /// from here on it comes too late.
  func finish(_ job: ActiveJob, _ ending: JobRun.Ending) -> JobRun.Ending {
    job.withLock { state in
      var ending = ending
      if case .succeeded = ending, let stop = state.stop { ending = .stopped(stop) }
      if case .stopped(.interrupted) = ending {
        // Runs again at the next start; nothing is waiting for it in this life.
        state.phase = .queued
      } else {
        state.phase = .finishing
      }
      return ending
    }
  }

  /// Takes the job for this thread; false when it left the queue in the meantime.
  func begin(_ job: ActiveJob) -> Bool {
    let isOurs = job.withLock { state -> Bool in
      guard state.phase == .queued, state.withheld.isEmpty else { return false }
      state.phase = .running
      return true
    }
    guard isOurs else { return false }
    let mayRun = shared.signal { shared -> Bool in
      guard !shared.isStopping else { return false }
      shared.running[job.id] = job
      shared.watched.remove(job.id)
      return true
    }
    guard mayRun else {
      job.withLock { $0.phase = .queued }
      return false
    }
    let (principal, memory) = job.withLock { state in
      (state.record.principal, state.prepared?.memoryBytes ?? 0)
    }
    quotas.began(job.id, of: principal, memoryBytes: memory)
    return true
  }

  /// The job ready to run: kept from its submit, or made again from its stored request.
  private func prepared(_ job: ActiveJob) throws(QubusError) -> PreparedJob {
    if let prepared = job.withLock({ $0.prepared }) { return prepared }
    return try prepared(of: job.record)
  }

  /// From the stored request, on the device and in the lane that were chosen last.
  func prepared(of record: JobRecord) throws(QubusError) -> PreparedJob {
    preparation.restored(try preparation.prepare(try spec(of: record)), in: record.lane)
  }

  private func endUnprepared(_ job: ActiveJob, _ error: QubusError) {
    job.withLock { $0.phase = .finishing }
    logger(job.record).error(
      "the stored request cannot run", metadata: ["error": "\(error.logText)"])
    write(.end(job.record, .failed, reason: "", error: error, at: clock.now()), job)
  }

  /// A job that could not be read waits again, as one that takes everything since its size is
  /// unknown.
  private func retryLater(_ id: Identifier, _ error: QubusError) {
    logger.error(
      "a job cannot be read", metadata: ["job_id": "\(id)", "error": "\(error.logText)"])
    guard error.isStoreTrouble else { return }
    let job = SchedulerJob(
      id: id, lane: .batch, cores: .all, memoryBytes: configuration.memoryBytes)
    scheduler.schedule(at: clock.now() + 1_000_000) { [self] in scheduler.post(.restored(job)) }
  }
}
