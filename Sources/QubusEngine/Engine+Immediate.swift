internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore
internal import QubusJobs
internal import QubusScheduler
internal import QubusSimulator
internal import QubusTenancy

extension PreparedPub {
  /// True when nothing that the estimate leaves out can take long: few rows, values and gates, no
  /// loops.
  fileprivate var isTiny: Bool {
    let terms = observables.reduce(0) { $0 + $1.terms.count }
    let values = Broadcast.count(expectationShape) ?? .max
    return rows <= 4 && terms <= 256 && values <= 256
      && program.circuit.operations.count <= 256 && !program.analysis.hasControlFlow
  }
}

/// Jobs of microseconds run on the thread that brings them, while their acceptance is written, when
/// the scheduler gives them a slot at once: three hops between threads fall away (decisions 0005,
/// 0011). Nothing of them shows before the acceptance is durable.
extension Engine {
  /// Whether the job is small enough, and certain to be: no loop may run longer than predicted.
  private func isImmediate(_ prepared: PreparedJob) -> Bool {
    prepared.estimatedSeconds <= configuration.immediateSeconds && prepared.cores != .all
      && prepared.memoryBytes <= configuration.expressMemoryBytes
      && prepared.pubs.allSatisfy(\.isTiny)
      && writesUnderWay.withLock { $0 < configuration.writesUnderWay }
  }

  /// Hands the acceptance to the store, runs the job and hands over its end; false when it has to
  /// wait its turn.
  func runAtOnce(
    _ record: JobRecord, _ prepared: PreparedJob, _ events: [NewEvent], _ submission: Submission
  ) -> Bool {
    if case .refused? = record.costAcceptance { return false }
    guard isImmediate(prepared), scheduler.startNow(schedulerJob(record, prepared)) else {
      return false
    }
    let job = ActiveJob(record, prepared: prepared)
    defer { scheduler.post(.finished(job.id)) }
    guard begin(job) else {
      submission.giveBack()
      submission.completion(.failure(.shuttingDown))
      return true
    }
    defer {
      quotas.ended(job.id)
      shared.signal { $0.running[job.id] = nil }
    }
    store.perform(
      .accept(record, events, audit: submission.entry(record)) { [self] result in
        acceptedAtOnce(result, job, submission)
      })
    // A full queue refuses at once.
    if job.withLock({ $0.isDropped }) { return true }
    let team = immediateTeams.withLock { $0.popLast() } ?? ComputeTeam(threadCount: 1)
    let run = JobRun(self, job, prepared, team: team, isSilent: true)
    let ending = finish(job, run.run())
    immediateTeams.withLock { $0.append(team) }
    // One that is known to be refused by now has no end to write.
    if !job.withLock({ $0.isDropped }) { write(run.ending(ending), job) }
    return true
  }

  /// On the store's thread, while the job may still run; its end is written behind.
  private func acceptedAtOnce(
    _ result: Result<AcceptOutcome, QubusError>, _ job: ActiveJob, _ submission: Submission
  ) {
    // A submit that was refused or ran before: this run never was.
    settle(result, submission, withoutJob: { job.withLock { $0.isDropped = true } }) {
      record, events in
      job.withLock { $0.accepted(record, events) }
      _ = table.keep(job, isRunning: true)
    }
  }
}
