internal import Logging
internal import QubusCore
internal import QubusJobs
internal import QubusScheduler

/// What ended runs tell of further ones. Estimates order jobs and date their starts; none ends one.
extension Engine {
  /// Ended jobs that a start of the service learns from.
  static let rememberedRuns = 512

  /// A job as the scheduler is to know it while it waits: with the run times of those like it.
  func waitingJob(_ record: JobRecord, _ prepared: PreparedJob) -> SchedulerJob {
    var job = schedulerJob(record, prepared)
    let learned = runTimes.estimate(
      ProgramMark(prepared), device: record.device, principal: record.principal,
      predicted: job.predictedMicroseconds)
    if let learned {
      job.predictedMicroseconds = learned.median
      job.longMicroseconds = max(learned.long, learned.median)
    } else {
      job.longMicroseconds = Microseconds(
        Double(job.predictedMicroseconds) * RunTimeModel.usualRatio)
    }
    return job
  }

  /// Takes in a job that succeeded: others were stopped, or broke.
  /// - Parameter predicted: seconds, by the device; nil: not known any more.
  func learn(_ record: JobRecord, _ provenance: Provenance, predicted: Double?) {
    let phases = provenance.phases
    guard let start = phases.startedAt, let end = phases.finishedAt, end >= start else { return }
    runTimes.note(
      LearnedRunTimes.Run(
        device: record.device, principal: record.principal, program: ProgramMark(provenance),
        time: end - start, predicted: predicted.map { Microseconds(min($0, 1e9) * 1e6) }))
  }

  /// Learns again what the store still tells of the last jobs, oldest first.
  func restoreRunTimes() {
    var filter = JobFilter()
    filter.statuses = [.succeeded]
    filter.limit = Self.rememberedRuns
    do throws(QubusError) {
      for record in try store.jobs(filter).reversed() {
        // One whose provenance cannot be read teaches nothing.
        guard let (_, provenance) = try? store.result(record.id) else { continue }
        learn(record, provenance, predicted: nil)
        runTimes.settle()
      }
    } catch {
      logger.warning(
        "run times of earlier jobs are not known", metadata: ["error": "\(error.logText)"])
    }
  }
}
