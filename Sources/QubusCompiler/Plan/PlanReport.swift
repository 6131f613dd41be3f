/// What a plan does and what it should cost, for people and as JSON.
package struct PlanReport: Sendable, Codable, Hashable {
  package struct Operation: Sendable, Codable, Hashable {
    package var kind: String
    /// Positions of targets, of controls, and with a factor of their own.
    package var targets: [Int]
    package var controls: [Int]
    package var factors: [Int]
    /// The same as qubits of the circuit at its start (swaps are relabelled on the way).
    package var targetQubits: [Int]
    package var controlQubits: [Int]
    package var factorQubits: [Int]
    /// Amplitudes read and written, in bytes, wherever they lie.
    package var bytes: Double
    /// Real additions and multiplications.
    package var flops: Double
    /// On one thread, by the cost table.
    package var seconds: Double
  }

  package struct Stage: Sendable, Codable, Hashable {
    package var localPositions: [Int]
    package var liveCount: Int
    package var chunkCount: Double
    /// Read from and written to memory once, in bytes.
    package var bytes: Double
    package var flops: Double
    /// On one thread, by the cost table.
    package var seconds: Double
    package var operations: [Operation]
  }

  package var qubitCount: Int
  package var precision: String
  package var costTableVersion: Int
  package var bytes: Double
  package var flops: Double
  package var seconds: Double
  package var stages: [Stage]

  package init(_ plan: Plan) {
    qubitCount = plan.qubitCount
    precision = plan.precision == .single ? "single" : "double"
    costTableVersion = plan.costs.version
    let figures = plan.costs.figures(plan.precision)
    var qubits = [Int](repeating: -1, count: 64)
    for (qubit, position) in plan.initialPositions.enumerated() { qubits[Int(position)] = qubit }
    stages = plan.stages.map { Stage($0, plan, figures, qubits) }
    bytes = stages.reduce(0) { $0 + $1.bytes }
    flops = stages.reduce(0) { $0 + $1.flops }
    seconds = stages.reduce(0) { $0 + $1.seconds }
  }
}

extension PlanReport.Stage {
  init(_ stage: PlanStage, _ plan: Plan, _ figures: CostTable.Figures, _ qubits: [Int]) {
    let bits = max(stage.liveCount, plan.precision.laneBits)
    let amplitudes = Double(sign: .plus, exponent: bits, significand: 1)
    localPositions = bitIndices(stage.localMask)
    liveCount = stage.liveCount
    chunkCount = Double(
      sign: .plus, exponent: max(0, bits - stage.localMask.nonzeroBitCount), significand: 1)
    bytes = 2 * amplitudes * Double(plan.precision.bytesPerAmplitude)
    operations = plan.operations[stage.operations].map {
      PlanReport.Operation($0, plan.precision, amplitudes, figures, qubits)
    }
    flops = operations.reduce(0) { $0 + $1.flops }
    // A state that is one chunk stays in the cache.
    let memory = chunkCount > 1 ? figures.memoryPass * amplitudes * 1e-9 : 0
    seconds = operations.reduce(memory) { $0 + $1.seconds }
  }
}

extension PlanReport.Operation {
  init(
    _ operation: PlanOperation, _ precision: Precision, _ amplitudes: Double,
    _ figures: CostTable.Figures, _ qubits: [Int]
  ) {
    kind = String(describing: operation.kind)
    targets = operation.targets.map { Int($0) }
    controls = bitIndices(operation.controlMask)
    factors = bitIndices(operation.factorMask)
    targetQubits = targets.map { qubits[$0] }
    controlQubits = controls.map { qubits[$0] }
    factorQubits = factors.map { qubits[$0] }
    let touched = Double(sign: .plus, exponent: -controls.count, significand: amplitudes)
    bytes = 2 * touched * Double(precision.bytesPerAmplitude)
    flops = touched * operation.flopsPerAmplitude
    seconds =
      1e-9 * amplitudes
      * figures.cost(operation.kind, targets: targets.count, controls: controls.count)
  }
}

extension PlanOperation {
  /// Real additions and multiplications per amplitude it touches.
  var flopsPerAmplitude: Double {
    let dimension = Double(1 << targets.count)
    return switch kind {
    case .flip, .swap: 0
    case .negate: 2
    case .phase, .diagonal: 6
    case .linear: 12
    case .real where targets.count == 1, .cross: controlMask == 0 ? 4 : 6
    case .real: 4 * dimension - 2
    case .dense: 8 * dimension - 2
    }
  }
}

/// Indices of the set bits, ascending.
private func bitIndices(_ mask: UInt64) -> [Int] {
  (0..<64).filter { mask >> UInt64($0) & 1 == 1 }
}

extension Plan: CustomStringConvertible {
  /// A table of stages and operations.
  package var description: String { PlanReport(self).description }
}

extension PlanReport: CustomStringConvertible {
  package var description: String {
    var lines = [
      "\(qubitCount) qubits, \(precision) precision, cost table \(costTableVersion), "
        + "\(stages.count) stages, \(stages.reduce(0) { $0 + $1.operations.count }) operations, "
        + "\(Self.scaled(bytes))B, \(Self.scaled(flops))flop, \(Self.scaled(seconds))s"
    ]
    for (index, stage) in stages.enumerated() {
      lines.append(
        "stage \(index + 1): \(stage.liveCount) live, local \(Self.list(stage.localPositions)), "
          + "\(Self.scaled(stage.chunkCount))chunks, \(Self.scaled(stage.bytes))B, "
          + "\(Self.scaled(stage.flops))flop, \(Self.scaled(stage.seconds))s")
      for operation in stage.operations { lines.append("  " + operation.line) }
    }
    return lines.joined(separator: "\n")
  }

  static func list(_ numbers: [Int]) -> String {
    numbers.map(String.init).joined(separator: ",")
  }

  /// Three digits and a prefix, ending in a space or the prefix.
  static func scaled(_ value: Double) -> String {
    guard value > 0 else { return "0 " }
    let prefixes = ["n", "µ", "m", "", "k", "M", "G", "T", "P", "E"]
    var index = 3
    var value = value
    while value >= 1000, index < prefixes.count - 1 {
      value /= 1000
      index += 1
    }
    while value < 1, index > 0 {
      value *= 1000
      index -= 1
    }
    let digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
    let power = [1.0, 10, 100][digits]
    return "\(((value * power).rounded() / power)) \(prefixes[index])"
  }
}

extension PlanReport.Operation {
  var line: String {
    var parts = [kind.padding(to: 8)]
    if !targets.isEmpty {
      parts.append(
        "targets \(PlanReport.list(targets)) (qubits \(PlanReport.list(targetQubits)))")
    }
    if !controls.isEmpty { parts.append("controls \(PlanReport.list(controls))") }
    if !factors.isEmpty { parts.append("factors \(PlanReport.list(factors))") }
    parts.append("\(PlanReport.scaled(flops))flop, \(PlanReport.scaled(seconds))s")
    return parts.joined(separator: "  ")
  }
}

extension String {
  fileprivate func padding(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
