internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore
internal import QubusDevices
internal import QubusJobs
internal import QubusSimulator

/// One attempt of a job on a compute thread: rows in order, chunks in order within a row.
final class JobRun {
  /// How the attempt ended.
  enum Ending {
    case succeeded(JobResult)
    case failed(QubusError)
    case stopped(ActiveJob.Stop)
  }

  let job: ActiveJob
  let record: JobRecord
  let prepared: PreparedJob
  let engine: Engine
  let team: ComputeTeam
  private(set) var assembly: ResultAssembly
  private(set) var phases: PhaseLedger
  private(set) var shotsDone: UInt64 = 0
  private var rowsDone: UInt64 = 0
  /// Part of the row under way that is evolved.
  private var evolution = 0.0
  /// True until the row's first chunk is done: later ones tell of shots instead.
  private var isEvolving = false
  private(set) var isAnnounced = false
  /// True when the job is not durable yet: nothing is told before its end.
  private let isSilent: Bool
  private let startedAt: Microseconds
  private var lastReport: Microseconds
  /// Device time of earlier attempts.
  private let deviceBefore: Microseconds
  /// Nil: the job is free.
  private var meter: CostMeter?

  init(
    _ engine: Engine, _ job: ActiveJob, _ prepared: PreparedJob, team: ComputeTeam,
    isSilent: Bool = false
  ) {
    self.isSilent = isSilent
    self.engine = engine
    self.job = job
    self.prepared = prepared
    self.team = team
    record = job.record
    assembly = ResultAssembly(prepared.pubs)
    phases = record.phases
    let now = engine.clock.now()
    phases.finishedAt = nil
    phases.reservedAt = now
    phases.startedAt = now
    deviceBefore = record.phases.deviceMicroseconds ?? 0
    phases.deviceMicroseconds = deviceBefore
    startedAt = engine.clock.monotonic()
    lastReport = startedAt
    meter = record.costHeld == nil ? nil : CostMeter(engine.ledger, record, prepared)
  }

  func run() -> Ending {
    if !isSilent, prepared.estimatedSeconds >= engine.configuration.announceSeconds { announce() }
    do throws(QubusError) {
      for (index, pub) in prepared.pubs.enumerated() { try run(pub, UInt16(index)) }
      phases.finishedAt = engine.clock.now()
      return .succeeded(try result(job.flag))
    } catch {
      // Whoever set the flag left the reason; a device's own cancellation has none.
      if let stop = job.withLock({ $0.stop }), error.code == .executionCanceled {
        return .stopped(stop)
      }
      return .failed(error)
    }
  }

  private func run(_ pub: PreparedPub, _ index: UInt16) throws(QubusError) {
    if pub.wantsOnlyExpectationValues, try runExpectations(pub, index) { return }
    if team.threadCount > 1, runsTogether(pub) { return try runTogether(pub, index) }
    let observables = pub.observablesByRow()
    let inputs = RowInputs(pub)
    let session = session(pub, team, progress: evolutionProgress())
    for row in 0..<pub.rows {
      try poll()
      if row > 0 { report() }
      isEvolving = true
      let execution = try session.open(inputs: try inputs.values(row: row))
      var result = RowResult()
      if pub.wantsExact {
        let outputs = pub.exactOutputs(observables[row].map(\.observable))
        let chunk = try run(.exact(outputs), index, row, execution)
        result.merge(chunk)
      }
      if pub.shots > 0 { try runShots(pub, index, row, execution, &result) }
      let positions = observables[row].map(\.position)
      do throws(QubusError) {
        try finish(result, index, row, positions)
      } catch {
        if pub.shots > 0 { keepShots(of: result, index, row) }
        throw error
      }
    }
  }

  func session(
    _ pub: PreparedPub, _ team: ComputeTeam, progress: EvolutionProgress? = nil
  ) -> any DeviceSession {
    prepared.device.session(
      pub.program, precision: prepared.precision, seed: record.seed, team: team,
      cancellation: job.flag, progress: progress)
  }

  /// Takes over a row that is done.
  /// - Parameter positions: where its expectation values go.
  /// - Throws: `execution_canceled`; the row then is not in the result.
  func finish(
    _ result: RowResult, _ pub: UInt16, _ row: Int, _ positions: [Int]
  ) throws(QubusError) {
    try assembly.add(result, pub: Int(pub), row: row, positions: positions, job.flag)
    rowsDone += 1
    evolution = 0
  }

  /// Takes the counts of a row that was stopped into what a partial result has.
  private func keepShots(of result: RowResult, _ pub: UInt16, _ row: Int) {
    var kept = RowResult()
    kept.counts = result.counts
    kept.normDrift = result.normDrift
    kept.planHashes = result.planHashes
    // Without a flag nothing is thrown: the end of a stopped job is not stopped again.
    try? assembly.add(kept, pub: Int(pub), row: row, positions: [], nil)
  }

  private func runShots(
    _ pub: PreparedPub, _ index: UInt16, _ row: Int, _ execution: any DeviceExecution,
    _ result: inout RowResult
  ) throws(QubusError) {
    var counts = CountsAccumulator(bitCount: pub.program.circuit.bitCount)
    var memory: [UInt8] = []
    let wantsMemory = pub.outputs.contains(.memory)
    if wantsMemory {
      memory.reserveCapacity(Int(pub.shots) * ((pub.program.circuit.bitCount + 7) / 8))
    }
    let wantsCounts = pub.outputs.contains(.counts)
    let size = max(1, pub.estimate.shotsPerChunk)
    var first: UInt64 = 0
    do throws(QubusError) {
      while first < pub.shots {
        if first > 0 {
          try poll()
          try report(pub, index, row, first, &counts)
        }
        let count = min(size, pub.shots - first)
        let work = ChunkWork.shots(first: first, count: count, memory: wantsMemory)
        let chunk = try run(work, index, row, execution)
        if let chunk = chunk.counts { counts.add(chunk) }
        if let chunk = chunk.memory { memory += chunk }
        result.note(chunk)
        first += count
        shotsDone(count)
        try counts.settle(job.flag)
      }
      if wantsCounts { result.counts = try counts.total(job.flag) }
    } catch {
      // The shots that were done stay.
      if wantsCounts { result.counts = try counts.total(nil) }
      if first > 0 { keepShots(of: result, index, row) }
      throw error
    }
    if wantsMemory { result.memory = memory }
  }

  private func run(
    _ work: ChunkWork, _ pub: UInt16, _ row: Int, _ execution: any DeviceExecution
  ) throws(QubusError) -> ChunkResult {
    let result = try execution.run(
      ChunkRequest(
        jobID: job.id, attempt: record.attempt, lease: 0, pub: pub, row: UInt32(row), work: work))
    isEvolving = false
    evolution = 0
    used(result.deviceMicroseconds)
    return result
  }

  /// Counts device time, and announces a job that takes longer than was thought.
  func used(_ microseconds: Microseconds) {
    phases.deviceMicroseconds = (phases.deviceMicroseconds ?? 0) + microseconds
    announceIfLong(engine.clock.monotonic())
  }

  private func announceIfLong(_ now: Microseconds) {
    let limit = Microseconds(engine.configuration.announceSeconds * 1e6)
    if !isAnnounced, !isSilent, now - startedAt > limit { announce() }
  }

  /// - Throws: `execution_canceled` when the attempt must stop here.
  func poll() throws(QubusError) {
    if job.flag.isCanceled || job.withLock({ $0.stop != nil }) {
      throw QubusError(.executionCanceled, "the job was stopped")
    }
    if meter != nil { try checkCost() }
  }

  /// Device time of this attempt; those before were interrupted by the service and cost nothing.
  private var deviceTime: Microseconds { (phases.deviceMicroseconds ?? 0) - deviceBefore }

  /// - Throws: `execution_canceled` when nothing more may be spent; the reason is left in the job.
  private func checkCost() throws(QubusError) {
    let now = engine.clock.now()
    guard let refusal = meter?.check(shots: shotsDone, device: deviceTime, now: now) else { return }
    job.withLock { state in
      if state.stop == nil { state.stop = .costLimit(refusal) }
    }
    throw QubusError(.executionCanceled, "the job was stopped")
  }

  /// What the end of the attempt comes to: what failed by itself is free.
  private func settlement(_ ending: Ending, now: Microseconds) -> CostSettlement? {
    switch ending {
    case .failed, .stopped(.interrupted): nil
    case .succeeded,
      .stopped(.canceled), .stopped(.expired), .stopped(.runLimit), .stopped(.costLimit):
      meter?.settle(shots: shotsDone, device: deviceTime, now: now)
    }
  }

  func shotsDone(_ count: UInt64) {
    shotsDone += count
    let shots = shotsDone
    job.withLock { $0.shotsDone = shots }
  }
}

extension JobRun {
  /// Makes the move to `running` durable without waiting for it.
  private func announce() {
    isAnnounced = true
    var update = JobUpdate(
      jobID: job.id, attempt: record.attempt, moves: Self.startMoves, events: startEvents())
    update.reason = ""
    update.device = prepared.device.name
    update.phases = phases
    engine.write(update, job)
  }

  private static let startMoves: [JobStatus] = [.reserved, .running]

  private func startEvents() -> [NewEvent] {
    let time = phases.startedAt ?? 0
    var assigned = JobEventBody()
    assigned.device = prepared.device.name
    return [
      event(.statusChanged, .reserved, time), event(.deviceAssigned, .reserved, time, assigned),
      event(.statusChanged, .running, time), event(.attemptStarted, .running, time),
    ]
  }

  private func event(
    _ kind: JobEventKind, _ status: JobStatus, _ time: Microseconds,
    _ body: JobEventBody = JobEventBody(), reason: String = ""
  ) -> NewEvent {
    NewEvent(
      time: time, kind: kind, status: status, reason: reason, attempt: record.attempt, body: body)
  }

  private var progress: JobEventBody {
    var body = JobEventBody()
    body.progress = JobProgress(
      shotsDone: shotsDone, shotsTotal: prepared.shotsTotal, rowsDone: rowsDone,
      rowsTotal: prepared.rowsTotal, evolution: evolution)
    return body
  }

  /// Told by the device in the middle of an evolution, on the thread that runs this attempt.
  private func evolutionProgress() -> EvolutionProgress {
    // The session that holds it ends before this attempt does.
    nonisolated(unsafe) unowned let run = self
    return { part in
      guard run.isEvolving else { return }
      run.evolution = part
      run.announceIfLong(run.engine.clock.monotonic())
      run.report()
    }
  }

  /// True when the last report is long enough ago; this one then counts.
  private func mayReport() -> Bool {
    let now = engine.clock.monotonic()
    guard isAnnounced, now - lastReport >= engine.configuration.progressMicroseconds else {
      return false
    }
    lastReport = now
    return true
  }

  private func progressUpdate(_ time: Microseconds) -> JobUpdate {
    var update = JobUpdate(
      jobID: job.id, attempt: record.attempt, events: [event(.progress, .running, time, progress)])
    update.shotsDone = shotsDone
    return update
  }

  /// Tells of progress unless it did a moment ago.
  func report() {
    if mayReport() { engine.write(progressUpdate(engine.clock.now()), job) }
  }

  /// Tells of progress and of the row's counts so far, unless it did a moment ago.
  private func report(
    _ pub: PreparedPub, _ index: UInt16, _ row: Int, _ rowShots: UInt64,
    _ counts: inout CountsAccumulator
  ) throws(QubusError) {
    guard mayReport() else { return }
    let time = engine.clock.now()
    var update = progressUpdate(time)
    if pub.outputs.contains(.counts) {
      var body = JobEventBody()
      body.counts = try counts.total(job.flag)
        .partial(pub: UInt32(index), row: UInt32(row), shots: rowShots)
      update.events.append(event(.countsPartial, .running, time, body))
    }
    engine.write(update, job)
  }

  /// The update that ends the attempt, with the moves that were not told yet.
  func ending(_ ending: Ending) -> JobUpdate {
    let now = engine.clock.now()
    var update = JobUpdate(jobID: job.id, attempt: record.attempt)
    if !isAnnounced {
      update.moves = Self.startMoves
      update.events = startEvents()
      update.device = prepared.device.name
      update.reason = ""
    } else {
      update.events = [event(.progress, .running, now, progress)]
    }
    phases.finishedAt = phases.finishedAt ?? now
    phases.storedAt = now
    if meter != nil {
      update.settlement = settlement(ending, now: now)
      engine.logger(record).tell(meter?.alerts ?? [])
    }
    switch ending {
    case .succeeded(var result):
      move(&update, .processingResults, now)
      move(&update, .succeeded, now)
      result.provenance.phases = phases
      update.result = result
    case .failed(let error): fail(&update, error, now)
    case .stopped(.runLimit):
      let limit = prepared.spec.execution.maxRunSeconds ?? engine.configuration.maxRunSeconds ?? 0
      let error = QubusError(
        .executionTimedOut, "the job ran longer than max_run_seconds (limit: \(limit) s)")
      fail(&update, error, now)
    case .stopped(.costLimit(let error)):
      fail(&update, error, now)
      update.result = partialResult()
    case .stopped(.expired):
      let reason = prepared.spec.execution.expiryReason
      update.error = QubusError(
        .jobExpired, "the \(reason) of the job passed while it ran",
        details: ["shots_done": String(shotsDone)])
      move(&update, .expired, now, reason: reason)
    case .stopped(.canceled(let message)):
      update.cancelRequested = true
      move(&update, .canceled, now, reason: JobReason.canceledByClient, message: message)
      update.result = partialResult()
    case .stopped(.interrupted):
      interrupt(&update, now)
    }
    update.phases = phases
    update.shotsDone = shotsDone
    return update
  }

  private func fail(_ update: inout JobUpdate, _ error: QubusError, _ now: Microseconds) {
    update.error = error
    move(&update, .failed, now, error: error)
  }

  private func interrupt(_ update: inout JobUpdate, _ now: Microseconds) {
    move(&update, .queued, now, reason: JobReason.interrupted)
    update.newAttempt = record.attempt + 1
    phases.finishedAt = nil
    phases.storedAt = nil
    phases.queuedAt = now
    shotsDone = 0
  }

  private func move(
    _ update: inout JobUpdate, _ status: JobStatus, _ now: Microseconds, reason: String = "",
    error: QubusError? = nil, message: String = ""
  ) {
    var body = JobEventBody()
    body.error = error
    if !message.isEmpty { body.details["message"] = message }
    update.moves.append(status)
    update.events.append(event(.statusChanged, status, now, body, reason: reason))
    update.reason = reason
  }

  /// What a stopped attempt leaves: the counts of the shots that were done.
  private func partialResult() -> JobResult? {
    assembly.keepCountsOnly()
    // Without a flag nothing is thrown: the end of a stopped job is not stopped again.
    return try? result(nil)
  }

  /// - Throws: `execution_canceled`.
  private func result(_ cancellation: CancellationFlag?) throws(QubusError) -> JobResult {
    let plans = assembly.planOptions
    let (manifest, data) = try assembly.finish(
      jobID: job.id, attempt: record.attempt, shotsDone: shotsDone, cancellation)
    var provenance = prepared.provenance(record, phases)
    provenance.executionHash = manifest.executionHash
    provenance.compileOptions.merge(plans) { $1 }
    return JobResult(manifest: manifest, provenance: provenance, data: data)
  }
}
