package import QubusCompiler

/// How a device would evolve one row, for people to read: what `Plan` prints.
package struct ExecutionPlan: Sendable, Hashable {
  package var report: PlanReport
  package var instructionSet: String
  /// Gates as bound, before optimisation.
  package var gateCount: Int
  /// Bit of the amplitude index that holds each qubit at the start and at the end.
  package var initialPositions: [UInt32]
  package var finalPositions: [UInt32]

  package init(_ plan: Plan, instructionSet: String, gateCount: Int) {
    report = PlanReport(plan)
    self.instructionSet = instructionSet
    self.gateCount = gateCount
    initialPositions = plan.initialPositions.map { UInt32($0) }
    finalPositions = plan.finalPositions.map { UInt32($0) }
  }
}
