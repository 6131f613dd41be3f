internal import Glibc
package import QubusCore

/// Simultaneous perturbation stochastic approximation: two evaluations estimate a gradient in any
/// number of dimensions, which suits objectives from shots.
///
/// Iteration k (from 0) evaluates θ ± c_k Δ, with Δ of random signs, and steps by -a_k ĝ, where
/// a_k = a/(A+k+1)^alpha and c_k = c/(k+1)^gamma. Near a bound the middle of a pair moves inwards,
/// so that both its points lie inside. Without a learning rate, pairs around the start calibrate a:
/// the first step is then `target_step` long along each parameter, on average, as in Qiskit.
/// - Source: Spall 1992, "Multivariate stochastic approximation using a simultaneous perturbation
///   gradient approximation", eqs. 2.1–2.2; Spall 1998, "Implementation of the simultaneous
///   perturbation algorithm for stochastic optimization", §III (gains); Sadegh 1997 (bounds);
///   Kandala et al. 2017, supplement (calibration).
package struct SPSA: Optimizer {
  package static let method = OptimizerMethod.spsa
  /// Numbers that one batch may hold, 16 MiB.
  private static let batchLimit = 1 << 21

  private var box = ParameterBox()
  private var progress = OptimizerProgress()
  private var seed: UInt64 = 0
  private var learningRate = 0.0
  private var perturbation = 0.0
  private var stability = 0.0
  private var alpha = 0.0
  private var gamma = 0.0
  private var resamplings = 0
  private var calibrationSteps = 0
  private var targetStep = 0.0
  private var parameterTolerance = 0.0
  private var isCalibrating = false
  /// θ, inside the bounds.
  private var center: [Double] = []

  // What follows is derived from the above.
  private var points: [Double] = []
  /// The middle of the pairs, their half widths by parameter, and their signs.
  private var middle: [Double] = []
  /// The middle of the pairs told last; its storage takes the next.
  private var reported: [Double] = []
  private var widths: [Double] = []
  private var signs: [Double] = []
  private var estimate: [Double] = []

  init(_ settings: OptimizerSettings) throws(QubusError) {
    box = settings.box
    seed = settings.seed
    learningRate = settings["learning_rate"]
    perturbation = settings["perturbation"]
    stability = settings["stability"]
    alpha = settings["alpha"]
    gamma = settings["gamma"]
    resamplings = Int(settings["resamplings"])
    calibrationSteps = Int(settings["calibration_steps"])
    targetStep = settings["target_step"]
    parameterTolerance = settings["parameter_tolerance"]
    isCalibrating = learningRate == 0
    center = settings.initial
    let option = resamplings >= calibrationSteps ? "resamplings" : "calibration_steps"
    let limit = Self.batchLimit / (2 * center.count)
    guard max(resamplings, isCalibrating ? calibrationSteps : 1) <= limit else {
      throw OptimizerOptions.invalid(
        "options.\(option)", "too many pairs of \(center.count) parameters", "\(limit)")
    }
    prepare()
  }

  package var parameterCount: Int { center.count }
  package var iteration: UInt64 { progress.iteration }
  package var current: [Double] { center }
  package var best: (parameters: [Double], value: Double)? { progress.best }
  package var ending: OptimizerEnding? { progress.ending }

  private var pairs: Int { isCalibrating ? calibrationSteps : resamplings }

  package func ask() -> OptimizerQuery {
    precondition(ending == nil, "asked after the ending")
    return OptimizerQuery(points: points, rows: 2 * pairs, wantsGradients: false)
  }

  package func withQuery(
    _ body: (UnsafeBufferPointer<Double>, Int, Bool) throws(QubusError) -> Void
  ) throws(QubusError) {
    precondition(ending == nil, "asked after the ending")
    try points.withUnsafeBufferPointer { (points) throws(QubusError) in
      try body(points, 2 * pairs, false)
    }
  }

  package mutating func tell(
    values: UnsafeBufferPointer<Double>, gradients: UnsafeBufferPointer<Double>
  ) throws(QubusError) -> OptimizerIteration? {
    try progress.check(values, rows: 2 * pairs, gradients, numbers: 0)
    progress.note(values, rows: points[...], of: center.count)
    guard !isCalibrating else {
      calibrate(values)
      prepare()
      return nil
    }
    let norm = estimateGradient(values)
    swap(&middle, &reported)
    let length = step()
    progress.iteration += 1
    if length <= parameterTolerance, parameterTolerance > 0 { progress.ending = .converged }
    var sum = 0.0
    for value in values { sum += value }
    if ending == nil { prepare() }
    return OptimizerIteration(
      number: progress.iteration, parameters: reported, value: sum / Double(values.count),
      gradientNorm: norm)
  }

  /// Sets a so that the mean step of the pairs told has the length wanted.
  private mutating func calibrate(_ values: UnsafeBufferPointer<Double>) {
    var sum = 0.0
    for pair in 0..<pairs {
      sum += abs(values[2 * pair] - values[2 * pair + 1]) / (2 * perturbation)
    }
    let slope = sum / Double(pairs)
    let gain = targetStep * pow(stability + 1, alpha)
    // Where the objective is flat, no slope says how far to go: Qiskit takes the target itself.
    learningRate = slope < 1e-10 ? gain : gain / slope
    isCalibrating = false
  }

  /// - Returns: its norm.
  private mutating func estimateGradient(_ values: UnsafeBufferPointer<Double>) -> Double {
    let count = center.count
    var square = 0.0
    for index in 0..<count {
      var sum = 0.0
      for pair in 0..<pairs {
        sum += (values[2 * pair] - values[2 * pair + 1]) * signs[pair * count + index]
      }
      let slope = widths[index] > 0 ? sum / (2 * widths[index] * Double(pairs)) : 0
      estimate[index] = slope
      let free = box.free(slope, at: center[index], index)
      square += free * free
    }
    return square.squareRoot()
  }

  /// Moves θ against the estimate.
  /// - Returns: how far.
  private mutating func step() -> Double {
    let gain = learningRate / pow(stability + Double(progress.iteration) + 1, alpha)
    var square = 0.0
    for index in 0..<center.count {
      let moved = box.clip(center[index] - gain * estimate[index], index)
      let length = moved - center[index]
      square += length * length
      center[index] = moved
    }
    return square.squareRoot()
  }

  /// Lays out the pairs of the next query.
  private mutating func prepare() {
    let count = center.count
    resize(rows: pairs)
    let width = perturbation / pow(Double(progress.iteration) + 1, gamma)
    for index in 0..<count {
      let (low, high) = (box.lower[index], box.upper[index])
      let room = (high - low) / 2
      widths[index] = min(width, room)
      let inside = max(center[index], low + widths[index])
      middle[index] = min(inside, high - widths[index])
    }
    let random = Philox(seed: seed)
    let shot = isCalibrating ? 0 : progress.iteration + 1
    for pair in 0..<pairs {
      for index in 0..<count where index % 32 == 0 {
        let uniform = random.uniform(
          draw: UInt32(index / 32), shot: shot, purpose: .perturbation, pub: 0, row: UInt32(pair))
        let bits = UInt64(uniform * 0x1p53) >> 21
        for offset in 0..<min(32, count - index) {
          signs[pair * count + index + offset] = bits >> UInt64(offset) & 1 == 1 ? 1 : -1
        }
      }
      for index in 0..<count {
        let offset = widths[index] * signs[pair * count + index]
        points[2 * pair * count + index] = box.clip(middle[index] + offset, index)
        points[(2 * pair + 1) * count + index] = box.clip(middle[index] - offset, index)
      }
    }
  }

  private mutating func resize(rows pairs: Int) {
    let count = center.count
    guard points.count != 2 * pairs * count || middle.count != count else { return }
    points = [Double](repeating: 0, count: 2 * pairs * count)
    signs = [Double](repeating: 0, count: pairs * count)
    middle = [Double](repeating: 0, count: count)
    reported = middle
    widths = middle
    estimate = middle
  }

  package init() {}

  package mutating func visitState(_ coder: inout CheckpointCoder) {
    var count = center.count
    coder.visitParameterCount(&count, of: Self.method)
    box.visitState(&coder, count: count)
    progress.visitState(&coder, count: count)
    coder.visit(&seed)
    coder.visit(&learningRate)
    coder.visit(&perturbation)
    coder.visit(&stability)
    coder.visit(&alpha)
    coder.visit(&gamma)
    coder.visit(&resamplings, through: Self.batchLimit / (2 * max(count, 1)))
    coder.visit(&calibrationSteps, through: Self.batchLimit / 2)
    coder.visit(&targetStep)
    coder.visit(&parameterTolerance)
    coder.visit(&isCalibrating)
    coder.visit(&center, count: count)
    coder.require(
      resamplings > 0 && calibrationSteps > 0
        && (!isCalibrating || 2 * calibrationSteps * count <= Self.batchLimit), "no pairs")
    // An ended one has no next query; a failed read has no state to derive one from.
    if coder.failure == nil, progress.ending == nil { prepare() }
  }
}
