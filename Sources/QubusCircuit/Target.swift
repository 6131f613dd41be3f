/// What a device can do.
package struct Target: Sendable, Hashable {
  package var qubitCount: Int
  /// Directed pairs; nil means all-to-all.
  package var couplingMap: [[Int]]?
  /// Names of native gates; empty means every gate of the table.
  package var nativeGates: [String]
  /// True when delays and durations have no meaning.
  package var isIdeal: Bool
  package var supportsMidCircuitMeasurement: Bool

  package init(
    qubitCount: Int, couplingMap: [[Int]]? = nil, nativeGates: [String] = [], isIdeal: Bool = true,
    supportsMidCircuitMeasurement: Bool = true
  ) {
    self.qubitCount = qubitCount
    self.couplingMap = couplingMap
    self.nativeGates = nativeGates
    self.isIdeal = isIdeal
    self.supportsMidCircuitMeasurement = supportsMidCircuitMeasurement
  }
}
