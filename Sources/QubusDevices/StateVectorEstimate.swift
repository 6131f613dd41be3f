internal import Glibc
internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore
internal import QubusSimulator

/// What a row needs on the state-vector simulator, from the circuit's size alone.
struct StateVectorEstimate {
  // Measured by `EstimateBenchmarks` on two cores with AVX-512, complex128; complex64 takes half.
  /// One dense gate, and moving, checking and reading the state, by amplitude.
  private static let secondsPerPass = 0.07e-9
  private static let secondsPerState = 2.2e-9
  /// A Pauli string's share of a pass, by amplitude.
  private static let secondsPerString = 0.2e-9
  /// Planning one gate; binding and running one; a row whatever its circuit.
  private static let secondsPerPlannedGate = 1e-6
  private static let secondsPerGate = 0.06e-6
  private static let secondsPerRow = 8e-6
  /// A shot sampled from a state with a table for it, from a larger one, and one that follows known
  /// outcomes.
  private static let secondsPerTableSample = 3e-9
  private static let secondsPerSample = 22e-9
  private static let secondsPerWalk = 43e-9
  /// A measurement on the way, by amplitude, in the caches and in memory; and its fixed cost.
  private static let secondsPerCachedOutcome = 0.5e-9
  private static let secondsPerOutcome = 2e-9
  private static let fixedSecondsPerOutcome = 1e-6
  /// What one chunk of shots should take.
  private static let chunkSeconds = 0.02
  static let largestChunk: UInt64 = 1 << 20
  /// Uniforms, indices, order and keys of the largest chunk.
  private static let sampleBytes = 0x1p25

  /// Bound gates, drafts, plan and prepared operations while a plan is made, by gate; at most 582
  /// were measured (`PlanningMemoryBenchmarks`).
  static let bytesPerPlannedGate = 640.0

  private let program: CompiledProgram
  private let precision: Precision
  private let outputs: ExactOutputs
  private let limits: Limits
  private let wantsShots: Bool
  private let qubitCount: Int

  init(
    _ program: CompiledProgram, precision: Precision, _ outputs: ExactOutputs, wantsShots: Bool,
    _ limits: Limits
  ) throws(QubusError) {
    self.program = program
    self.precision = precision
    self.outputs = outputs
    self.limits = limits
    self.wantsShots = wantsShots
    qubitCount = program.circuit.qubitCount
    guard qubitCount <= limits.qubits else {
      throw QubusError(
        .tooManyQubits,
        "the program has \(qubitCount) qubits, the device has \(limits.qubits)",
        violations: [
          FieldViolation(
            field: "program", explanation: "\(qubitCount) qubits", limit: "\(limits.qubits)")
        ])
    }
    try outputs.check(program, limits)
  }

  /// - Throws: `insufficient_memory` with both figures.
  func checked(memoryLimitBytes: UInt64) throws(QubusError) -> ResourceEstimate {
    let (bytes, planBytes) = (memoryBytes, planBytes)
    try Self.check(bytes + planBytes, subject, memoryLimitBytes: memoryLimitBytes)
    let analysis = program.analysis
    let gates = Double(analysis.gateCount)
    var estimate = ResourceEstimate(
      memoryBytes: UInt64(bytes),
      rowSeconds: Self.secondsPerRow + gates * Self.secondsPerGate
        + amplitudeSeconds(Self.secondsPerState + analysis.passes * Self.secondsPerPass)
        + exactSeconds,
      shotSeconds: qubitCount <= 12 ? Self.secondsPerTableSample : Self.secondsPerSample,
      isPerShot: analysis.mayRunPerShot, shotsPerChunk: Self.largestChunk)
    estimate.planBytes = UInt64(planBytes)
    estimate.planSeconds = gates * Self.secondsPerPlannedGate
    if analysis.mayRunPerShot { addBranches(to: &estimate) }
    return estimate
  }

  /// - Throws: `insufficient_memory` with both figures.
  static func check(
    _ bytes: Double, _ subject: String, memoryLimitBytes: UInt64
  ) throws(QubusError) {
    guard bytes <= Double(memoryLimitBytes) else {
      let needed = MemorySize.text(bytes)
      let limit = MemorySize.text(Double(memoryLimitBytes))
      throw QubusError(
        .insufficientMemory,
        "\(subject) need \(needed) of memory, the limit is \(limit)",
        violations: [
          FieldViolation(field: "program", explanation: "needs \(needed)", limit: limit)
        ],
        details: ["needed": needed, "limit_bytes": "\(memoryLimitBytes)"])
    }
  }

  /// What takes the memory.
  private var subject: String {
    let gates = program.analysis.gateCount
    return planBytes > memoryBytes
      ? "\(qubitCount) qubits and \(gates) gates" : "\(qubitCount) qubits"
  }

  private var planBytes: Double {
    let analysis = program.analysis
    let gates = max(Double(analysis.gateCount), analysis.guessedGateCount)
    return Self.bytesPerPlannedGate * min(gates, Double(limits.programOperations))
  }

  /// Time that grows with the state.
  private func amplitudeSeconds(_ perAmplitude: Double) -> Double {
    let factor = precision == .single ? 0.5 : 1
    return Double(sign: .plus, exponent: qubitCount, significand: factor * perAmplitude)
  }

  /// Shots share their states until their outcomes differ.
  private func addBranches(to estimate: inout ResourceEstimate) {
    let analysis = program.analysis
    let outcomes = Double(analysis.measurementCount + analysis.resetCount)
    let perOutcome = qubitCount <= 18 ? Self.secondsPerCachedOutcome : Self.secondsPerOutcome
    // Gates between outcomes are not fused as those before the first.
    let perAmplitude =
      3 * analysis.passesAfterOutcome * Self.secondsPerPass + outcomes * perOutcome
    estimate.shotSeconds = Self.secondsPerWalk
    estimate.branchLimit = analysis.hasControlFlow ? .infinity : exp2(min(outcomes, 60))
    estimate.branchSeconds =
      amplitudeSeconds(perAmplitude) + (outcomes + 1) * Self.fixedSecondsPerOutcome
    let chunk = Self.chunkSeconds / (estimate.shotSeconds + estimate.branchSeconds)
    estimate.shotsPerChunk = UInt64(min(max(1, chunk), Double(Self.largestChunk)))
  }

  private var exactSeconds: Double {
    let terms = Double(outputs.observables.reduce(0) { $0 + $1.terms.count })
    return amplitudeSeconds(
      terms * Self.secondsPerString
        + Self.secondsPerState
        * ((outputs.probabilities ? 1 : 0) + (outputs.stateVector ? 2 : 0)))
  }

  /// The state; for shots that run by themselves a copy for each thread (counted as two, or one
  /// shared by all above the size where threads share it); the results; the samples of a chunk.
  private var memoryBytes: Double {
    let state = BlockedState.byteCount(qubitCount: qubitCount, precision)
    var bytes = state + (wantsShots ? Self.sampleBytes : 0)
    if program.analysis.mayRunPerShot {
      bytes +=
        state
        * Double(
          RowSimulation.shotStates(qubitCount: qubitCount, precision, threadCount: 2))
      if outputs.probabilities {
        bytes +=
          state * Double(1 + BranchEnumeration.waitingLimit(qubitCount: qubitCount, precision))
      }
    }
    if outputs.stateVector { bytes += state }
    if outputs.probabilities {
      let isMeasured = program.circuit.bitCount > 0
      let bits = isMeasured ? program.circuit.bitCount : qubitCount
      bytes += Double(sign: .plus, exponent: bits + 3, significand: 1)
      if isMeasured { bytes += 0x1p3 * Double(1 << min(qubitCount, bits)) }
    }
    return bytes
  }
}

extension ExactOutputs {
  /// - Throws: `invalid_outputs`, `invalid_observable`.
  func check(_ program: CompiledProgram, _ limits: Limits) throws(QubusError) {
    let circuit = program.circuit
    let analysis = program.analysis
    if probabilities {
      let isMeasured = circuit.bitCount > 0
      if !isMeasured, analysis.mustRunPerShot { throw .withoutBitsOrState }
      let bits = isMeasured ? circuit.bitCount : circuit.qubitCount
      guard bits <= limits.probabilityBits else {
        throw .field(
          .invalidOutputs, "outputs.probabilities",
          "\(bits) \(isMeasured ? "classical bits" : "qubits")",
          limit: "\(limits.probabilityBits)")
      }
    }
    if stateVector, circuit.qubitCount > limits.stateVectorQubits {
      throw .field(
        .invalidOutputs, "outputs.state_vector", "\(circuit.qubitCount) qubits",
        limit: "\(limits.stateVectorQubits)")
    }
    if stateVector || !observables.isEmpty, analysis.mustRunPerShot {
      throw .field(
        .invalidOutputs, stateVector ? "outputs.state_vector" : "observables",
        "the program measures or resets qubits on its way, so it has no single final state")
    }
    for (index, observable) in observables.enumerated()
    where observable.qubitCount != circuit.qubitCount {
      throw .field(
        .invalidObservable, "observables[\(index)]",
        "acts on \(observable.qubitCount) qubits, the program has \(circuit.qubitCount)",
        limit: "\(circuit.qubitCount) qubits")
    }
  }
}
