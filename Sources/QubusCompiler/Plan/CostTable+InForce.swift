extension CostTable {
  /// The table that this release plans with for kernels of an instruction set; one that was not
  /// measured, as the reference's, takes the baseline's.
  package static func inForce(on instructionSet: String) -> CostTable {
    measured[instructionSet] ?? measured["baseline"] ?? counted
  }
}
