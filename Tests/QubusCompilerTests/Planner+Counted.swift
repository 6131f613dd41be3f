import QubusCompiler
import QubusCore

extension CostTable {
  /// Every table that a plan may be made with, by name.
  static let all = CostTable.measured.merging(["counted": .counted]) { $1 }
}

extension Planner {
  /// Plans by counted costs, for what must hold with any.
  static func plan(
    _ gates: BoundGateList, qubitCount: Int, precision: Precision, observed: UInt64? = nil,
    startsFromZero: Bool = true, chunk: ChunkSize? = nil, cancellation: CancellationFlag? = nil
  ) throws(QubusError) -> Plan {
    try plan(
      gates, qubitCount: qubitCount, precision: precision, observed: observed,
      startsFromZero: startsFromZero, costs: .counted, chunk: chunk, cancellation: cancellation)
  }
}
