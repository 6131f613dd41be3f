package import QubusCore
package import QubusDevices
package import QubusJobs
package import QubusScheduler
package import QubusTenancy

/// A job as its owner sees it: the stored record and what only the running service knows.
package struct JobView: Sendable {
  package var record: JobRecord
  /// 1 is next; nil unless queued.
  package var queuePosition: UInt64?
  package var estimatedStartAt: Microseconds?
  package var forecast: JobForecast?

  package init(
    record: JobRecord, queuePosition: UInt64? = nil, estimatedStartAt: Microseconds? = nil,
    forecast: JobForecast? = nil
  ) {
    self.record = record
    self.queuePosition = queuePosition
    self.estimatedStartAt = estimatedStartAt
    self.forecast = forecast
  }
}

/// Who calls and from where; goes into the job's row, provenance and log lines.
package struct CallContext: Sendable {
  package var identity: Identity
  package var clientVersion: String
  package var traceID: String
  package var principal: Principal { identity.principal }

  package init(identity: Identity, clientVersion: String, traceID: String) {
    self.identity = identity
    self.clientVersion = clientVersion
    self.traceID = traceID
  }
}

package struct SubmitReport: Sendable {
  package var job: JobView
  package var isDuplicate: Bool

  package init(job: JobView, isDuplicate: Bool) {
    self.job = job
    self.isDuplicate = isDuplicate
  }
}

/// Why a job does not run now.
package struct JobExplanation: Sendable {
  package var job: JobView
  /// All that bind; none for a job that does not wait.
  package var constraints: [WaitConstraint]

  package init(job: JobView, constraints: [WaitConstraint]) {
    self.job = job
    self.constraints = constraints
  }
}

package enum CancelOutcome: UInt8, Sendable {
  case beforeStart = 1
  case duringRun = 2
  case tooLate = 3
}

package struct CancelReport: Sendable {
  package var outcome: CancelOutcome
  /// Shots done and charged, of `duringRun`.
  package var shotsDone: UInt64
  package var job: JobView

  package init(outcome: CancelOutcome, shotsDone: UInt64, job: JobView) {
    self.outcome = outcome
    self.shotsDone = shotsDone
    self.job = job
  }
}

/// What became of the jobs of a batch that was canceled.
package struct BatchCancelReport: Sendable, Hashable {
  package var beforeStart: Int
  package var duringRun: Int
  /// They had ended.
  package var tooLate: Int

  package init(beforeStart: Int = 0, duringRun: Int = 0, tooLate: Int = 0) {
    self.beforeStart = beforeStart
    self.duringRun = duringRun
    self.tooLate = tooLate
  }
}

package enum ReplayOutcome: UInt8, Sendable {
  case pending = 0
  case identical = 1
  case mismatch = 2
  case notComparable = 3
}

package struct ReplayReport: Sendable {
  package var replay: JobView
  package var outcome: ReplayOutcome
  package var originalHash: [UInt8]
  package var replayHash: [UInt8]
  package var explanation: String
  package var totalVariationDistance: Double?

  package init(
    replay: JobView, outcome: ReplayOutcome, originalHash: [UInt8], replayHash: [UInt8],
    explanation: String, totalVariationDistance: Double? = nil
  ) {
    self.replay = replay
    self.outcome = outcome
    self.originalHash = originalHash
    self.replayHash = replayHash
    self.explanation = explanation
    self.totalVariationDistance = totalVariationDistance
  }
}

package struct PlanPubReport: Sendable {
  package var qubitCount: UInt32
  package var bitCount: UInt32
  package var operationCount: UInt64
  package var rows: UInt64
  package var memoryBytes: UInt64
  package var estimatedSeconds: Double
  package var isPerShot: Bool
  package var shotsPerChunk: UInt64
  package var notices: [String]
  /// Of the first row; nil for devices without plans.
  package var execution: ExecutionPlan?

  package init(
    qubitCount: UInt32, bitCount: UInt32, operationCount: UInt64, rows: UInt64,
    memoryBytes: UInt64, estimatedSeconds: Double, isPerShot: Bool, shotsPerChunk: UInt64,
    notices: [String], execution: ExecutionPlan?
  ) {
    self.execution = execution
    self.qubitCount = qubitCount
    self.bitCount = bitCount
    self.operationCount = operationCount
    self.rows = rows
    self.memoryBytes = memoryBytes
    self.estimatedSeconds = estimatedSeconds
    self.isPerShot = isPerShot
    self.shotsPerChunk = shotsPerChunk
    self.notices = notices
  }
}

/// What a job is thought to cost, in micro-units.
package struct CostForecast: Sendable, Hashable {
  package var expected: Int64
  /// In nine of ten cases it is less: what is held.
  package var held: Int64

  package init(expected: Int64, held: Int64) {
    self.expected = expected
    self.held = held
  }
}

package struct PlanReport: Sendable {
  package var device: String
  package var lane: String
  package var pubs: [PlanPubReport]
  package var memoryBytes: UInt64
  package var memoryLimitBytes: UInt64
  package var estimatedSeconds: Double
  package var fingerprint: [UInt8]
  package var jobsAhead: UInt64
  /// Nil: the device is free.
  package var cost: CostForecast?
  /// Those with a limit that the job would count for.
  package var quotas: [QuotaStatus] = []
  /// Why it would have to be approved; empty: it runs without.
  package var approvalCauses: [String] = []
  /// If it were submitted now; nil when nobody knows.
  package var forecast: JobForecast?

  package init(
    device: String, lane: String, pubs: [PlanPubReport], memoryBytes: UInt64,
    memoryLimitBytes: UInt64, estimatedSeconds: Double, fingerprint: [UInt8], jobsAhead: UInt64,
    cost: CostForecast? = nil
  ) {
    self.device = device
    self.lane = lane
    self.pubs = pubs
    self.memoryBytes = memoryBytes
    self.memoryLimitBytes = memoryLimitBytes
    self.estimatedSeconds = estimatedSeconds
    self.fingerprint = fingerprint
    self.jobsAhead = jobsAhead
    self.cost = cost
  }
}

package struct DeviceReport: Sendable {
  package var name: String
  package var summary: String
  package var qubitCount: UInt32
  package var isSimulator: Bool
  package var isIdeal: Bool
  package var jobsQueued: UInt64
  package var jobsRunning: UInt64
  package var memoryLimitBytes: UInt64
  package var instructionSet: String
  package var supportsMidCircuitMeasurement: Bool
  package var nativeGates: [String]
  package var outputs: [OutputKind]
  /// The tenant whose it is alone; nil: everybody's.
  package var tenant: String?
  /// Nil: jobs start there.
  package var drain: DeviceDrain?

  package init(
    name: String, summary: String, qubitCount: UInt32, isSimulator: Bool, isIdeal: Bool,
    jobsQueued: UInt64, jobsRunning: UInt64, memoryLimitBytes: UInt64, instructionSet: String,
    supportsMidCircuitMeasurement: Bool, nativeGates: [String], outputs: [OutputKind],
    tenant: String? = nil, drain: DeviceDrain? = nil
  ) {
    self.drain = drain
    self.name = name
    self.summary = summary
    self.qubitCount = qubitCount
    self.isSimulator = isSimulator
    self.isIdeal = isIdeal
    self.jobsQueued = jobsQueued
    self.jobsRunning = jobsRunning
    self.memoryLimitBytes = memoryLimitBytes
    self.instructionSet = instructionSet
    self.supportsMidCircuitMeasurement = supportsMidCircuitMeasurement
    self.nativeGates = nativeGates
    self.outputs = outputs
    self.tenant = tenant
  }
}

package struct ServiceLoad: Sendable {
  package var jobsQueued: UInt64
  package var jobsRunning: UInt64
  /// Empty while everything works; else what is wrong, for example that the disk is full.
  package var trouble: String

  package init(jobsQueued: UInt64, jobsRunning: UInt64, trouble: String) {
    self.jobsQueued = jobsQueued
    self.jobsRunning = jobsRunning
    self.trouble = trouble
  }
}

/// A job that waits for somebody's word.
package struct PendingApproval: Sendable {
  package var job: JobView
  package var experimentClass: String
  /// In words.
  package var causes: [String]
  package var expiresAt: Microseconds

  package init(
    job: JobView, experimentClass: String, causes: [String], expiresAt: Microseconds
  ) {
    self.job = job
    self.experimentClass = experimentClass
    self.causes = causes
    self.expiresAt = expiresAt
  }
}

/// Which approvals are listed: those behind `after`, oldest first.
package struct ApprovalFilter: Sendable, Hashable {
  package var tenant: String?
  /// Takes a tenant.
  package var project: String?
  package var after: Identifier?
  package var limit: Int

  package init(
    tenant: String? = nil, project: String? = nil, after: Identifier? = nil, limit: Int = 100
  ) {
    self.tenant = tenant
    self.project = project
    self.after = after
    self.limit = limit
  }

  /// Nil: of every project.
  func covers(_ tenant: String, _ project: String?) -> Bool {
    if let wanted = self.tenant, wanted != tenant { return false }
    if let wanted = self.project, let project, wanted != project { return false }
    return true
  }
}

/// Ends an observation when told to; dropping it ends it too.
package protocol Observation: AnyObject, Sendable {
  func end()
}

/// What the server needs of the engine. `Engine` implements it; server tests use a small fake.
///
/// Completions run on engine or store threads and must not block. Every call is authorised against
/// `context.identity`: a job that the caller may not know of answers `job_not_found`, one that it
/// may see `permission_denied` for what it may not do with it.
package protocol JobService: Sendable {
  /// A submit is being read and will follow. Only a hint.
  func expectSubmit()
  /// `request` is the wire's `JobRequest` verbatim, `spec` its decoded form. Completes after the
  /// commit. Validation, compilation and the memory check happen before.
  /// - Parameter batch: that it was submitted with; nil: by itself.
  func submit(
    _ spec: JobSpec, request: [UInt8], batch: Identifier?, context: CallContext,
    completion: @escaping @Sendable (Result<SubmitReport, QubusError>) -> Void)
  /// For jobs that are submitted together.
  func newBatch() -> Identifier
  func plan(
    _ spec: JobSpec, context: CallContext,
    completion: @escaping @Sendable (Result<PlanReport, QubusError>) -> Void)
  func cancel(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<CancelReport, QubusError>) -> Void)
  func annotate(
    _ id: Identifier, annotations: [String: String], context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void)
  /// A waiting job does not start until it is resumed; `illegal_transition` for one that runs or
  /// waits for an approval. Again, it changes nothing.
  func pause(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void)
  /// `illegal_transition` for a job that is not paused.
  func resume(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void)
  /// A waiting job does not start until an operator releases it, whatever its owner says;
  /// `illegal_transition` for one that runs. Again, it changes nothing.
  func hold(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void)
  /// `illegal_transition` for a job that no operator holds.
  func release(
    _ id: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void)
  /// Another lane, priority or device for a waiting job; `illegal_transition` for one that runs or
  /// waits for an approval.
  func change(
    _ id: Identifier, _ change: JobChange, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void)
  /// Cancels every job that was submitted together; `job_not_found` for a batch that the caller may
  /// not know of.
  func cancelBatch(
    _ batch: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<BatchCancelReport, QubusError>) -> Void)
  /// Submits the request of an ended job anew, in the caller's name; `illegal_transition` for one
  /// that has not ended.
  func resubmit(
    _ id: Identifier, idempotencyKey: String, context: CallContext,
    completion: @escaping @Sendable (Result<SubmitReport, QubusError>) -> Void)
  /// Submits the stored request again under the stored seed.
  func replay(
    _ id: Identifier, context: CallContext,
    completion: @escaping @Sendable (Result<SubmitReport, QubusError>) -> Void)
  /// Compares a replay with its original; `pending` while the replay runs.
  func compareReplay(
    _ id: Identifier, replay: Identifier, context: CallContext
  ) throws(QubusError) -> ReplayReport

  /// Decides over a job that waits for an approval; never over the caller's own. `job_not_found` as
  /// above; `approval_not_pending` when it does not wait, or somebody was faster.
  func decide(
    _ id: Identifier, _ action: ApprovalAction, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<JobView, QubusError>) -> Void)
  /// Jobs that wait where the caller may approve, and the policies in force there.
  func approvals(
    _ filter: ApprovalFilter, context: CallContext
  ) throws(QubusError) -> (waiting: [PendingApproval], policies: [ApprovalPolicy])

  /// Takes a chunk of a result that has expired. With the last one the result is durable again.
  /// `archive_conflict` for another result than the job's, `archive_damaged` for other data.
  func restore(
    _ chunk: ArchivedChunk, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<RestoreReport, QubusError>) -> Void)
  /// What goes into an archive, with evidence that it left the service. `permission_denied` under
  /// an export policy that wants somebody else, or another destination.
  func archive(
    _ id: Identifier, to destination: String, reason: String, context: CallContext
  ) throws(QubusError) -> ArchiveReport

  // Reads; may touch the disk unless the job is active, so callers use a thread that may block.
  func job(_ id: Identifier, context: CallContext) throws(QubusError) -> JobView
  func explain(_ id: Identifier, context: CallContext) throws(QubusError) -> JobExplanation
  /// The rules of the queue, and what the caller's own accounts count in it.
  func queuePolicy(context: CallContext) -> QueuePolicyReport
  /// Whether `job` would make a forecast, which may take milliseconds.
  func isForecastDue(_ id: Identifier) -> Bool
  /// How what was told of starts held, by lane; part of the starts that bands are to hold.
  func startQuoteScores(
    context: CallContext
  ) throws(QubusError) -> (level: Double, scores: [StartQuoteScore])
  /// All of the caller's project, unless the filter names another one, or a principal.
  func jobs(_ filter: JobFilter, context: CallContext) throws(QubusError) -> [JobView]
  func result(
    _ id: Identifier, context: CallContext
  ) throws(QubusError) -> (JobView, ResultManifest, Provenance)
  func resultChunk(
    _ id: Identifier, item: Int, chunk: Int, context: CallContext
  ) throws(QubusError) -> [UInt8]
  /// Events after a sequence, in order, at most `limit`.
  func events(
    _ id: Identifier, after sequence: UInt64, limit: Int, context: CallContext
  ) throws(QubusError) -> [JobEvent]
  /// The same from memory, without blocking; nil when they are only on disk, or not the caller's to
  /// see.
  func recentEvents(
    _ id: Identifier, after sequence: UInt64, limit: Int, context: CallContext
  ) -> [JobEvent]?

  /// A small result from memory, without blocking; nil when it is only on disk, or not the caller's
  /// to read.
  func recentResult(_ id: Identifier, context: CallContext) -> (JobView, JobResult)?

  /// Calls `changed(lastSequence, status)` after each commit that adds events to the job, and once
  /// at the start with the present state. `job_not_found` as above.
  func observe(
    _ id: Identifier, context: CallContext,
    changed: @escaping @Sendable (UInt64, JobStatus) -> Void
  ) throws(QubusError) -> any Observation

  /// Without those that belong to other tenants, unless the caller manages devices.
  func devices(context: CallContext) -> [DeviceReport]
  func load() -> ServiceLoad
}

extension JobService {
  package func expectSubmit() {}

  /// A job by itself.
  package func submit(
    _ spec: JobSpec, request: [UInt8], context: CallContext,
    completion: @escaping @Sendable (Result<SubmitReport, QubusError>) -> Void
  ) {
    submit(spec, request: request, batch: nil, context: context, completion: completion)
  }
}
