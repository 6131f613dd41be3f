internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// Turns a state so that measuring a group's letters becomes measuring Z.
final class BasisChange {
  private let plan: Plan
  private let numbers: PlanNumbers
  /// Where each qubit of the turned state is.
  private let finalPositions: [UInt8]
  /// Kept for small states only: the chunk memory of large ones would add up over the groups.
  private var executor: PlanExecutor?
  static let keptQubits = 14

  /// - Parameter positions: of the states to come.
  init(
    _ group: MeasurementGroup, positions: [UInt8], _ precision: Precision
  ) throws(QubusError) {
    var list = BoundGateList()
    let nothing = ClassicalState(bits: [], variables: [], inputs: [])
    for (qubit, position) in positions.enumerated() {
      let bit = UInt64(1) << UInt64(qubit)
      let targets = [Int(position)]
      if group.y & bit != 0 { try list.append(GateApplication(.sdg, targets: targets), nothing) }
      if (group.x | group.y) & bit != 0 {
        try list.append(GateApplication(.h, targets: targets), nothing)
      }
    }
    let plan = try Planner.plan(
      list, qubitCount: positions.count, precision: precision, startsFromZero: false)
    self.plan = plan
    numbers = try PlanBinding(plan, list).numbers
    finalPositions = positions.map { plan.finalPositions[Int($0)] }
  }

  /// Sets `target` to the turned `source`.
  func apply(
    _ source: BlockedState, to target: BlockedState, _ context: KernelContext
  ) throws(QubusError) {
    try target.copy(source, context)
    for qubit in target.positions.indices { target.positions[qubit] = UInt8(qubit) }
    let executor: PlanExecutor
    if let kept = self.executor {
      executor = kept
    } else {
      executor = try PlanExecutor(plan, threadCount: context.team.threadCount)
      if plan.qubitCount <= Self.keptQubits { self.executor = executor }
    }
    try executor.run(numbers, continuing: target, context)
    for qubit in target.positions.indices { target.positions[qubit] = finalPositions[qubit] }
  }
}
