internal import Glibc
package import QubusCore

/// Rotosolve: minimises along one parameter after the other, in closed form from three evaluations.
///
/// Premise: each parameter drives one rotation exp(-iθP/2) by a Pauli string P, as it stands and
/// not scaled. The objective is then C + A cos δ + B sin δ along it, and three points give A, B and
/// C. A parameter that enters several gates, or with a factor, makes more frequencies than three
/// points tell; the steps are then not minima and the value may rise, so take another method there.
///
/// An iteration is one sweep over all parameters. The points are δ = 0, ±π/2 as in the paper, or
/// where bounds leave no room for these the best conditioned three inside, or their best minimum at
/// a bound.
/// - Source: Ostaszewski, Grant & Benedetti 2021, "Structure optimization for parameterized quantum
///   circuits", algorithm 1 and appendix A.
package struct Rotosolve: Optimizer {
  package static let method = OptimizerMethod.rotosolve

  private var box = ParameterBox()
  private var progress = OptimizerProgress()
  private var valueTolerance = 0.0
  private var point: [Double] = []
  /// The parameter that the query is about.
  private var index = 0
  /// Of the fitted sinusoid, where the last parameter arrived.
  private var value = Double.infinity
  private var sweepValue = Double.infinity

  // What follows is derived from the above.
  /// Three rows: the current point, and it with the parameter moved by the offsets.
  private var points: [Double] = []
  private var offsets = (0.0, 0.0)

  init(_ settings: OptimizerSettings) {
    box = settings.box
    valueTolerance = settings["value_tolerance"]
    point = settings.initial
    index = nextFree(from: 0) ?? 0
    prepare()
  }

  package var parameterCount: Int { point.count }
  package var iteration: UInt64 { progress.iteration }
  package var current: [Double] { point }
  package var best: (parameters: [Double], value: Double)? { progress.best }
  package var ending: OptimizerEnding? { progress.ending }

  package func ask() -> OptimizerQuery {
    precondition(ending == nil, "asked after the ending")
    return OptimizerQuery(points: points, rows: 3, wantsGradients: false)
  }

  package func withQuery(
    _ body: (UnsafeBufferPointer<Double>, Int, Bool) throws(QubusError) -> Void
  ) throws(QubusError) {
    precondition(ending == nil, "asked after the ending")
    try points.withUnsafeBufferPointer { (points) throws(QubusError) in
      try body(points, 3, false)
    }
  }

  package mutating func tell(
    values: UnsafeBufferPointer<Double>, gradients: UnsafeBufferPointer<Double>
  ) throws(QubusError) -> OptimizerIteration? {
    try progress.check(values, rows: 3, gradients, numbers: 0)
    progress.note(values, rows: points[...], of: point.count)
    let fit = Sinusoid(values, offsets)
    minimize(fit, values)
    if let next = nextFree(from: index + 1) {
      index = next
      prepare()
      return nil
    }
    progress.iteration += 1
    let change = abs(value - sweepValue)
    if valueTolerance > 0, change <= valueTolerance * max(abs(value), 1) {
      progress.ending = .converged
    }
    sweepValue = value
    index = nextFree(from: 0) ?? 0
    prepare()
    return OptimizerIteration(
      number: progress.iteration, parameters: point, value: value, gradientNorm: .nan)
  }

  /// Moves the parameter to where the sinusoid is lowest inside its bounds.
  private mutating func minimize(_ fit: Sinusoid?, _ values: UnsafeBufferPointer<Double>) {
    let start = point[index]
    let (low, high) = (box.lower[index], box.upper[index])
    guard let fit else {
      // Too narrow for a fit: of the three points the best.
      let offset = values[1] < values[0] ? offsets.0 : 0
      let lower = min(values[0], values[1])
      value = min(lower, values[2])
      point[index] = box.clip(start + (values[2] < lower ? offsets.1 : offset), index)
      return
    }
    let turn = 2 * Double.pi
    for offset in [fit.minimum, fit.minimum - turn, fit.minimum + turn] {
      let moved = start + offset
      if low <= moved, moved <= high, abs(offset) <= turn {
        point[index] = moved
        value = fit.lowest
        return
      }
    }
    // No minimum inside: the interval is shorter than a turn, and one of its ends is lowest.
    let takesLow = fit.value(at: low - start) <= fit.value(at: high - start)
    point[index] = takesLow ? low : high
    value = fit.value(at: point[index] - start)
  }

  private func nextFree(from start: Int) -> Int? {
    (start..<point.count).first { box.lower[$0] < box.upper[$0] }
  }

  /// Lays out the three points of parameter `index`.
  private mutating func prepare() {
    let above = box.upper[index] - point[index]
    let below = point[index] - box.lower[index]
    offsets = Self.offsets(above: above, below: below)
    let count = point.count
    if points.count != 3 * count { points = [Double](repeating: 0, count: 3 * count) }
    for row in 0..<3 {
      for column in 0..<count { points[row * count + column] = point[column] }
    }
    points[count + index] = box.clip(point[index] + offsets.0, index)
    points[2 * count + index] = box.clip(point[index] + offsets.1, index)
  }

  /// Two distances from a point with so much room above and below.
  static func offsets(above: Double, below: Double) -> (Double, Double) {
    let quarter = Double.pi / 2
    if above >= quarter, below >= quarter { return (quarter, -quarter) }
    // Three points a third of a turn apart are the best that one side can give.
    let third = 2 * Double.pi / 3
    let up = min(above / 2, third)
    let down = -min(below / 2, third)
    var chosen = (min(above, quarter), -min(below, quarter))
    for pair in [(up, 2 * up), (down, 2 * down)]
    where abs(Sinusoid.determinant(pair)) > abs(Sinusoid.determinant(chosen)) {
      chosen = pair
    }
    return chosen
  }

  package init() {}

  package mutating func visitState(_ coder: inout CheckpointCoder) {
    var count = point.count
    coder.visitParameterCount(&count, of: Self.method)
    box.visitState(&coder, count: count)
    progress.visitState(&coder, count: count)
    coder.visit(&valueTolerance)
    coder.visit(&point, count: count)
    coder.visit(&index, through: max(count, 1) - 1)
    coder.visit(&value)
    coder.visit(&sweepValue)
    if coder.failure == nil { prepare() }
  }
}
