internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore
internal import QubusDevices
internal import QubusJobs
internal import QubusSimulator

/// Limits in force for one session.
struct SessionLimits: Sendable, Hashable {
  var idleSeconds: Double
  var wallSeconds: Double
  var maxSteps: UInt64
  var maxDeviceSeconds: Double
  var memoryBytes: UInt64
}

/// A session's request, checked and compiled: what its evaluator is built from, as often as it is.
final class SessionPlan: Sendable {
  let spec: SessionSpec
  let device: any Device
  let program: CompiledProgram
  let observables: [PauliSum]
  /// That steps may ask for.
  let outputs: StepOutputs
  /// Of a step that names none.
  let standardOutputs: StepOutputs
  /// 0: exact.
  let shots: UInt64
  let targetError: Double
  /// Predicted, of the resident plan.
  let estimatedBytes: UInt64
  let limits: SessionLimits
  /// Of the largest team that a step is given.
  let threadCount: Int
  let notices: [String]
  let parameterCount: Int
  let sharesRandomNumbers: Bool

  init(
    spec: SessionSpec, device: any Device, program: CompiledProgram, observables: [PauliSum],
    outputs: StepOutputs, shots: UInt64, estimatedBytes: UInt64, limits: SessionLimits,
    threadCount: Int
  ) {
    self.spec = spec
    self.device = device
    self.program = program
    self.observables = observables
    self.outputs = outputs
    standardOutputs =
      outputs.contains(.values) ? .values : outputs.contains(.counts) ? .counts : outputs
    self.shots = shots
    targetError = spec.targetError ?? 0
    self.estimatedBytes = estimatedBytes
    self.limits = limits
    self.threadCount = threadCount
    notices = program.circuit.notices.map { notice in
      let place = notice.location.map { " (line \($0.line), column \($0.column))" } ?? ""
      return "program: \(notice.message)\(place)"
    }
    parameterCount = program.circuit.inputs.count
    sharesRandomNumbers = spec.sharesRandomNumbers
  }

  var qubitCount: Int { program.circuit.qubitCount }
  var isSampled: Bool { shots > 0 }

  func makeEvaluator(
    seed: UInt64, _ context: KernelContext
  ) throws(QubusError) -> any StepEvaluator {
    try device.stepEvaluator(
      program, observables: observables, outputs: outputs, precision: spec.precision.amplitudes,
      seed: seed, threadCount: threadCount, context)
  }
}

extension SessionPlan {
  /// The order with the session's own figures where the call names none.
  /// - Throws: `invalid_step`, `parameter_count_mismatch`.
  @inline(__always)
  func order(
    _ call: StepCall, bytes: Int, _ configuration: EngineConfiguration
  ) throws(QubusError) -> StepOrder {
    var order = call.order
    if order.outputs.isEmpty { order.outputs = standardOutputs }
    order.sharesRandomNumbers = sharesRandomNumbers
    if isSampled {
      if order.shots == 0 { order.shots = shots }
      if order.targetError == 0 { order.targetError = targetError }
    }
    let fits =
      outputs.isSuperset(of: order.outputs) && order.rows >= 1
      && order.rows <= configuration.limits.rowsPerStep && call.columns == parameterCount
      && order.sequence >= 1 && order.targetError >= 0 && order.targetError < .infinity
      && (isSampled || (order.shots == 0 && order.targetError == 0))
      && order.shots <= UInt64(configuration.limits.shots)
      && bytes == 8 * order.rows * call.columns
    let perRow = answerBytesPerRow(order.outputs)
    if fits, perRow.multipliedClamped(by: UInt64(order.rows)) <= configuration.sessions.answerBytes
    {
      return order
    }
    throw fault(order, call.columns, bytes: bytes, configuration)
  }

  /// What of the order does not fit.
  private func fault(
    _ order: StepOrder, _ columns: Int, bytes: Int, _ configuration: EngineConfiguration
  ) -> QubusError {
    let limits = configuration.limits
    func invalid(_ field: String, _ text: String, _ limit: String) -> QubusError {
      .field(.invalidStep, field, text, limit: limit)
    }
    guard order.sequence >= 1 else { return invalid("sequence", "is 0", "from 1 on") }
    guard order.rows >= 1 else { return invalid("parameters", "hold 0 rows", "1 or more") }
    guard order.rows <= limits.rowsPerStep else {
      return invalid("parameters", "hold \(order.rows) rows", "\(limits.rowsPerStep)")
    }
    guard columns == parameterCount, bytes == 8 * order.rows * columns else {
      let names = program.circuit.inputs.prefix(8).map(\.name).joined(separator: ", ")
      return .field(
        .parameterCountMismatch, "parameters",
        columns == parameterCount
          ? "\(bytes) bytes for \(order.rows) rows of \(columns) numbers"
          : "\(columns) numbers in a row, the program has \(parameterCount)",
        limit: parameterCount == 0
          ? "the program declares no inputs" : "\(parameterCount) (\(names)…)")
    }
    guard outputs.isSuperset(of: order.outputs) else {
      let missing = order.outputs.subtracting(outputs).names
      return invalid(
        "outputs", "\(missing) is not what the session was opened for", outputs.names)
    }
    guard isSampled || (order.shots == 0 && order.targetError == 0) else {
      return invalid(
        order.shots > 0 ? "shots" : "target_error",
        "the session was opened without shots, its values are exact", "open one with shots")
    }
    guard order.targetError >= 0, order.targetError < .infinity else {
      return invalid("target_error", "is \(order.targetError)", "0 or more, finite")
    }
    guard order.shots <= UInt64(limits.shots) else {
      return invalid("shots", "is \(order.shots)", "\(limits.shots)")
    }
    let answer = answerBytesPerRow(order.outputs).multipliedClamped(by: UInt64(order.rows))
    return invalid(
      "parameters", "the answer to \(order.rows) rows would take \(answer) bytes",
      "\(configuration.sessions.answerBytes) bytes")
  }

  /// Steps like this one that may wait: their answers together are bounded as one answer is.
  func pipelinedSteps(_ order: StepOrder, _ settings: SessionConfiguration) -> Int {
    let bytes = answerBytesPerRow(order.outputs).multipliedClamped(by: UInt64(order.rows))
    let fitting = settings.answerBytes / max(1, bytes)
    return max(1, Int(clamping: min(UInt64(settings.pipelinedSteps), fitting)))
  }

  /// Without counts, whose size the outcomes decide.
  private func answerBytesPerRow(_ outputs: StepOutputs) -> UInt64 {
    var numbers: UInt64 = 0
    let observables = UInt64(observables.count)
    if outputs.contains(.values) { numbers += (isSampled ? 2 : 1) * observables }
    if outputs.contains(.gradients) { numbers += observables * UInt64(parameterCount) }
    if outputs.contains(.stateVector) { numbers += 2 << UInt64(min(60, qubitCount)) }
    if outputs.contains(.counts) {
      let words = UInt64(max(1, (program.circuit.bitCount + 63) / 64))
      let outcomes = min(shots, 1 << UInt64(min(22, program.circuit.bitCount)))
      numbers += outcomes * (words + 1)
    }
    return 8 * numbers
  }
}

extension StepOutputs {
  /// As on the wire, for messages.
  var names: String {
    let all: [(StepOutputs, String)] = [
      (.values, "values"), (.gradients, "gradients"), (.counts, "counts"),
      (.stateVector, "statevector"),
    ]
    var names = all.filter { contains($0.0) }.map(\.1)
    let unknown = subtracting([.values, .gradients, .counts, .stateVector])
    if !unknown.isEmpty { names.append("bits \(unknown.rawValue)") }
    return names.joined(separator: ", ")
  }
}

extension NumericPrecision {
  var amplitudes: Precision {
    switch self {
    case .double: .double
    case .single: .single
    }
  }
}
