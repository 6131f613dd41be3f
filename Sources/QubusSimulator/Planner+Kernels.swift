package import QubusCompiler
package import QubusCore

extension KernelTable {
  /// What operations cost on this instruction set.
  package var costs: CostTable { .inForce(on: name) }
}

extension Planner {
  /// Makes a plan for kernels: by what operations cost on their instruction set, so that a plan
  /// follows from the gates, the versions of planner and table, and the instruction set alone.
  /// - Parameters: as the planner's.
  /// - Throws: `too_many_qubits` beyond 64, `execution_canceled`.
  package static func plan(
    _ gates: BoundGateList, qubitCount: Int, precision: Precision, observed: UInt64? = nil,
    startsFromZero: Bool = true, kernels: KernelTable = .best,
    cancellation: CancellationFlag? = nil
  ) throws(QubusError) -> Plan {
    try plan(
      gates, qubitCount: qubitCount, precision: precision, observed: observed,
      startsFromZero: startsFromZero, costs: kernels.costs, cancellation: cancellation)
  }
}
