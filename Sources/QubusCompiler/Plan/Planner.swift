internal import QubusCircuit
package import QubusCore

/// Makes plans: how a circuit's gates run as few, cheap operations over few passes of memory.
///
/// The passes, in order: `GateLowering`, `LightCone`, `GateCancellation`, `BlockFusion`, `Staging`,
/// `StageOrder`, `PhaseGrouping`; `PlanEmission` writes the result.
package enum Planner {
  /// - Parameter gates: one row's gates; only their structure and the numbers of constant gates
  ///   matter.
  /// - Parameter observed: qubits whose outcomes matter, one bit each; nil for the whole state.
  /// - Parameter startsFromZero: true when the state starts as |0…0⟩; false when it may be any.
  /// - Throws: `too_many_qubits` beyond 64.
  /// - Complexity: about linear in gates; 10^6 gates take about a second.
  package static func plan(
    _ gates: BoundGateList, qubitCount: Int, precision: Precision, observed: UInt64? = nil,
    startsFromZero: Bool = true, costs: CostTable = .current
  ) throws(QubusError) -> Plan {
    guard qubitCount <= 64 else {
      throw QubusError(
        .tooManyQubits, "a plan for \(qubitCount) qubits was asked for, the limit is 64")
    }
    let figures = costs.figures(precision)
    let draft = GateLowering.lower(
      gates, qubitCount: qubitCount, startsFromZero: startsFromZero)
    var staging = Staging(
      draft, precision: precision, startsFromZero: startsFromZero, figures: figures)
    staging.run()
    var emission = PlanEmission(draft, positions: staging.positions)
    var stages: [PlanStage] = []
    for (index, stage) in staging.stages.enumerated() {
      let start = emission.operations.count
      for gate in stage.gates { emission.append(draft.gates[Int(gate)]) }
      if index == staging.stages.count - 1, observed == nil { emission.appendGlobalPhase() }
      stages.append(
        PlanStage(
          operations: start..<emission.operations.count, localMask: stage.localMask,
          liveCount: stage.liveCount))
    }
    if staging.stages.isEmpty, observed == nil {
      emission.appendGlobalPhase()
      if !emission.operations.isEmpty {
        stages.append(Self.wholeStage(emission.operations.count, qubitCount, precision,
          startsFromZero: startsFromZero))
      }
    }
    var plan = Plan(
      qubitCount: qubitCount, precision: precision, costTableVersion: costs.version,
      operations: emission.operations, stages: stages, initialPositions: staging.positions,
      finalPositions: draft.finalWires.map { staging.positions[Int($0)] },
      coefficientCount: emission.offset)
    plan.recipe = emission.recipe
    plan.recipe.record(gates)
    return plan
  }

  /// A stage for the phase of a circuit without other gates.
  private static func wholeStage(
    _ operations: Int, _ qubitCount: Int, _ precision: Precision, startsFromZero: Bool
  ) -> PlanStage {
    let live = startsFromZero ? 0 : qubitCount
    return PlanStage(
      operations: 0..<operations,
      localMask: Staging.low(ChunkSize.bits(live: live, precision)), liveCount: live)
  }
}
