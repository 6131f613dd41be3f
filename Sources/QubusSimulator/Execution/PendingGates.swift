internal import CQubusKernels
internal import QubusCompiler
internal import QubusCore

/// Single gates as kernel operations on states with given positions, the numbers in one array.
struct KernelGates: Sendable {
  let positions: [UInt8]
  private(set) var coefficients: [Double] = []

  init(positions: [UInt8]) { self.positions = positions }

  /// Appends a gate's numbers.
  /// - Parameter numbers: what `gate.offset` points into.
  mutating func append(_ gate: BoundGate, _ numbers: [Double]) -> qk_op {
    var operation = qk_op()
    operation.control_mask = UInt32(permuted(gate.controlMask))
    operation.control_value = UInt32(permuted(gate.controlValue))
    operation.offset = UInt32(coefficients.count)
    operation.targets.0 = positions[Int(gate.target0)]
    operation.targets.1 = positions[Int(gate.target1)]
    let own = numbers[gate.offset..<gate.offset + gate.coefficientCount]
    let kind: OperationKind
    switch gate.kind {
    case .identity:
      // The phase 1, so that a gate is always one operation.
      coefficients += [1, 0]
      operation.kind = OperationKind.phase.rawValue
      return operation
    case .phase: kind = .phase
    case .flip: kind = .flip
    case .swap: kind = .swap
    case .diagonal, .diagonal2: kind = .diagonal
    case .dense, .dense2:
      let isReal = stride(from: own.startIndex + 1, to: own.endIndex, by: 2)
        .allSatisfy { own[$0] == 0 }
      kind = isReal ? .real : .dense
    }
    operation.kind = kind.rawValue
    operation.target_count =
      switch gate.kind {
      case .identity, .phase: 0
      case .diagonal, .flip, .dense: 1
      case .swap, .diagonal2, .dense2: 2
      }
    if kind == .real {
      for place in stride(from: own.startIndex, to: own.endIndex, by: 2) {
        coefficients.append(own[place])
      }
    } else {
      coefficients.append(contentsOf: own)
    }
    return operation
  }

  /// Appends the projection on an outcome, scaled; a qubit that is reset goes to |0⟩.
  mutating func appendProjection(
    qubit: Int, outcome: Bool, scale: Double, isReset: Bool
  ) -> qk_op {
    var operation = qk_op()
    operation.kind = OperationKind.real.rawValue
    operation.target_count = 1
    operation.targets.0 = positions[qubit]
    operation.offset = UInt32(coefficients.count)
    if isReset {
      coefficients += outcome ? [0, scale, 0, 0] : [scale, 0, 0, 0]
    } else {
      operation.kind = OperationKind.diagonal.rawValue
      coefficients += outcome ? [0, 0, scale, 0] : [scale, 0, 0, 0]
    }
    return operation
  }

  mutating func removeCoefficients(from count: Int) {
    coefficients.removeSubrange(count...)
  }

  private func permuted(_ mask: UInt64) -> UInt64 {
    var (rest, result) = (mask, UInt64(0))
    while rest != 0 {
      result |= 1 << UInt64(positions[rest.trailingZeroBitCount])
      rest &= rest - 1
    }
    return result
  }
}

/// Gates that wait until the state is needed, so that all of them share few passes over it.
struct PendingGates {
  private var gates: KernelGates
  private let fixedCount: Int
  private var operations: [qk_op] = []
  private let kernels: KernelTable
  /// States up to here get all gates in one call on the calling thread.
  private static func wholeBits(_ precision: Precision) -> Int { precision == .double ? 14 : 15 }

  /// - Parameter fixed: operations made from it may be appended, too.
  init(_ fixed: KernelGates, kernels: KernelTable = .best) {
    gates = fixed
    fixedCount = fixed.coefficients.count
    self.kernels = kernels
  }

  var count: Int { operations.count }

  mutating func append(_ operation: qk_op) { operations.append(operation) }

  mutating func append(_ gate: BoundGate, _ numbers: [Double]) {
    operations.append(gates.append(gate, numbers))
  }

  mutating func appendProjection(qubit: Int, outcome: Bool, scale: Double, isReset: Bool) {
    operations.append(
      gates.appendProjection(qubit: qubit, outcome: outcome, scale: scale, isReset: isReset))
  }

  mutating func removeAll() {
    operations.removeAll(keepingCapacity: true)
    gates.removeCoefficients(from: fixedCount)
  }

  /// Applies what waits.
  /// - Throws: `execution_canceled`; the state is then undefined.
  mutating func flush(
    into state: BlockedState, _ context: KernelContext
  ) throws(QubusError) {
    precondition(state.positions == gates.positions, "qubits at other positions")
    defer { removeAll() }
    if operations.isEmpty { return }
    if state.bitCount > Self.wholeBits(state.precision) {
      let (plan, numbers) = staged(state)
      let executor = try PlanExecutor(
        plan, threadCount: context.team.threadCount, kernels: kernels)
      try executor.run(numbers, continuing: state, context)
      return
    }
    operations.withUnsafeBufferPointer { operations in
      guard let start = operations.baseAddress else { return }
      switch state.precision {
      case .double:
        gates.coefficients.withUnsafeBufferPointer { numbers in
          kernels.apply(
            state.doubles, bits: state.bitCount, start, count: operations.count,
            numbers.baseAddress ?? UnsafePointer(state.doubles))
        }
      case .single:
        let narrow = gates.coefficients.map { Float($0) }
        narrow.withUnsafeBufferPointer { numbers in
          kernels.apply(
            state.floats, bits: state.bitCount, start, count: operations.count,
            numbers.baseAddress ?? UnsafePointer(state.floats))
        }
      }
    }
  }

  /// A plan that keeps the order: as many gates a stage as their targets fit into one chunk.
  private func staged(_ state: BlockedState) -> (Plan, PlanNumbers) {
    let chunkBits = Self.wholeBits(state.precision)
    var plan = Plan(
      qubitCount: state.qubitCount, precision: state.precision, costs: kernels.costs,
      operations: [], stages: [], initialPositions: state.positions,
      finalPositions: state.positions, coefficientCount: gates.coefficients.count)
    let lanes = (UInt64(1) << UInt64(state.precision.laneBits)) - 1
    var local = lanes
    var first = 0
    func close() {
      while local.nonzeroBitCount < chunkBits { local |= local + 1 }
      plan.stages.append(
        PlanStage(
          operations: first..<plan.operations.count, localMask: local,
          liveCount: state.bitCount))
      first = plan.operations.count
      local = lanes
    }
    for operation in operations {
      let planned = PlanOperation(operation)
      var needed: UInt64 = 0
      if planned.kind != .diagonal {
        for target in planned.targets { needed |= 1 << UInt64(target) }
      }
      if (local | needed).nonzeroBitCount > chunkBits { close() }
      local |= needed
      plan.operations.append(planned)
    }
    close()
    let numbers = PlanNumbers(
      coefficients: gates.coefficients,
      forms: [UInt8](repeating: 0, count: plan.operations.count),
      stageScales: [Double](repeating: 1, count: plan.stages.count))
    return (plan, numbers)
  }
}

extension PlanOperation {
  fileprivate init(_ operation: qk_op) {
    self.init(
      kind: OperationKind(rawValue: operation.kind) ?? .phase,
      targets: withUnsafeBytes(of: operation.targets) {
        Array($0.prefix(Int(operation.target_count)))
      },
      controlMask: UInt64(operation.control_mask), controlValue: UInt64(operation.control_value),
      offset: Int(operation.offset))
  }
}
