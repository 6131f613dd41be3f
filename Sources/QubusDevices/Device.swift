package import QubusCircuit
package import QubusCompiler
package import QubusCore
package import QubusSimulator

/// What one row of a pub asks for beyond shots.
package struct ExactOutputs: Sendable, Hashable {
  package var probabilities: Bool
  package var stateVector: Bool
  /// Exact expectation values, one number each, in this order.
  package var observables: [PauliSum]

  package init(
    probabilities: Bool = false, stateVector: Bool = false, observables: [PauliSum] = []
  ) {
    self.probabilities = probabilities
    self.stateVector = stateVector
    self.observables = observables
  }
}

/// The part of a row that one chunk computes.
package enum ChunkWork: Sendable, Hashable {
  /// Shots `first ..< first + count` of the row.
  case shots(first: UInt64, count: UInt64, memory: Bool)
  case exact(ExactOutputs)
}

/// A numbered piece of work for a device; a plain value, so that a device may live elsewhere.
package struct ChunkRequest: Sendable, Hashable {
  package var jobID: Identifier
  /// Numbers the attempt of the job; fences a stale worker.
  package var attempt: UInt32
  package var lease: UInt64
  package var pub: UInt16
  package var row: UInt32
  package var work: ChunkWork

  package init(
    jobID: Identifier, attempt: UInt32, lease: UInt64, pub: UInt16, row: UInt32, work: ChunkWork
  ) {
    self.jobID = jobID
    self.attempt = attempt
    self.lease = lease
    self.pub = pub
    self.row = row
    self.work = work
  }
}

/// What a device answers to a `ChunkRequest`; fields that were not asked for are nil.
package struct ChunkResult: Sendable {
  package var request: ChunkRequest
  package var counts: Counts?
  /// Outcomes in order of shots, `(bitCount + 7) / 8` bytes a shot, little-endian bits.
  package var memory: [UInt8]?
  /// 2^bits numbers, index = classical bits (qubits, when the program measures nothing).
  package var probabilities: [Double]?
  /// 2^qubits amplitudes, re and im interleaved.
  package var stateVector: [Double]?
  package var expectationValues: [Double]?
  /// Time on the device.
  package var deviceMicroseconds: Microseconds
  /// |1 - norm²| of the final state, when there is one.
  package var normDrift: Double?
  /// SHA-256 of the plans by which the row's state was evolved, in order; empty without one.
  package var planHashes: [[UInt8]] = []

  package init(request: ChunkRequest, deviceMicroseconds: Microseconds) {
    self.request = request
    self.deviceMicroseconds = deviceMicroseconds
  }
}

/// What a row will need, known before the job is accepted.
package struct ResourceEstimate: Sendable, Hashable {
  /// State, results and samples.
  package var memoryBytes: UInt64
  /// Memory of gates and plan at their largest, while the plan is made: for each thread that runs
  /// rows of its own.
  package var planBytes: UInt64 = 0
  /// Predicted device time of making the plan, once for all rows; of one row without shots; and of
  /// one shot beyond it.
  package var planSeconds = 0.0
  package var rowSeconds: Double
  package var shotSeconds: Double
  /// Shots that measure on their way share states until their outcomes differ: so many ways there
  /// are at most, and so long each takes.
  package var branchLimit = 0.0
  package var branchSeconds = 0.0
  /// True when every shot evolves its own state.
  package var isPerShot: Bool
  /// Shots of one chunk: the unit of preemption, streaming and reproducibility.
  package var shotsPerChunk: UInt64

  /// Predicted device time of rows with so many shots each.
  package func seconds(rows: Int, shots: UInt64) -> Double {
    let shots = Double(shots)
    return planSeconds
      + Double(rows)
      * (rowSeconds + shots * shotSeconds + min(shots, branchLimit) * branchSeconds)
  }

  package init(
    memoryBytes: UInt64, rowSeconds: Double, shotSeconds: Double, isPerShot: Bool,
    shotsPerChunk: UInt64
  ) {
    self.memoryBytes = memoryBytes
    self.rowSeconds = rowSeconds
    self.shotSeconds = shotSeconds
    self.isPerShot = isPerShot
    self.shotsPerChunk = shotsPerChunk
  }
}

/// One bound row on a device. State that chunks share (the evolved state vector) lives here.
/// Used by one thread at a time.
package protocol DeviceExecution: AnyObject {
  /// Runs one chunk. Chunks may come in any order and be repeated: results do not depend on it.
  /// - Throws: `execution_canceled` within 100 ms of the flag's setting, `loop_limit_exceeded`,
  ///   `division_by_zero`, `simulator_norm_drift`, `out_of_memory`-like `insufficient_memory`.
  func run(_ request: ChunkRequest) throws(QubusError) -> ChunkResult
}

/// Something that executes compiled programs.
package protocol Device: Sendable {
  /// Stable name, for example `sim.statevector`.
  var name: String { get }
  var summary: String { get }
  var target: Target { get }
  /// Goes into provenance, for example `baseline`.
  var instructionSet: String { get }
  /// How programs are turned into what runs, for provenance: versions of planner and cost table.
  var compileOptions: [String: String] { get }
  /// Rows of programs with at most so many qubits run fastest one a thread.
  var ownRowQubits: Int { get }

  /// Refuses what the device cannot run and predicts the rest.
  /// - Parameter precision: of the amplitudes; reductions are always in double.
  /// - Throws: `too_many_qubits`, `insufficient_memory` with both figures, `invalid_outputs`.
  func estimate(
    _ program: CompiledProgram, precision: Precision, outputs: ExactOutputs, wantsShots: Bool,
    memoryLimitBytes: UInt64
  ) throws(QubusError) -> ResourceEstimate

  /// How the row would be evolved; nil when the device has no such plan.
  /// - Throws: what `open` throws.
  func describe(
    _ program: CompiledProgram, inputs: [Value], precision: Precision, outputs: ExactOutputs
  ) throws(QubusError) -> ExecutionPlan?

  /// Refuses sessions that the device cannot hold and says what one takes, before it is built.
  /// - Parameter outputs: all that steps will ask for.
  /// - Returns: bytes of states, plan and results, from the program's size alone.
  /// - Throws: `too_many_qubits`, `invalid_outputs`, `invalid_observable`, `insufficient_memory`
  ///   with both figures.
  func stepEstimate(
    _ program: CompiledProgram, observables: [PauliSum], outputs: StepOutputs,
    precision: Precision, threadCount: Int, memoryLimitBytes: UInt64
  ) throws(QubusError) -> UInt64

  /// Makes the resident plan of a session.
  /// - Parameter threadCount: of the teams that steps will come with, at most.
  /// - Throws: as `stepEstimate`; `unsupported_program_feature` for gradients by inputs without
  ///   derivative; `execution_canceled`.
  func stepEvaluator(
    _ program: CompiledProgram, observables: [PauliSum], outputs: StepOutputs,
    precision: Precision, seed: UInt64, threadCount: Int, _ context: KernelContext
  ) throws(QubusError) -> any StepEvaluator

  /// Starts on rows of one program.
  /// - Parameter progress: told how much of a long evolution is done, by the thread that calls.
  func session(
    _ program: CompiledProgram, precision: Precision, seed: UInt64, team: ComputeTeam,
    cancellation: CancellationFlag, progress: EvolutionProgress?
  ) -> any DeviceSession
}

/// Rows of one program on a device, one after another: what they share is made once. A row's
/// results do not depend on the rows before it. Used by one thread at a time.
package protocol DeviceSession: AnyObject {
  /// Binds one row; the one before it must be done.
  /// - Parameter inputs: one value per `Circuit.inputs`, converted to its type.
  func open(inputs: [Value]) throws(QubusError) -> any DeviceExecution
}

extension Device {
  /// Binds one row that stands alone.
  package func open(
    _ program: CompiledProgram, inputs: [Value], precision: Precision, seed: UInt64,
    team: ComputeTeam, cancellation: CancellationFlag
  ) throws(QubusError) -> any DeviceExecution {
    try session(
      program, precision: precision, seed: seed, team: team, cancellation: cancellation,
      progress: nil
    ).open(inputs: inputs)
  }
}
