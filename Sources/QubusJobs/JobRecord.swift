package import QubusCore

/// Time stamps of a job, microseconds UTC; nil until reached.
package struct PhaseLedger: Sendable, Hashable {
  package var acceptedAt: Microseconds?
  package var compiledAt: Microseconds?
  package var queuedAt: Microseconds?
  package var reservedAt: Microseconds?
  package var startedAt: Microseconds?
  /// Time on the device, summed over attempts.
  package var deviceMicroseconds: Microseconds?
  package var finishedAt: Microseconds?
  package var storedAt: Microseconds?

  package init() {}
}

/// A job as the store keeps it. `request` is the submitter's protobuf, verbatim.
package struct JobRecord: Sendable, Hashable {
  package var id: Identifier
  package var principal: Principal
  package var clientJobID: String
  /// Version of the client that submitted; goes into provenance.
  package var clientVersion: String
  package var idempotencyKey: String
  /// SHA-256 over the normalised request; see `Fingerprint`.
  package var fingerprint: [UInt8]
  package var fingerprintVersion: UInt32
  package var status: JobStatus
  package var reason: String
  package var attempt: UInt32
  package var lane: String
  package var device: String
  package var name: String
  package var tags: [String]
  package var seed: UInt64
  package var phases: PhaseLedger
  package var shotsDone: UInt64
  package var shotsTotal: UInt64
  /// Sequence of the newest event.
  package var lastSequence: UInt64
  package var request: [UInt8]
  package var error: QubusError?
  package var traceID: String
  package var annotations: [String: String]
  package var notices: [String]
  package var replayOf: Identifier?
  /// The ended job whose request this one runs again.
  package var resubmitOf: Identifier?
  /// Of those that were submitted together.
  package var batch: Identifier?
  /// Among the waiting jobs of its principal; see `SchedulerJob.priority`.
  package var priority: Int
  package var cancelRequested: Bool
  package var fallbackUsed: Bool
  package var hasResult: Bool
  /// Micro-units held at acceptance; nil: the job is free.
  package var costHeld: Int64?
  /// Micro-units charged at the end.
  package var cost: Int64?
  package var retention: JobRetention
  /// Who keeps it from its start while it waits.
  package var withheld: Withholding
  /// For its acceptance; not read back from a store (`LedgerSnapshot` has what is held).
  package var costAcceptance: CostAcceptance?

  package init(id: Identifier, principal: Principal, request: [UInt8]) {
    self.id = id
    self.principal = principal
    clientJobID = ""
    clientVersion = ""
    idempotencyKey = ""
    fingerprint = []
    fingerprintVersion = 1
    status = .accepted
    reason = ""
    attempt = 1
    lane = ""
    device = ""
    name = ""
    tags = []
    seed = 0
    phases = PhaseLedger()
    shotsDone = 0
    shotsTotal = 0
    lastSequence = 0
    self.request = request
    error = nil
    traceID = ""
    annotations = [:]
    notices = []
    replayOf = nil
    resubmitOf = nil
    batch = nil
    priority = 0
    cancelRequested = false
    fallbackUsed = false
    hasResult = false
    costHeld = nil
    cost = nil
    retention = JobRetention()
    withheld = []
    costAcceptance = nil
  }

  package var hold: CostHold? {
    if case .held(let hold)? = costAcceptance { hold } else { nil }
  }
}
