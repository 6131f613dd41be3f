/// Bounds of all parameters; infinite where there are none.
struct ParameterBox: Sendable, Hashable {
  var lower: [Double] = []
  var upper: [Double] = []

  /// The nearest number inside the bounds of parameter `index`.
  @inline(__always)
  func clip(_ value: Double, _ index: Int) -> Double {
    let raised = value < lower[index] ? lower[index] : value
    return raised > upper[index] ? upper[index] : raised
  }

  /// The part of a gradient that a descent may follow: zero where a bound stands in its way.
  @inline(__always)
  func free(_ slope: Double, at value: Double, _ index: Int) -> Double {
    if slope > 0, value <= lower[index] { return 0 }
    if slope < 0, value >= upper[index] { return 0 }
    return slope
  }

  mutating func visitState(_ coder: inout CheckpointCoder, count: Int) {
    coder.visit(&lower, count: count)
    coder.visit(&upper, count: count)
  }
}
