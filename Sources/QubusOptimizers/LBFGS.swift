package import QubusCore

/// Limited-memory BFGS with bounds: a projected quasi-Newton method with an active set.
///
/// Parameters at a bound (or so near that the gradient would carry them over it) that the gradient
/// pushes outwards are active: they go to their bound. The others follow the direction of the
/// two-loop recursion over their components; the path is projected into the bounds. The line search
/// is that of Lewis and Overton (weak Wolfe conditions by bisection) while the path is straight,
/// and backtracking by the Armijo condition where it bends. Without bounds this is plain L-BFGS.
/// An iteration is one accepted step. For exact objectives: noise defeats its line search.
/// - Source: Nocedal & Wright 2006, algorithms 7.4–7.5 (recursion, scaling); Bertsekas 1982,
///   "Projected Newton methods for optimization problems with simple constraints" (active set,
///   path); Kim, Sra & Dhillon 2010, "Tackling box-constrained optimization via a new projected
///   quasi-Newton approach" (second active set); Lewis & Overton 2013, "Nonsmooth optimization via
///   quasi-Newton methods", algorithm 2.6 (line search).
package struct LBFGS: Optimizer {
  package static let method = OptimizerMethod.lbfgs
  /// Evaluations of one line search; halving a step so often leaves nothing of it.
  private static let trialLimit = 40
  /// Fractions of the slope: the decrease asked for, and the slope that may remain.
  private static let decrease = 1e-4
  private static let remainder = 0.9

  private var box = ParameterBox()
  private var progress = OptimizerProgress()
  private var gradientTolerance = 0.0
  private var valueTolerance = 0.0
  private var curvature = CurvatureMemory()
  /// The last point accepted, with its value and gradient.
  private var point: [Double] = []
  private var value = Double.infinity
  private var gradient: [Double] = []
  private var direction: [Double] = []
  private var slope = 0.0
  /// Whether a parameter follows the recursion; active ones do not. Of use within a call only.
  private var isFree: [Bool] = []
  /// The point asked for: the start, or `point` and `length` directions from it.
  private var trial: [Double] = []
  private var isStart = true
  private var length = 1.0
  /// The bracket of the line search: enough decrease but too steep, and too little decrease.
  private var shortest = 0.0
  private var longest = Double.infinity
  private var trials = 0

  init(_ settings: OptimizerSettings) {
    box = settings.box
    gradientTolerance = settings["gradient_tolerance"]
    valueTolerance = settings["value_tolerance"]
    let count = settings.initial.count
    curvature = CurvatureMemory(count: count, capacity: Int(settings["memory"]))
    point = settings.initial
    trial = settings.initial
    gradient = [Double](repeating: 0, count: count)
    direction = gradient
    isFree = [Bool](repeating: true, count: count)
  }

  package var parameterCount: Int { point.count }
  package var iteration: UInt64 { progress.iteration }
  package var current: [Double] { point }
  package var best: (parameters: [Double], value: Double)? { progress.best }
  package var ending: OptimizerEnding? { progress.ending }

  package func ask() -> OptimizerQuery {
    precondition(ending == nil, "asked after the ending")
    return OptimizerQuery(points: trial, rows: 1, wantsGradients: true)
  }

  package func withQuery(
    _ body: (UnsafeBufferPointer<Double>, Int, Bool) throws(QubusError) -> Void
  ) throws(QubusError) {
    precondition(ending == nil, "asked after the ending")
    try trial.withUnsafeBufferPointer { (points) throws(QubusError) in
      try body(points, 1, true)
    }
  }

  package mutating func tell(
    values: UnsafeBufferPointer<Double>, gradients: UnsafeBufferPointer<Double>
  ) throws(QubusError) -> OptimizerIteration? {
    try progress.check(values, rows: 1, gradients, numbers: point.count)
    let answer = values[0]
    trial.withUnsafeBufferPointer { progress.note(answer, at: $0) }
    guard !isStart else {
      isStart = false
      value = answer
      for index in 0..<gradient.count { gradient[index] = gradients[index] }
      if freeNorm() <= gradientTolerance { progress.ending = .converged } else { startSearch() }
      return nil
    }
    guard accepts(answer, gradients) else { return nil }
    return accept(answer, gradients)
  }

  /// Judges the trial; when it is refused, sets the next.
  private mutating func accepts(
    _ answer: Double, _ gradients: UnsafeBufferPointer<Double>
  ) -> Bool {
    trials += 1
    var expected = 0.0
    var newSlope = 0.0
    var isStraight = true
    for index in 0..<point.count {
      expected += gradient[index] * (trial[index] - point[index])
      newSlope += gradients[index] * direction[index]
      if trial[index] != point[index] + length * direction[index] { isStraight = false }
    }
    let isLast = trials >= Self.trialLimit
    if expected < 0, answer <= value + Self.decrease * expected {
      guard isStraight, newSlope < Self.remainder * slope, !isLast else { return true }
      shortest = length
      length = longest.isFinite ? (shortest + longest) / 2 : 2 * length
    } else {
      longest = length
      length = shortened(answer)
    }
    if isLast || !place() { restart() }
    return false
  }

  /// A length below one that gave too little decrease.
  private func shortened(_ answer: Double) -> Double {
    guard shortest == 0 else { return (shortest + longest) / 2 }
    // The minimum of the parabola through both values and the slope, kept away from both ends.
    let excess = answer - value - slope * length
    let minimum = excess > 0 ? -slope * length * length / (2 * excess) : length / 2
    return min(max(minimum, 0.1 * length), 0.5 * length)
  }

  private mutating func accept(
    _ answer: Double, _ gradients: UnsafeBufferPointer<Double>
  ) -> OptimizerIteration {
    curvature.append(from: point, gradient, to: trial, gradients)
    for index in 0..<point.count { gradient[index] = gradients[index] }
    swap(&point, &trial)
    let gain = value - answer
    value = answer
    progress.iteration += 1
    let norm = freeNorm()
    let isSmall = gain <= valueTolerance * max(abs(value), 1)
    if norm <= gradientTolerance || isSmall { progress.ending = .converged }
    if progress.ending == nil { startSearch() }
    return OptimizerIteration(
      number: progress.iteration, parameters: point, value: value, gradientNorm: norm)
  }

  /// After a line search without success: once more along the gradient, else there is no way down.
  private mutating func restart() {
    guard !curvature.isEmpty else {
      progress.ending = .stalled
      return
    }
    curvature.removeAll()
    startSearch()
  }

  private mutating func startSearch() {
    chooseDirection()
    shortest = 0
    longest = .infinity
    trials = 0
    length = 1
    if curvature.isEmpty {
      var square = 0.0
      for component in direction { square += component * component }
      length = min(1, 1 / square.squareRoot())
    }
    if !place() { restart() }
  }

  /// Sets the trial; false when it is the point itself.
  private mutating func place() -> Bool {
    var moves = false
    for index in 0..<point.count {
      trial[index] = box.clip(point[index] + length * direction[index], index)
      if trial[index] != point[index] { moves = true }
    }
    return moves
  }

  private mutating func chooseDirection() {
    let margin = activeMargin()
    for index in 0..<point.count {
      isFree[index] = activeStep(index, margin) == nil
    }
    // What the recursion would push over a bound joins the active ones; each round takes at least
    // one, and few rounds are ever needed.
    for _ in 0..<4 {
      curvature.direction(into: &direction, along: gradient, where: isFree)
      setActiveSteps(margin)
      guard fixBlocked() else {
        if slopeAlongDirection() { return }
        break
      }
    }
    curvature.removeAll()
    for index in 0..<point.count { direction[index] = -gradient[index] }
    setActiveSteps(margin)
    _ = slopeAlongDirection()
  }

  /// Distance to a bound within which a parameter may be active: that of the gradient step's end,
  /// so that it vanishes at a minimum (Bertsekas 1982, eq. 33).
  private func activeMargin() -> Double {
    var square = 0.0
    for index in 0..<point.count {
      let step = point[index] - box.clip(point[index] - gradient[index], index)
      square += step * step
    }
    return min(square.squareRoot(), 1e-3)
  }

  /// Where an active parameter goes: onto its bound. nil for others.
  private func activeStep(_ index: Int, _ margin: Double) -> Double? {
    let below = box.lower[index] - point[index]
    if gradient[index] > 0, below >= -margin { return below }
    let above = box.upper[index] - point[index]
    if gradient[index] < 0, above <= margin { return above }
    return nil
  }

  private mutating func setActiveSteps(_ margin: Double) {
    for index in 0..<point.count {
      if let step = activeStep(index, margin) {
        direction[index] = step
      } else if box.lower[index] == box.upper[index] {
        direction[index] = 0
      }
    }
  }

  /// Takes parameters at a bound that the direction pushes outwards from the free ones.
  private mutating func fixBlocked() -> Bool {
    var found = false
    for index in 0..<point.count where isFree[index] {
      let step = direction[index]
      let blocked =
        step < 0 && point[index] <= box.lower[index]
        || step > 0 && point[index] >= box.upper[index]
      if blocked {
        isFree[index] = false
        found = true
      }
    }
    return found
  }

  /// - Returns: whether the direction descends.
  private mutating func slopeAlongDirection() -> Bool {
    slope = 0
    for index in 0..<point.count { slope += gradient[index] * direction[index] }
    return slope < 0 && slope.isFinite
  }

  private func freeNorm() -> Double {
    var square = 0.0
    for index in 0..<point.count {
      let free = box.free(gradient[index], at: point[index], index)
      square += free * free
    }
    return square.squareRoot()
  }

  package init() {}

  package mutating func visitState(_ coder: inout CheckpointCoder) {
    var count = point.count
    coder.visitParameterCount(&count, of: Self.method)
    box.visitState(&coder, count: count)
    progress.visitState(&coder, count: count)
    coder.visit(&gradientTolerance)
    coder.visit(&valueTolerance)
    curvature.visitState(&coder, count: count)
    coder.visit(&point, count: count)
    coder.visit(&value)
    coder.visit(&gradient, count: count)
    coder.visit(&direction, count: count)
    coder.visit(&slope)
    coder.visit(&trial, count: count)
    coder.visit(&isStart)
    coder.visit(&length)
    coder.visit(&shortest)
    coder.visit(&longest)
    coder.visit(&trials, through: Self.trialLimit)
    if coder.failure == nil { isFree = [Bool](repeating: true, count: count) }
  }
}
