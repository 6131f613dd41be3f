package import QubusCore
package import QubusJobs
package import QubusSimulator
package import QubusTenancy

/// A session as those see it who may.
package struct SessionView: Sendable {
  package var record: SessionRecord
  package var outputs: SessionOutputs
  package var shots: Int64?
  package var targetError: Double?
  package var sharesRandomNumbers: Bool
  package var precision: NumericPrecision
  /// Names, in order of declaration.
  package var parameters: [String]
  package var observableCount: Int
  package var qubitCount: Int
  package var bitCount: Int
  /// Of its plan now; 0 while it is dropped.
  package var memoryBytes: UInt64
  package var predictedStepSeconds: Double
  package var rebuilds: UInt64
  package var notices: [String]

  package init(record: SessionRecord) {
    self.record = record
    outputs = []
    sharesRandomNumbers = false
    precision = .double
    parameters = []
    observableCount = 0
    qubitCount = 0
    bitCount = 0
    memoryBytes = 0
    predictedStepSeconds = 0
    rebuilds = 0
    notices = []
  }
}

package struct OpenedSession: Sendable {
  package var session: SessionView
  /// Resumes the session; told once, kept as a hash. Empty for an open that was repeated under its
  /// idempotency key over another connection: then the first secret counts.
  package var secret: [UInt8]

  package init(session: SessionView, secret: [UInt8]) {
    self.session = session
    self.secret = secret
  }
}

package struct ResumedSession: Sendable {
  package var session: SessionView
  package var nextSequence: UInt64
  package var wasRebuilt: Bool

  package init(session: SessionView, nextSequence: UInt64, wasRebuilt: Bool) {
    self.session = session
    self.nextSequence = nextSequence
    self.wasRebuilt = wasRebuilt
  }
}

/// Where the answer to a step goes: names a call of the transport, opaque to the engine.
package struct StepTag: Sendable, Hashable {
  package var connection: UInt64
  package var callID: UInt64
  package var serial: UInt64

  package init(connection: UInt64, callID: UInt64, serial: UInt64) {
    self.connection = connection
    self.callID = callID
    self.serial = serial
  }
}

/// One step as it came, without its numbers.
package struct StepCall: Sendable {
  package var session: Identifier
  /// `rows` by the attachment's shape; `outputs` empty, `shots` and `targetError` 0: the session's.
  package var order: StepOrder
  /// Numbers in one row, as sent.
  package var columns: Int
  /// CRC-32C of the numbers: with the order it tells a repeated step from another one.
  package var checksum: UInt32
  package var tag: StepTag

  package init(
    session: Identifier, order: StepOrder, columns: Int, checksum: UInt32, tag: StepTag
  ) {
    self.session = session
    self.order = order
    self.columns = columns
    self.checksum = checksum
    self.tag = tag
  }
}

/// A step's answer. Holding it keeps its memory from the session's next steps: let go of it once it
/// is encoded.
package final class StepResult: @unchecked Sendable {
  // Written by the one thread that evaluates the step, before it is handed over; read-only after.
  package let answer = StepAnswer()
  package var sequence: UInt64 = 0
  package var rows = 0
  package var columns = 0
  package var observables = 0
  package var bitCount = 0
  package var qubitCount = 0
  package var deviceNanoseconds: UInt64 = 0
  package var wasRepeated = false
  package var wasRebuilt = false

  package init() {}
}

package enum StepDisposition {
  /// Evaluated in place, or the stored answer.
  case answered(StepResult)
  /// The sink will be told.
  case pending
  case refused(QubusError)
}

/// Takes the answers of steps that did not run in place, on any thread; must not block.
package protocol StepSink: AnyObject, Sendable {
  func stepAnswered(_ tag: StepTag, _ result: StepResult)
  func stepFailed(_ tag: StepTag, _ error: QubusError)
}

package struct OptimizeSpec: Sendable, Hashable {
  package var session: Identifier
  package var method: String
  package var initial: [Double]
  /// Empty: none.
  package var lower: [Double] = []
  package var upper: [Double] = []
  package var options: [String: Double] = [:]
  package var observable = 0
  package var maxIterations: UInt64?
  package var maxEvaluations: UInt64?
  package var maxShots: UInt64?
  package var maxSeconds: Double?
  package var maxDeviceSeconds: Double?
  package var maxCost: Int64?
  /// Of each evaluation; 0: the session's.
  package var shots: UInt64 = 0
  package var targetError = 0.0
  package var seed: UInt64?

  package init(session: Identifier, method: String, initial: [Double]) {
    self.session = session
    self.method = method
    self.initial = initial
  }
}

/// Iterations since the last report, at most 20 ms of them.
package struct OptimizationProgress: Sendable {
  package var id: Identifier
  package var firstIteration: UInt64
  package var values: [Double]
  package var gradientNorms: [Double]
  /// Row-major, one row for each value.
  package var parameters: [Double]
  package var evaluations: UInt64
  package var shotsUsed: UInt64
  package var deviceMicroseconds: Int64

  package init(id: Identifier, firstIteration: UInt64) {
    self.id = id
    self.firstIteration = firstIteration
    values = []
    gradientNorms = []
    parameters = []
    evaluations = 0
    shotsUsed = 0
    deviceMicroseconds = 0
  }
}

package struct OptimizationReport: Sendable {
  package var id: Identifier
  /// converged, stalled, max_iterations, …, canceled.
  package var ending: String
  package var best: [Double]
  package var bestValue: Double
  package var last: [Double]
  package var lastValue: Double
  package var iterations: UInt64
  package var evaluations: UInt64
  package var shotsUsed: UInt64
  package var deviceMicroseconds: Int64

  package init(id: Identifier, ending: String) {
    self.id = id
    self.ending = ending
    best = []
    bestValue = .nan
    last = []
    lastValue = .nan
    iterations = 0
    evaluations = 0
    shotsUsed = 0
    deviceMicroseconds = 0
  }
}

/// Told of an optimization, in order, on any thread; must not block. Each `progressed` holds what
/// was done since the one before, until `mayReport` says that the client reads: then iterations are
/// gathered (up to a bound, after which older ones are to be replayed by watching again).
package protocol OptimizationWatcher: AnyObject, Sendable {
  /// False while the client's window is used up; iterations are then kept for the next report.
  var mayReport: Bool { get }
  func started(_ id: Identifier)
  func progressed(_ progress: OptimizationProgress)
  func ended(_ result: Result<OptimizationReport, QubusError>)
}

/// What the server needs of the engine for sessions. `holder` names the client's connection: one at
/// a time steps a session, of the principal that opened it. A session that the caller may not
/// know of
/// is `session_not_found`, one that it may see `permission_denied` for what it may not do with it.
package protocol SessionService: Sendable {
  /// Completes after the commit; compiles and builds the plan before.
  func openSession(
    _ spec: SessionSpec, request: [UInt8], holder: UInt64, context: CallContext,
    completion: @escaping @Sendable (Result<OpenedSession, QubusError>) -> Void)
  /// Takes the session over for this connection.
  func resumeSession(
    _ id: Identifier, secret: [UInt8], lastSequence: UInt64, holder: UInt64,
    context: CallContext,
    completion: @escaping @Sendable (Result<ResumedSession, QubusError>) -> Void)
  /// Ends it; waiting steps fail with `session_not_found`, a running one is canceled. Idempotent
  /// for its owner.
  func closeSession(
    _ id: Identifier, context: CallContext,
    completion: @escaping @Sendable (Result<SessionView, QubusError>) -> Void)
  /// Reads; may touch the disk.
  func session(_ id: Identifier, context: CallContext) throws(QubusError) -> SessionView
  func sessions(
    includeEnded: Bool, before: Identifier?, limit: Int, context: CallContext
  ) throws(QubusError) -> [SessionView]

  /// The hot path: on the transport thread; small steps run in place. `parameters` is valid during
  /// the call only. Allocates nothing for a repeated exact step that runs in place.
  func step(
    _ call: StepCall, parameters: UnsafeRawBufferPointer, identity: Identity, holder: UInt64,
    sink: any StepSink
  ) -> StepDisposition
  /// Steps that were left for later because others have their turn; the transport calls it after
  /// each round of messages, and again at once while it answers true.
  func runDueSteps(sink: any StepSink) -> Bool
  /// The call ended early (canceled, timed out, connection lost): a waiting step is dropped, a
  /// running one goes on and its answer is stored.
  func abandonStep(_ session: Identifier, _ tag: StepTag)

  /// Starts an optimization, for the connection that may step the session; the session refuses
  /// steps (`session_busy`) while it runs.
  func optimize(
    _ spec: OptimizeSpec, holder: UInt64, context: CallContext,
    watcher: any OptimizationWatcher)
  /// Goes on watching; iterations up to `after` are not told, earlier ones are replayed from the
  /// nearest checkpoint.
  func watchOptimization(
    _ id: Identifier, session: Identifier, after: UInt64, context: CallContext,
    watcher: any OptimizationWatcher)
  /// The watcher is told no more; the optimization goes on.
  func endWatch(_ watcher: any OptimizationWatcher)
  /// - Returns: whether it was running.
  func cancelOptimization(
    _ id: Identifier, session: Identifier, context: CallContext
  ) throws(QubusError) -> Bool
}
