package import QubusCore

/// Adam, with bounds by projection of every step.
///
/// An iteration is one evaluation with its gradient; it reports the point evaluated, and asks for
/// the next. It is meant for noisy gradients, too: the value need not fall.
/// - Source: Kingma & Ba 2015, "Adam: a method for stochastic optimization", algorithm 1.
package struct Adam: Optimizer {
  package static let method = OptimizerMethod.adam

  private var box = ParameterBox()
  private var progress = OptimizerProgress()
  private var learningRate = 0.0
  private var beta1 = 0.0
  private var beta2 = 0.0
  private var epsilon = 0.0
  private var gradientTolerance = 0.0
  /// Where the objective is wanted next.
  private var point: [Double] = []
  /// Where it was evaluated last; its storage takes the next point.
  private var previous: [Double] = []
  /// Decayed means of the gradient and of its square.
  private var mean: [Double] = []
  private var square: [Double] = []
  /// beta1 and beta2 to the power of the iteration.
  private var power1 = 1.0
  private var power2 = 1.0

  init(_ settings: OptimizerSettings) {
    box = settings.box
    learningRate = settings["learning_rate"]
    beta1 = settings["beta1"]
    beta2 = settings["beta2"]
    epsilon = settings["epsilon"]
    gradientTolerance = settings["gradient_tolerance"]
    point = settings.initial
    previous = settings.initial
    mean = [Double](repeating: 0, count: point.count)
    square = mean
  }

  package var parameterCount: Int { point.count }
  package var iteration: UInt64 { progress.iteration }
  package var current: [Double] { point }
  package var best: (parameters: [Double], value: Double)? { progress.best }
  package var ending: OptimizerEnding? { progress.ending }

  package func ask() -> OptimizerQuery {
    precondition(ending == nil, "asked after the ending")
    return OptimizerQuery(points: point, rows: 1, wantsGradients: true)
  }

  package func withQuery(
    _ body: (UnsafeBufferPointer<Double>, Int, Bool) throws(QubusError) -> Void
  ) throws(QubusError) {
    precondition(ending == nil, "asked after the ending")
    try point.withUnsafeBufferPointer { (points) throws(QubusError) in
      try body(points, 1, true)
    }
  }

  package mutating func tell(
    values: UnsafeBufferPointer<Double>, gradients: UnsafeBufferPointer<Double>
  ) throws(QubusError) -> OptimizerIteration? {
    try progress.check(values, rows: 1, gradients, numbers: point.count)
    point.withUnsafeBufferPointer { progress.note(values[0], at: $0) }
    power1 *= beta1
    power2 *= beta2
    swap(&point, &previous)
    let norm = step(along: gradients)
    progress.iteration += 1
    if norm <= gradientTolerance, gradientTolerance > 0 { progress.ending = .converged }
    return OptimizerIteration(
      number: progress.iteration, parameters: previous, value: values[0], gradientNorm: norm)
  }

  /// Writes the point after `previous`.
  /// - Returns: the norm of the gradient inside the bounds.
  private mutating func step(along gradients: UnsafeBufferPointer<Double>) -> Double {
    let rate = learningRate / (1 - power1)
    let correction = 1 / (1 - power2)
    let (beta1, beta2, epsilon) = (beta1, beta2, epsilon)
    var sum = 0.0
    point.withUnsafeMutableBufferPointer { point in
      mean.withUnsafeMutableBufferPointer { mean in
        square.withUnsafeMutableBufferPointer { square in
          for index in 0..<gradients.count {
            let gradient = gradients[index]
            mean[index] = beta1 * mean[index] + (1 - beta1) * gradient
            square[index] = beta2 * square[index] + (1 - beta2) * gradient * gradient
            let root = (square[index] * correction).squareRoot()
            let moved = previous[index] - rate * mean[index] / (root + epsilon)
            point[index] = box.clip(moved, index)
            let free = box.free(gradient, at: previous[index], index)
            sum += free * free
          }
        }
      }
    }
    return sum.squareRoot()
  }

  package init() {}

  package mutating func visitState(_ coder: inout CheckpointCoder) {
    var count = point.count
    coder.visitParameterCount(&count, of: Self.method)
    box.visitState(&coder, count: count)
    progress.visitState(&coder, count: count)
    coder.visit(&learningRate)
    coder.visit(&beta1)
    coder.visit(&beta2)
    coder.visit(&epsilon)
    coder.visit(&gradientTolerance)
    coder.visit(&point, count: count)
    coder.visit(&previous, count: count)
    coder.visit(&mean, count: count)
    coder.visit(&square, count: count)
    coder.visit(&power1)
    coder.visit(&power2)
  }
}
