internal import CQubusKernels
internal import QubusCompiler
internal import QubusCore

/// Turns a plan's structure into stages ready to run; done once, for any numbers.
struct StagePreparation {
  private let plan: Plan
  private let bitCount: Int
  private let cancellation: CancellationFlag?
  private(set) var stages: [PreparedStage] = []
  private(set) var operations: [StageOperation] = []
  private(set) var tables: [SortedDiagonal] = []
  /// Reals: the plan's coefficients and the sorted diagonals behind them.
  private(set) var coefficientCount: Int
  /// Reals of the largest scratch that a stage needs.
  private(set) var scratchCount = 2

  init(
    _ plan: Plan, bitCount: Int, _ cancellation: CancellationFlag?
  ) throws(QubusError) {
    self.plan = plan
    self.cancellation = cancellation
    self.bitCount = bitCount
    coefficientCount = plan.coefficientCount
    operations.reserveCapacity(plan.operations.count)
    stages.reserveCapacity(plan.stages.count)
    for stage in plan.stages { try append(stage) }
  }

  private mutating func append(_ stage: PlanStage) throws(QubusError) {
    let minimum = BlockedState.bitCount(qubitCount: 1, plan.precision)
    var local = stage.localMask | ((1 << UInt64(plan.precision.laneBits)) - 1)
    while local.nonzeroBitCount < minimum { local |= local + 1 }
    let top = UInt64.bitWidth - local.leadingZeroBitCount
    precondition(top <= bitCount && stage.liveCount <= bitCount, "a stage beyond the state")
    let live = max(stage.liveCount, top)
    var prepared = PreparedStage(
      operations: stage.operations, localMask: local,
      outerMask: (live == 64 ? .max : (1 << UInt64(live)) - 1) & ~local, liveCount: live,
      runBits: (~local).trailingZeroBitCount)
    var scratch = 0
    for index in stage.operations {
      try cancellation.poll(index)
      let operation = makeOperation(plan.operations[index], local: local, &scratch)
      if !operation.isStatic { prepared.isVariable = true }
      operations.append(operation)
    }
    try chooseFolds(&prepared)
    prepared.foldScratch = scratch
    let folded =
      [prepared.complexFold, prepared.realFold].filter { $0 >= 0 }
      .map { Self.reals(operations[$0].operation) }.max() ?? 0
    scratchCount = max(scratchCount, scratch + max(2, folded))
    stages.append(prepared)
  }

  // MARK: One operation

  private mutating func makeOperation(
    _ plan: PlanOperation, local: UInt64, _ scratch: inout Int
  ) -> StageOperation {
    var operation = qk_op()
    operation.kind = plan.kind.rawValue
    operation.control_mask = UInt32(plan.controlMask.extracted(by: local))
    operation.control_value = UInt32(plan.controlValue.extracted(by: local))
    operation.offset = UInt32(plan.offset)
    var result = StageOperation(
      operation: operation, resolution: .fixed, outerMask: plan.controlMask & ~local,
      outerValue: plan.controlValue & ~local, source: plan.offset)
    let isEverywhere = operation.control_mask == 0
    switch plan.kind {
    case .phase: if isEverywhere { result.resolution = .phaseScalar }
    case .negate: if isEverywhere { result.resolution = .negateScalar }
    case .diagonal: setDiagonal(&result, plan, local)
    case .linear: setLinear(&result, plan, local, &scratch)
    case .flip, .swap, .real, .cross, .dense:
      setTargets(&result.operation, plan.targets, local)
    }
    return result
  }

  private func setTargets(_ operation: inout qk_op, _ targets: [UInt8], _ local: UInt64) {
    operation.target_count = UInt8(targets.count)
    withUnsafeMutableBytes(of: &operation.targets) { bytes in
      for (index, target) in targets.enumerated() {
        let bit = UInt64(1) << UInt64(target)
        precondition(local & bit != 0, "a target outside the stage's local positions")
        bytes[index] = UInt8((local & (bit - 1)).nonzeroBitCount)
      }
    }
  }

  private mutating func setDiagonal(
    _ result: inout StageOperation, _ plan: PlanOperation, _ local: UInt64
  ) {
    let inner = plan.targets.filter { local >> UInt64($0) & 1 == 1 }
    setTargets(&result.operation, inner, local)
    if inner.count == plan.targets.count { return }
    // Outer targets in order of position, as the chunk's number is taken apart.
    let outer = plan.targets.filter { local >> UInt64($0) & 1 == 0 }.sorted()
    for target in outer { result.outerBits |= 1 << UInt64(target) }
    let sorted = (inner + outer).map { target in plan.targets.firstIndex(of: target) ?? 0 }
    let rows = (0..<1 << plan.targets.count).map { entry in
      sorted.enumerated().reduce(0) { $0 | (entry >> $1.offset & 1) << $1.element }
    }
    tables.append(SortedDiagonal(source: plan.offset, place: coefficientCount, rows: rows))
    result.source = coefficientCount
    coefficientCount += 2 * rows.count
    if !inner.isEmpty {
      result.resolution = .diagonal
    } else if result.operation.control_mask != 0 {
      result.resolution = .diagonal
      result.operation.kind = OperationKind.phase.rawValue
    } else {
      result.resolution = .diagonalScalar
    }
  }

  private func setLinear(
    _ result: inout StageOperation, _ plan: PlanOperation, _ local: UInt64, _ scratch: inout Int
  ) {
    result.factorMask = plan.factorMask
    result.outerBits = plan.factorMask & ~local
    result.operation.factor_mask = UInt32(plan.factorMask.extracted(by: local))
    if result.operation.factor_mask == 0 {
      result.resolution = .linearScalar
      if result.operation.control_mask == 0 { return }
      result.operation.kind = OperationKind.phase.rawValue
    }
    if result.outerBits == 0 && result.operation.factor_mask != 0 { return }
    result.resolution = .linear
    result.scratch = scratch
    scratch += 2 + 2 * result.operation.factor_mask.nonzeroBitCount
  }

  // MARK: Taking up a scale

  /// Reals that one operation's numbers take.
  static func reals(_ operation: qk_op) -> Int {
    let dimension = 1 << Int(operation.target_count)
    return switch OperationKind(rawValue: operation.kind) {
    case .phase: 2
    case .diagonal: 2 * dimension
    case .linear: 2 + 2 * operation.factor_mask.nonzeroBitCount
    case .real, .cross: dimension * dimension
    case .dense: 2 * dimension * dimension
    case .negate, .flip, .swap, nil: 0
    }
  }

  /// The cheapest operations without controls that a scale can be multiplied into.
  private func chooseFolds(_ stage: inout PreparedStage) throws(QubusError) {
    var complexCost = 2 * 64 + 1
    var realCost = 64 + 1
    for index in stage.operations {
      try cancellation.poll(index)
      let operation = operations[index]
      if operation.hasControls { continue }
      switch (operation.resolution, OperationKind(rawValue: operation.operation.kind)) {
      case (.fixed, .linear), (.linear, .linear):
        // Only its first number takes the scale.
        if complexCost > 4 {
          complexCost = 4
          stage.complexFold = index
        }
      case (.fixed, .diagonal), (.diagonal, .diagonal), (.fixed, .dense):
        let cost = Self.reals(operation.operation)
        if cost < complexCost {
          complexCost = cost
          stage.complexFold = index
        }
      case (.fixed, .real), (.fixed, .cross):
        let cost = Self.reals(operation.operation)
        if cost < realCost {
          realCost = cost
          stage.realFold = index
        }
      default: break
      }
    }
  }
}
