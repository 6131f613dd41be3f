package import QubusCompiler
package import QubusCore

/// Many rows of numbers for one plan: small circuits run one row a thread, large ones row after row
/// with all threads. A row has the same bits either way.
package final class PlanBatch: Sendable {
  private let plan: Plan
  private let lanes: [Lane]
  /// Up to here every thread has a row of its own; above, a state fills the caches alone.
  package static let ownRowQubits = 14

  /// What one thread works with.
  ///
  /// `@unchecked Sendable`: a lane number is never used by two threads at once.
  private final class Lane: @unchecked Sendable {
    let executor: PlanExecutor
    var binding: PlanBinding
    let state: BlockedState

    init(_ plan: Plan, _ gates: BoundGateList, threadCount: Int) throws(QubusError) {
      executor = try PlanExecutor(plan, threadCount: threadCount)
      binding = try PlanBinding(plan, gates)
      state = try BlockedState(qubitCount: plan.qubitCount, precision: plan.precision)
    }
  }

  /// - Parameter gates: of any row.
  /// - Throws: `insufficient_memory`, `invariant_violated` when the gates are not the plan's.
  package init(_ plan: Plan, _ gates: BoundGateList, threadCount: Int) throws(QubusError) {
    self.plan = plan
    let isSmall = plan.qubitCount <= Self.ownRowQubits
    var lanes: [Lane] = []
    for _ in 0..<(isSmall ? threadCount : 1) {
      lanes.append(try Lane(plan, gates, threadCount: isSmall ? 1 : threadCount))
    }
    self.lanes = lanes
  }

  /// Exact expectation values of every row.
  /// - Parameters:
  ///   - observables: prepared for the plan's final positions.
  ///   - gates: the gates of a row; called from several threads.
  /// - Returns: rows × observables.
  /// - Throws: the error of the lowest row that failed; `execution_canceled`.
  package func expectations(
    rows: Int, _ observables: [PreparedPauliSum], _ context: KernelContext,
    gates: @Sendable (Int) throws(QubusError) -> BoundGateList
  ) throws(QubusError) -> [Double] {
    let width = observables.count
    var values = [Double](repeating: 0, count: rows * width)
    let failures = Lock<[(row: Int, error: QubusError)]>([])
    values.withUnsafeMutableBufferPointer { values in
      nonisolated(unsafe) let values = values
      func work(_ row: Int, _ lane: Int, _ context: KernelContext) {
        do throws(QubusError) {
          try context.check()
          let lane = self.lanes[lane]
          try lane.binding.update(try gates(row))
          try lane.executor.run(lane.binding.numbers, on: lane.state, context)
          for (index, observable) in observables.enumerated() {
            values[row * width + index] = try lane.state.expectation(observable, context)
          }
        } catch {
          failures.withLock { $0.append((row, error)) }
        }
      }
      if lanes.count > 1 {
        let alone = KernelContext(
          team: ComputeTeam(threadCount: 1), cancellation: context.cancellation)
        context.team.run(tasks: rows) { row, lane in work(row, lane, alone) }
      } else {
        for row in 0..<rows { work(row, 0, context) }
      }
    }
    let first = failures.withLock { $0.min { $0.row < $1.row } }
    if let first { throw first.error }
    return values
  }
}
