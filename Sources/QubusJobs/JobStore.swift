package import QubusCore

/// An event to be written; the store gives it the next sequence of its job.
package struct NewEvent: Sendable, Hashable {
  package var time: Microseconds
  package var kind: JobEventKind
  package var status: JobStatus
  package var reason: String
  package var attempt: UInt32
  package var body: JobEventBody

  package init(
    time: Microseconds, kind: JobEventKind, status: JobStatus, reason: String = "",
    attempt: UInt32, body: JobEventBody = JobEventBody()
  ) {
    self.time = time
    self.kind = kind
    self.status = status
    self.reason = reason
    self.attempt = attempt
    self.body = body
  }
}

/// A change of one job with the events that tell of it: one transaction, all or nothing.
///
/// `attempt` fences: the store refuses the change (`illegal_transition`) when the job is at another
/// attempt, or its status forbids one of the moves. Fields that are nil stay as they are.
package struct JobUpdate: Sendable {
  package var jobID: Identifier
  package var attempt: UInt32
  /// Moves in order; each is validated against the state machine and must have its event.
  package var moves: [JobStatus]
  package var reason: String?
  package var newAttempt: UInt32?
  /// Stamps to take over; those that are nil stay. `storedAt` of the end is the store's own.
  package var phases: PhaseLedger?
  package var device: String?
  /// Of a job that waits.
  package var lane: String?
  /// The same.
  package var priority: Int?
  package var shotsDone: UInt64?
  package var error: QubusError?
  package var annotations: [String: String]?
  package var cancelRequested: Bool?
  package var events: [NewEvent]
  package var result: JobResult?
  /// What the end of a job for which something is held is charged; the store gives the rest back in
  /// the transaction of the terminal move, everything when this is nil.
  package var settlement: CostSettlement?
  /// Of an ended job, or one that this change ends.
  package var retention: RetentionChange?
  /// Of a job that waits.
  package var withholding: WithholdingChange?
  /// Evidence of who wanted the change, written with it or not at all; none for what the service
  /// does by itself.
  package var audit: [AuditEntry] = []

  package init(jobID: Identifier, attempt: UInt32, moves: [JobStatus] = [], events: [NewEvent] = [])
  {
    self.jobID = jobID
    self.attempt = attempt
    self.moves = moves
    self.events = events
  }
}

/// What a submit came to.
package enum AcceptOutcome: Sendable {
  case accepted(JobRecord, [JobEvent])
  /// The idempotency key was known with the same fingerprint.
  case duplicate(JobRecord)
}

/// Commands, never SQL: what the one writer does, in order, grouped into durable transactions.
/// A completion runs after the commit (or the failure) on the store's thread and must not block.
package enum StoreCommand: Sendable {
  /// Accepts a job with its first events. Another fingerprint under a known idempotency key fails
  /// with `idempotency_conflict`, both fingerprints in `details`. The audit entry is written in the
  /// same transaction: with the job, or as that of a duplicate; a refusal leaves none.
  case accept(
    JobRecord, [NewEvent], audit: AuditEntry? = nil,
    completion: @Sendable (Result<AcceptOutcome, QubusError>) -> Void)
  /// Changes a job; answers the written events with their sequences.
  case update(JobUpdate, completion: @Sendable (Result<[JobEvent], QubusError>) -> Void)
  /// Runs the completion once everything enqueued before is durable.
  case flush(completion: @Sendable (Result<Void, QubusError>) -> Void)
}

package struct JobFilter: Sendable, Hashable {
  /// Jobs of this tenant and project, and of this name unless it is empty; nil is everyone's.
  package var principal: Principal?
  package var statuses: [JobStatus] = []
  /// All of them.
  package var tags: [String] = []
  package var name = ""
  /// Of one batch; nil: of any, or none.
  package var batch: Identifier?
  /// Jobs older than this id only (newest first).
  package var before: Identifier?
  package var limit = 100

  package init() {}
}

/// Durable home of jobs, events and results. One contract suite runs on every implementation.
package protocol JobStore: Sendable {
  /// Enqueues a command; commands of one caller keep their order. Never blocks on the disk; when
  /// its bounded queue is full the completion fails with `server_overloaded` at once.
  func perform(_ command: StoreCommand)
  /// A command will follow within microseconds: whoever writes it may get ready. Only a hint.
  func expectCommand()

  // Reads see everything committed. They run on the caller's thread, never the cooperative pool.
  func job(_ id: Identifier) throws(QubusError) -> JobRecord?
  func jobs(_ filter: JobFilter) throws(QubusError) -> [JobRecord]
  /// Every job that is not terminal, oldest first, for recovery at start.
  func unfinishedJobs() throws(QubusError) -> [JobRecord]
  func events(_ id: Identifier, after sequence: UInt64, limit: Int) throws(QubusError) -> [JobEvent]
  func result(_ id: Identifier) throws(QubusError) -> (ResultManifest, Provenance)?
  /// Uncompressed bytes of one chunk; `result_corrupt` when its checksum is wrong.
  func resultChunk(_ id: Identifier, item: Int, chunk: Int) throws(QubusError) -> [UInt8]
  /// Version of the store's schema.
  var schemaVersion: Int { get }
  /// Commits what is enqueued, checkpoints and closes. Later commands fail.
  func close() throws(QubusError)
}

extension JobStore {
  package func expectCommand() {}
}
