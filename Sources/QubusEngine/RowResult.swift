internal import QubusSimulator

/// What one row of a pub came to.
struct RowResult: Sendable {
  var counts: Counts?
  var memory: [UInt8]?
  var probabilities: [Double]?
  var stateVector: [Double]?
  /// In the order in which the row's observables stand.
  var expectationValues: [Double]?
  var normDrift: Double?
}
