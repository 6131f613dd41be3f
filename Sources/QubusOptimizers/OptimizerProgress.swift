internal import QubusCore

/// What every optimizer keeps: how far it is, the best point, its ending.
struct OptimizerProgress: Sendable {
  var iteration: UInt64 = 0
  var ending: OptimizerEnding?
  private var bestParameters: [Double] = []
  private var bestValue = Double.infinity

  var best: (parameters: [Double], value: Double)? {
    bestParameters.isEmpty ? nil : (bestParameters, bestValue)
  }

  /// Refuses answers that are not finite, before they touch the state.
  /// - Precondition: the shapes are those of the query.
  func check(
    _ values: UnsafeBufferPointer<Double>, rows: Int,
    _ gradients: UnsafeBufferPointer<Double>, numbers: Int
  ) throws(QubusError) {
    precondition(ending == nil, "told after the ending")
    precondition(values.count == rows && gradients.count == numbers, "answers of another shape")
    if let row = Self.firstNotFinite(values) {
      throw diverged("the objective at point \(row) of \(rows) is \(values[row])")
    }
    if let index = Self.firstNotFinite(gradients) {
      let parameter = index % (numbers / rows)
      throw diverged("the gradient by parameter \(parameter) is \(gradients[index])")
    }
  }

  private static func firstNotFinite(_ numbers: UnsafeBufferPointer<Double>) -> Int? {
    // 0 · x is zero for finite x and NaN otherwise, so one sum without branches tells.
    var sum = 0.0
    for index in 0..<numbers.count { sum += numbers[index] * 0 }
    return sum == 0 ? nil : numbers.firstIndex { !$0.isFinite }
  }

  private func diverged(_ what: String) -> QubusError {
    QubusError(
      .optimizerDiverged, "iteration \(iteration + 1): \(what), which is not a finite number",
      details: ["iteration": String(iteration + 1)])
  }

  /// Keeps the point when it is the best so far; of equal ones the first.
  @inline(__always)
  mutating func note(_ value: Double, at point: UnsafeBufferPointer<Double>) {
    guard value < bestValue || bestParameters.isEmpty else { return }
    bestValue = value
    if bestParameters.isEmpty {
      bestParameters = Array(point)
    } else {
      bestParameters.withUnsafeMutableBufferPointer { best in
        for index in 0..<best.count { best[index] = point[index] }
      }
    }
  }

  /// `note` for rows of `count` numbers each.
  mutating func note(
    _ values: UnsafeBufferPointer<Double>, rows points: ArraySlice<Double>, of count: Int
  ) {
    points.withUnsafeBufferPointer { points in
      for row in 0..<values.count {
        note(
          values[row], at: UnsafeBufferPointer(rebasing: points[row * count..<(row + 1) * count]))
      }
    }
  }

  mutating func visitState(_ coder: inout CheckpointCoder, count: Int) {
    coder.visit(&iteration)
    var end: UInt8 =
      switch ending {
      case nil: 0
      case .converged: 1
      case .stalled: 2
      }
    coder.visit(&end, through: 2)
    ending = end == 0 ? nil : end == 1 ? .converged : .stalled
    var hasBest = !bestParameters.isEmpty
    coder.visit(&hasBest)
    coder.visit(&bestParameters, count: hasBest ? count : 0)
    coder.visit(&bestValue)
  }
}
