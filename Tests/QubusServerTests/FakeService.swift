import QubusCore
import QubusEngine
import QubusJobs
import QubusScheduler
import QubusTenancy

/// The engine as the server sees it, with jobs that move only when a test says so.
final class FakeService: JobService {
  struct Job {
    var record: JobRecord
    var events: [JobEvent] = []
    var result: (ResultManifest, Provenance)?
    var chunks: [[[UInt8]]] = []
  }
  struct State {
    var jobs: [Identifier: Job] = [:]
    var observers: [Identifier: [ObjectIdentifier: @Sendable (UInt64, JobStatus) -> Void]] = [:]
    var held: [@Sendable () -> Void] = []
    var submits = 0
    var chunkReads = 0
    var contexts: [CallContext] = []
  }

  let state = Lock(State())
  let ids = IdentifierSource(clock: SystemClock())
  /// False: events are only "on disk", so the server must read them on its readers.
  let keepsEventsInMemory: Bool
  /// Submits complete only when `release` is called.
  let holdsSubmits: Bool

  init(keepsEventsInMemory: Bool = true, holdsSubmits: Bool = false) {
    self.keepsEventsInMemory = keepsEventsInMemory
    self.holdsSubmits = holdsSubmits
  }

  final class Token: Observation {
    private let onEnd: @Sendable (ObjectIdentifier) -> Void
    init(_ onEnd: @escaping @Sendable (ObjectIdentifier) -> Void) { self.onEnd = onEnd }
    func end() { onEnd(ObjectIdentifier(self)) }
  }

  // MARK: What tests do

  func add(status: JobStatus = .queued) -> Identifier {
    let id = ids.next()
    state.withLock {
      var record = JobRecord(
        id: id, principal: Principal(tenant: "default", project: "default", name: "test"),
        request: [])
      record.status = status
      $0.jobs[id] = Job(record: record)
    }
    return id
  }

  func append(_ id: Identifier, _ statuses: JobStatus..., details: [String: String] = [:]) {
    let (observers, last, status) = state.withLock { state in
      for status in statuses {
        let sequence = UInt64(state.jobs[id]!.events.count + 1)
        var body = JobEventBody()
        body.details = details
        state.jobs[id]!.events.append(
          JobEvent(
            jobID: id, sequence: sequence, time: 1, kind: .statusChanged, status: status,
            attempt: 1, body: body))
        state.jobs[id]!.record.status = status
        state.jobs[id]!.record.lastSequence = sequence
      }
      let record = state.jobs[id]!.record
      return (Array((state.observers[id] ?? [:]).values), record.lastSequence, record.status)
    }
    for observer in observers { observer(last, status) }
  }

  func setResult(_ id: Identifier, chunks: [[UInt8]]) {
    state.withLock {
      var manifest = ResultManifest(jobID: id, attempt: 1)
      var offset: UInt64 = 0
      var infos: [ResultChunkInfo] = []
      for chunk in chunks {
        infos.append(
          ResultChunkInfo(offset: offset, bytes: UInt64(chunk.count), sha256: [1, 2, 3]))
        offset += UInt64(chunk.count)
      }
      manifest.items = [
        ResultItem(
          name: "memory", pub: 0, dataType: .uint8, shape: [offset], bytes: offset, sha256: [4],
          chunks: infos)
      ]
      $0.jobs[id]!.result = (manifest, Provenance(jobID: id))
      $0.jobs[id]!.chunks = [chunks]
      $0.jobs[id]!.record.hasResult = true
    }
  }

  func fail(_ id: Identifier, _ error: QubusError) {
    state.withLock { $0.jobs[id]!.record.error = error }
    append(id, .failed)
  }

  func release() {
    let held = state.withLock { state in
      defer { state.held = [] }
      return state.held
    }
    for completion in held { completion() }
  }

  var observerCount: Int { state.withLock { $0.observers.values.reduce(0) { $0 + $1.count } } }

  // MARK: JobService

  func submit(
    _ spec: JobSpec, request: [UInt8], batch: Identifier?, context: CallContext,
    completion: @escaping @Sendable (Result<SubmitReport, QubusError>) -> Void
  ) {
    let id = add()
    let view = state.withLock { state in
      state.submits += 1
      state.contexts.append(context)
      state.jobs[id]!.record.name = spec.experiment.name
      state.jobs[id]!.record.request = request
      state.jobs[id]!.record.batch = batch
      return JobView(record: state.jobs[id]!.record)
    }
    let answer: @Sendable () -> Void = {
      completion(
        spec.experiment.name == "refuse"
          ? .failure(
            QubusError(
              .queueCapacityExceeded, "full", retryAfterMilliseconds: 250,
              details: ["depth": "7"]))
          : .success(SubmitReport(job: view, isDuplicate: false)))
    }
    if holdsSubmits { state.withLock { $0.held.append(answer) } } else { answer() }
  }

  func plan(
    _ spec: JobSpec, context: CallContext,
    completion: @escaping @Sendable (Result<PlanReport, QubusError>) -> Void
  ) {
    completion(
      .success(
        PlanReport(
          device: "sim", lane: "batch", pubs: [], memoryBytes: 1, memoryLimitBytes: 2,
          estimatedSeconds: 3, fingerprint: [255], jobsAhead: 4)))
  }

  func cancel(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<CancelReport, QubusError>) -> Void
  ) {
    completion(
      Result { () throws(QubusError) in
        CancelReport(outcome: .beforeStart, shotsDone: 0, job: try job(id, context: context))
      })
  }

  func annotate(
    _ id: Identifier, annotations: [String: String], context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    completion(Result { () throws(QubusError) in try job(id, context: context) })
  }

  func replay(
    _ id: Identifier, context: CallContext,
    completion: @escaping @Sendable (Result<SubmitReport, QubusError>) -> Void
  ) {
    let replay = add()
    completion(
      Result { () throws(QubusError) in
        _ = try job(id, context: context)
        return SubmitReport(job: try job(replay, context: context), isDuplicate: false)
      })
  }

  func compareReplay(
    _ id: Identifier, replay: Identifier, context: CallContext
  ) throws(QubusError) -> ReplayReport {
    let view = try job(replay, context: context)
    return ReplayReport(
      replay: view, outcome: view.record.status.isTerminal ? .identical : .pending,
      originalHash: [1], replayHash: [1], explanation: "")
  }

  func pause(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    completion(
      Result { () throws(QubusError) in
        var view = try job(id, context: context)
        view.record.reason = "PAUSED \(reason)"
        return view
      })
  }

  func resume(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    completion(.failure(QubusError(.illegalTransition, "job \(id) is queued and not paused")))
  }

  func newBatch() -> Identifier { ids.next() }

  func change(
    _ id: Identifier, _ change: JobChange, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    completion(
      Result { () throws(QubusError) in
        var view = try job(id, context: context)
        view.record.lane = change.lane ?? "as it was"
        view.record.priority = change.priority ?? 0
        view.record.device = change.device ?? "as it was"
        view.record.reason = reason
        return view
      })
  }

  func cancelBatch(
    _ batch: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<BatchCancelReport, QubusError>) -> Void
  ) {
    let jobs = state.withLock { $0.jobs.values.filter { $0.record.batch == batch } }
    completion(
      jobs.isEmpty
        ? .failure(QubusError(.jobNotFound, "there is no batch \(batch)"))
        : .success(
          BatchCancelReport(beforeStart: jobs.count, duringRun: reason.count, tooLate: 3)))
  }

  func resubmit(
    _ id: Identifier, idempotencyKey: String, context: CallContext,
    completion: @escaping @Sendable (Result<SubmitReport, QubusError>) -> Void
  ) {
    let again = add()
    completion(
      Result { () throws(QubusError) in
        _ = try job(id, context: context)
        var view = try job(again, context: context)
        view.record.resubmitOf = id
        view.record.idempotencyKey = idempotencyKey
        return SubmitReport(job: view, isDuplicate: idempotencyKey == "known")
      })
  }

  func hold(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    completion(
      Result { () throws(QubusError) in
        var view = try job(id, context: context)
        view.record.reason = "HELD \(reason)"
        return view
      })
  }

  func release(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    completion(.failure(QubusError(.illegalTransition, "job \(id) is queued and not held")))
  }

  func explain(_ id: Identifier, context: CallContext) throws(QubusError) -> JobExplanation {
    JobExplanation(
      job: try job(id, context: context),
      constraints: [
        WaitConstraint(
          kind: .shareTurn, since: 5, detail: "others first", remedy: "patience", delay: 9),
        WaitConstraint(kind: .tooLarge, since: 6, detail: "no room", remedy: "room"),
      ])
  }

  func queuePolicy(context: CallContext) -> QueuePolicyReport {
    var rules = FairPolicy()
    rules.overdueStretch = nil
    let principal = context.principal
    return QueuePolicyReport(
      lanes: [
        .init(
          lane: .batch, share: 0.5, takes: "large ones", overdueAfter: 2_500_000, jobsQueued: 3,
          jobsQueuedLimit: 4),
        .init(
          lane: .overdue, share: 0.25, takes: "late ones", overdueAfter: nil, jobsQueued: 0,
          jobsQueuedLimit: 4),
      ],
      standings: [
        AccountStanding(
          account: AccountPath(tenant: principal.tenant), weight: 2, factor: 0.5, used: 9)
      ], rules: rules,
      capacity: SchedulerCapacity(computeSlots: 2, memoryBytes: 100, jobsQueued: 7),
      allCoresSeconds: 0.05, maxRunSeconds: nil)
  }

  /// Jobs whose forecast takes a thread that may block.
  let forecastsDue = Lock<Set<Identifier>>([])
  func isForecastDue(_ id: Identifier) -> Bool { forecastsDue.withLock { $0.contains(id) } }

  func startQuoteScores(
    context: CallContext
  ) throws(QubusError) -> (level: Double, scores: [StartQuoteScore]) {
    var batch = StartQuoteScore(lane: "batch")
    (batch.quotes, batch.scored, batch.covered, batch.since) = (10, 4, 3, 700)
    (batch.widthSeconds, batch.errorSeconds) = (20, 8)
    var long = StartQuoteScore(lane: "long")
    (long.quotes, long.since) = (1, 600)
    return (0.8, [batch, long])
  }

  func archive(
    _ id: Identifier, to destination: String, reason: String, context: CallContext
  ) throws(QubusError) -> ArchiveReport {
    let (view, manifest, provenance) = try result(id, context: context)
    return ArchiveReport(
      job: view, programs: [Array(destination.utf8), []], manifest: manifest,
      provenance: provenance, archivedBy: context.principal, archivedAt: 7)
  }

  func restore(
    _ chunk: ArchivedChunk, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<RestoreReport, QubusError>) -> Void
  ) {
    completion(
      Result { () throws(QubusError) in
        guard chunk.data == [1, 2, 3] else { throw QubusError(.archiveDamaged, "other bytes") }
        return RestoreReport(
          job: try job(chunk.jobID, context: context), chunksMissing: chunk.chunk,
          wasThere: reason == "again")
      })
  }

  func decide(
    _ id: Identifier, _ action: ApprovalAction, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void
  ) {
    completion(
      Result { () throws(QubusError) in
        var view = try job(id, context: context)
        view.record.reason = "\(action.word) \(reason)"
        return view
      })
  }

  func approvals(
    _ filter: ApprovalFilter, context: CallContext
  ) throws(QubusError) -> (waiting: [PendingApproval], policies: [ApprovalPolicy]) {
    let jobs = state.withLock { $0.jobs.values.map(\.record) }.sorted { $0.id < $1.id }
    let seen = jobs.filter { job in filter.after.map { job.id > $0 } ?? true }
    return (
      seen.prefix(filter.limit).map {
        PendingApproval(
          job: JobView(record: $0), experimentClass: "demo", causes: ["too large"], expiresAt: 7)
      },
      [ApprovalPolicy(key: .init(tenant: "lab", project: nil, experimentClass: "demo"))]
    )
  }

  func job(_ id: Identifier, context: CallContext) throws(QubusError) -> JobView {
    guard let job = state.withLock({ $0.jobs[id] }) else {
      throw QubusError(.jobNotFound, "there is no job \(id)")
    }
    return JobView(record: job.record, queuePosition: 1)
  }

  func jobs(_ filter: JobFilter, context: CallContext) throws(QubusError) -> [JobView] {
    state.withLock { state in
      let ids = state.jobs.keys.sorted(by: >).filter { id in
        filter.before.map { id < $0 } ?? true
      }
      return ids.prefix(filter.limit).map { JobView(record: state.jobs[$0]!.record) }
    }
  }

  func result(
    _ id: Identifier, context: CallContext
  ) throws(QubusError) -> (JobView, ResultManifest, Provenance) {
    let view = try job(id, context: context)
    guard let result = state.withLock({ $0.jobs[id]?.result }), view.record.status.isTerminal else {
      throw QubusError(.resultNotReady, "the job is \(view.record.status.word)")
    }
    return (view, result.0, result.1)
  }

  func resultChunk(
    _ id: Identifier, item: Int, chunk: Int, context: CallContext
  ) throws(QubusError) -> [UInt8] {
    state.withLock {
      $0.chunkReads += 1
      return $0.jobs[id]!.chunks[item][chunk]
    }
  }

  func events(
    _ id: Identifier, after sequence: UInt64, limit: Int, context: CallContext
  ) throws(QubusError) -> [JobEvent] {
    state.withLock { state in
      Array((state.jobs[id]?.events ?? []).filter { $0.sequence > sequence }.prefix(limit))
    }
  }

  func recentResult(_ id: Identifier, context: CallContext) -> (JobView, JobResult)? { nil }

  func recentEvents(
    _ id: Identifier, after sequence: UInt64, limit: Int, context: CallContext
  ) -> [JobEvent]? {
    guard keepsEventsInMemory else { return nil }
    return state.withLock { state in
      state.jobs[id].map { Array($0.events.filter { $0.sequence > sequence }.prefix(limit)) }
    }
  }

  func observe(
    _ id: Identifier, context: CallContext,
    changed: @escaping @Sendable (UInt64, JobStatus) -> Void
  ) throws(QubusError) -> any Observation {
    let view = try job(id, context: context)
    let token = Token { [weak self] token in
      self?.state.withLock { _ = $0.observers[id]?.removeValue(forKey: token) }
    }
    state.withLock { $0.observers[id, default: [:]][ObjectIdentifier(token)] = changed }
    changed(view.record.lastSequence, view.record.status)
    return token
  }

  func devices(context: CallContext) -> [DeviceReport] {
    [
      DeviceReport(
        name: "sim.statevector", summary: "s", qubitCount: 24, isSimulator: true, isIdeal: true,
        jobsQueued: 0, jobsRunning: 0, memoryLimitBytes: 1, instructionSet: "baseline",
        supportsMidCircuitMeasurement: true, nativeGates: [], outputs: [.counts])
    ]
  }

  func load() -> ServiceLoad { ServiceLoad(jobsQueued: 3, jobsRunning: 2, trouble: "") }
}
