internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore
internal import QubusDevices
internal import QubusJobs
internal import QubusSimulator
internal import QubusTenancy

/// Turns a request into a session that is known to work: checked, compiled, its memory estimated.
struct SessionPreparation: Sendable {
  let configuration: EngineConfiguration
  let devices: [any Device]
  let programs: ProgramCache
  /// Knows which devices belong to one tenant alone.
  var ledger: LedgerBook?

  private var limits: Limits { configuration.limits }
  private var sessions: SessionConfiguration { configuration.sessions }

  /// - Parameter principal: whose session it is to be; nil: it was opened already.
  /// - Throws: what is wrong with the request, by field; every error of the front end.
  func prepare(
    _ spec: SessionSpec, for principal: Principal? = nil
  ) throws(QubusError) -> SessionPlan {
    let limitsInForce = try check(spec)
    let device = try device(spec.device, among: devices.open(to: principal, ledger))
    let program: CompiledProgram
    do throws(QubusError) {
      program = try programs.program(spec.program)
    } catch {
      throw error.within("program")
    }
    var observables: [PauliSum] = []
    for (index, observable) in spec.observables.enumerated() {
      guard !observable.terms.isEmpty else {
        throw .field(.invalidObservable, "observables[\(index)]", "has no terms")
      }
      observables.append(
        try PauliSum(
          observable.terms.map { ($0.pauli, $0.coefficient) },
          qubitCount: program.circuit.qubitCount, field: "observables[\(index)]"))
    }
    let outputs = try outputs(of: spec, program)
    var shots = UInt64(spec.shots ?? 0)
    if spec.targetError != nil, spec.shots == nil { shots = UInt64(sessions.adaptiveShots) }
    // Without the limit, so that the error says whose it is.
    let bytes = try device.stepEstimate(
      program, observables: observables, outputs: outputs, precision: spec.precision.amplitudes,
      threadCount: configuration.computeThreads, memoryLimitBytes: .max)
    try checkMemory(bytes, limitsInForce)
    return SessionPlan(
      spec: spec, device: device, program: program, observables: observables, outputs: outputs,
      shots: shots, estimatedBytes: bytes, limits: limitsInForce,
      threadCount: configuration.computeThreads)
  }

  /// - Throws: `insufficient_memory` with both figures.
  func checkMemory(_ bytes: UInt64, _ limits: SessionLimits) throws(QubusError) {
    let budget = configuration.sessionMemoryBytes
    let limit = min(limits.memoryBytes, budget)
    guard bytes > limit else { return }
    let owner = limit == budget ? "all sessions together may use" : "memory_bytes allows"
    throw QubusError(
      .insufficientMemory,
      "the session's plan needs \(MemorySize.text(Double(bytes))), \(owner) "
        + MemorySize.text(Double(limit)),
      violations: [
        FieldViolation(
          field: limit == budget ? "program" : "memory_bytes",
          explanation: "needs \(bytes) bytes", limit: "\(limit) bytes")
      ], details: ["memory_bytes": "\(bytes)", "limit_bytes": "\(limit)"])
  }

  private func check(_ spec: SessionSpec) throws(QubusError) -> SessionLimits {
    guard !spec.program.isEmpty else { throw .field(.missingField, "program", "is empty") }
    guard spec.program.count <= limits.programBytes else {
      throw .field(
        .programTooLarge, "program", "has \(spec.program.count) bytes",
        limit: "\(limits.programBytes) bytes")
    }
    guard spec.observables.count <= limits.rowsPerStep else {
      throw .field(
        .invalidObservable, "observables", "are \(spec.observables.count)",
        limit: "\(limits.rowsPerStep)")
    }
    if let shots = spec.shots, shots < 1 || shots > limits.shots {
      throw .field(.invalidShots, "shots", "is \(shots)", limit: "1 to \(limits.shots)")
    }
    if let error = spec.targetError, !(error > 0 && error < .infinity) {
      throw .field(
        .invalidRequest, "target_error", "is \(error)", limit: "above 0, finite")
    }
    let validation = SpecValidation(limits: limits)
    try validation.checkName(spec.name, "name")
    try validation.checkName(spec.idempotencyKey, "idempotency_key")
    try validation.checkName(spec.device, "device")
    try validation.checkTags(spec.tags, "tags")
    return SessionLimits(
      idleSeconds: try seconds(
        spec.idleSeconds, "idle_seconds", sessions.idleSeconds, sessions.idleSecondsLimit),
      wallSeconds: try seconds(
        spec.wallSeconds, "wall_seconds", sessions.wallSeconds, sessions.wallSecondsLimit),
      maxSteps: try count(spec.maxSteps, "max_steps", sessions.maxSteps),
      maxDeviceSeconds: try seconds(
        spec.maxDeviceSeconds, "max_device_seconds", sessions.maxDeviceSeconds,
        sessions.maxDeviceSeconds),
      memoryBytes: try count(spec.memoryBytes, "memory_bytes", configuration.sessionMemoryBytes))
  }

  private func seconds(
    _ value: Double?, _ field: String, _ standard: Double, _ limit: Double
  ) throws(QubusError) -> Double {
    guard let value else { return standard }
    guard value > 0, value <= limit else {
      throw .field(
        .invalidRequest, field, "is \(value)", limit: "above 0, at most \(limit) seconds")
    }
    return value
  }

  private func count(
    _ value: UInt64?, _ field: String, _ limit: UInt64
  ) throws(QubusError) -> UInt64 {
    guard let value else { return limit }
    guard value > 0, value <= limit else {
      throw .field(.invalidRequest, field, "is \(value)", limit: "1 to \(limit)")
    }
    return value
  }

  private func device(
    _ name: String, among devices: [any Device]
  ) throws(QubusError) -> any Device {
    if name.isEmpty, let first = devices.first { return first }
    if let device = devices.first(where: { $0.name == name }) { return device }
    guard !devices.isEmpty else {
      throw QubusError(.unknownDevice, "there is no device that is open to you")
    }
    throw .field(
      .unknownDevice, "device", "'\(name)' is not configured here",
      limit: "one of: \(devices.map(\.name).joined(separator: ", "))")
  }

  /// What the session gives; refused when the program cannot.
  private func outputs(
    of spec: SessionSpec, _ program: CompiledProgram
  ) throws(QubusError) -> StepOutputs {
    let outputs = StepOutputs(rawValue: spec.outputsOrStandard.rawValue)
    let unknown = outputs.subtracting([.values, .gradients, .counts, .stateVector])
    guard unknown.isEmpty else {
      throw .field(
        .invalidOutputs, "outputs", "bits \(unknown.rawValue) are unknown",
        limit: "values, gradients, counts, statevector")
    }
    let isObserved = outputs.contains(.values) || outputs.contains(.gradients)
    guard isObserved == !spec.observables.isEmpty else {
      throw .field(
        .invalidOutputs, "outputs",
        isObserved
          ? "values and gradients need observables"
          : "observables are given, but neither values nor gradients are asked for")
    }
    let isSampled = spec.shots != nil || spec.targetError != nil
    if outputs.contains(.counts) {
      guard program.circuit.bitCount > 0 else {
        throw .field(
          .invalidOutputs, "outputs", "the program declares no classical bits, so it has no counts")
      }
      guard isSampled else {
        throw .field(
          .invalidShots, "shots", "is missing, counts need it", limit: "1 to \(limits.shots)")
      }
    }
    try checkExact(outputs, isSampled: isSampled, program)
    return outputs
  }

  /// Exact figures need a single final state.
  private func checkExact(
    _ outputs: StepOutputs, isSampled: Bool, _ program: CompiledProgram
  ) throws(QubusError) {
    let reason = "the program measures or resets qubits on its way, so it has no single final state"
    if program.analysis.mustRunPerShot {
      if outputs.contains(.stateVector) {
        throw .field(.invalidOutputs, "outputs", "statevector: \(reason)")
      }
      if !isSampled, !outputs.isDisjoint(with: [.values, .gradients]) {
        throw .field(
          .invalidOutputs, "outputs", "\(outputs.subtracting(.counts).names): \(reason)",
          limit: "counts")
      }
    }
    if outputs.contains(.stateVector), program.circuit.qubitCount > limits.stateVectorQubits {
      throw .field(
        .invalidOutputs, "outputs", "statevector of \(program.circuit.qubitCount) qubits",
        limit: "\(limits.stateVectorQubits) qubits")
    }
  }
}

extension EngineConfiguration {
  /// Of all resident plans of sessions together.
  var sessionMemoryBytes: UInt64 { sessions.memoryBytes ?? memoryBytes / 4 }
}
