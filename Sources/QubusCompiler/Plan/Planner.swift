internal import QubusCircuit
package import QubusCore

/// Makes plans: how a circuit's gates run as few, cheap operations over few passes of memory.
///
/// The passes, in order: `GateLowering`, `LightCone`, `GateCancellation`, `BlockFusion`,
/// `EulerSplit`, `GateCancellation` again, `Staging`, `StageOrder`, `PhaseGrouping`; `PlanEmission`
/// writes the result.
package enum Planner {
  /// Goes into provenance; raised when the same circuit may get another plan.
  package static let version = 1

  /// - Parameter gates: one row's gates; only their structure and the numbers of constant gates
  ///   matter.
  /// - Parameter observed: qubits whose outcomes matter, one bit each; nil for the whole state.
  /// - Parameter startsFromZero: true when the state starts as |0…0⟩; false when it may be any.
  /// - Parameter costs: of the kernels that will run it.
  /// - Parameter chunk: other chunk sizes than the table's, for tests.
  /// - Throws: `too_many_qubits` beyond 64, `execution_canceled`.
  /// - Complexity: about linear in gates; 10^6 gates take about a second.
  package static func plan(
    _ gates: BoundGateList, qubitCount: Int, precision: Precision, observed: UInt64? = nil,
    startsFromZero: Bool = true, costs: CostTable, chunk: ChunkSize? = nil,
    cancellation: CancellationFlag? = nil
  ) throws(QubusError) -> Plan {
    guard qubitCount <= 64 else {
      throw QubusError(
        .tooManyQubits, "a plan for \(qubitCount) qubits was asked for, the limit is 64")
    }
    let figures = costs.figures(precision)
    let chunk = chunk ?? ChunkSize(precision)
    var draft = try GateLowering.lower(
      gates, qubitCount: qubitCount, startsFromZero: startsFromZero, cancellation: cancellation)
    if let observed { try LightCone.trim(&draft, observed: observed) }
    try GateCancellation.run(&draft)
    try BlockFusion.run(&draft, figures)
    try EulerSplit.run(&draft, figures)
    try GateCancellation.run(&draft)
    var staging = try Staging(
      draft, precision: precision, startsFromZero: startsFromZero, figures: figures, chunk: chunk)
    try staging.run(polling: draft)
    var emission = try PlanEmission(draft, positions: staging.positions)
    var stages: [PlanStage] = []
    for (index, stage) in staging.stages.enumerated() {
      let start = emission.operations.count
      let runs = try StageOrder.runs(
        stage.gates, draft, masks: staging.queue.masks, wireCount: qubitCount)
      for run in runs {
        switch run {
        case .moving(let run):
          for (step, gate) in run.enumerated() {
            try draft.poll(step)
            emission.append(draft.gates[Int(gate)])
          }
        case .phases(let run): try emission.append(phases: run, figures)
        }
      }
      if index == staging.stages.count - 1 { emission.appendGlobalPhase() }
      stages.append(
        PlanStage(
          operations: start..<emission.operations.count, localMask: stage.localMask,
          liveCount: stage.liveCount))
    }
    if staging.stages.isEmpty {
      emission.appendGlobalPhase()
      if !emission.operations.isEmpty {
        let live = startsFromZero ? 0 : qubitCount
        stages.append(
          PlanStage(
            operations: 0..<emission.operations.count,
            localMask: Staging.low(chunk.bits(live: live, precision)), liveCount: live))
      }
    }
    var plan = Plan(
      qubitCount: qubitCount, precision: precision, costs: costs,
      operations: emission.operations, stages: stages, initialPositions: staging.positions,
      finalPositions: draft.finalWires.map { staging.positions[Int($0)] },
      coefficientCount: emission.offset)
    plan.recipe = emission.recipe
    try plan.recipe.record(gates, cancellation)
    return plan
  }
}
