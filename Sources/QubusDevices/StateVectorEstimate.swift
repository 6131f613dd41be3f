internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore
internal import QubusSimulator

/// What a row needs on the state-vector simulator, from the circuit's size alone.
struct StateVectorEstimate {
  /// Seconds of one pass of a one-qubit gate over one amplitude, two threads sharing the work
  /// (measured: 1.2 ns for one thread of this machine's two); and the fixed costs of a gate, a
  /// sampled shot and a measurement on the way.
  private static let secondsPerAmplitude = 0.15e-9
  private static let secondsPerGate = 30e-9
  private static let secondsPerSample = 30e-9
  private static let secondsPerOutcome = 0.4e-6
  /// What one chunk of shots should take.
  private static let chunkSeconds = 0.02
  static let largestChunk: UInt64 = 1 << 20
  /// Uniforms, indices, order and keys of the largest chunk.
  private static let sampleBytes = 0x1p25

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
    let bytes = memoryBytes
    guard bytes <= Double(memoryLimitBytes) else {
      let needed = MemorySize.text(bytes)
      let limit = MemorySize.text(Double(memoryLimitBytes))
      throw QubusError(
        .insufficientMemory,
        "\(qubitCount) qubits need \(needed) of memory, the limit is \(limit)",
        violations: [
          FieldViolation(field: "program", explanation: "needs \(needed)", limit: limit)
        ],
        details: ["needed": needed, "limit_bytes": "\(memoryLimitBytes)"])
    }
    let isPerShot = program.analysis.mayRunPerShot
    let pass =
      Double(sign: .plus, exponent: qubitCount, significand: Self.secondsPerAmplitude)
    let analysis = program.analysis
    let gateSeconds = analysis.passes * (pass + Self.secondsPerGate)
    let measurements = Double(analysis.measurementCount + analysis.resetCount)
    let shotSeconds =
      isPerShot
      ? (analysis.passesAfterOutcome + 0.6 * measurements + 0.5) * pass
        + analysis.passesAfterOutcome * Self.secondsPerGate
        + (measurements + 1) * Self.secondsPerOutcome
      : Self.secondsPerSample
    let chunk = min(max(1, Self.chunkSeconds / shotSeconds), Double(Self.largestChunk))
    return ResourceEstimate(
      memoryBytes: UInt64(bytes), rowSeconds: gateSeconds + pass + exactSeconds(pass),
      shotSeconds: shotSeconds, isPerShot: isPerShot,
      shotsPerChunk: isPerShot ? UInt64(chunk) : Self.largestChunk)
  }

  private func exactSeconds(_ pass: Double) -> Double {
    let terms = outputs.observables.reduce(0) { $0 + $1.terms.count }
    return pass * (Double(terms) + (outputs.probabilities ? 4 : 0) + (outputs.stateVector ? 2 : 0))
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
