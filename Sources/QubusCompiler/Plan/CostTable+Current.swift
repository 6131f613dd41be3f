extension CostTable {
  /// The table that this release plans with.
  package static let current = CostTable.counted
}
