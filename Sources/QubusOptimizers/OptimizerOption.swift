/// One named number of a method: what it means, what it is when left out, what it may be.
package struct OptimizerOption: Sendable, Hashable {
  package let name: String
  package let standard: Double
  package let range: ClosedRange<Double>
  package let isInteger: Bool
  package let meaning: String

  private init(
    _ name: String, _ standard: Double, _ range: ClosedRange<Double>, integer: Bool = false,
    _ meaning: String
  ) {
    self.name = name
    self.standard = standard
    self.range = range
    self.isInteger = integer
    self.meaning = meaning
  }

  /// Standards as in Qiskit's SPSA, whose calibration it follows.
  static let spsa = [
    OptimizerOption(
      "learning_rate", 0, 0...1e6, "gain a of a/(A+k+1)^alpha; 0: calibrated at the start"),
    OptimizerOption("perturbation", 0.2, 1e-12...1e6, "gain c of c/(k+1)^gamma"),
    OptimizerOption("stability", 0, 0...1e9, "A, about a tenth of the iterations planned"),
    OptimizerOption("alpha", 0.602, 0...2, "exponent of the learning rate"),
    OptimizerOption("gamma", 0.101, 0...2, "exponent of the perturbation"),
    OptimizerOption(
      "resamplings", 1, 1...1024, integer: true, "pairs of points whose estimates are averaged"),
    OptimizerOption(
      "calibration_steps", 25, 1...1024, integer: true, "pairs of points that calibrate a"),
    OptimizerOption(
      "target_step", 0.628_318_530_717_958_6, 1e-12...1e6,
      "length along each parameter of the first step that calibration aims at"),
    OptimizerOption(
      "parameter_tolerance", 0, 0...1e6,
      "ends when a step is no longer in Euclidean norm; 0: never"),
  ]

  static let adam = [
    OptimizerOption("learning_rate", 0.05, 1e-12...1e6, "alpha, the length of a step"),
    OptimizerOption("beta1", 0.9, 0...0.999_999_999, "decay of the mean of gradients"),
    OptimizerOption("beta2", 0.999, 0...0.999_999_999, "decay of the mean of squared gradients"),
    OptimizerOption("epsilon", 1e-8, 1e-30...1, "added to the root of the mean square"),
    OptimizerOption(
      "gradient_tolerance", 1e-6, 0...1e6, "ends at this norm of the gradient; 0: never"),
  ]

  static let lbfgs = [
    OptimizerOption("memory", 10, 1...32, integer: true, "pairs of steps that model the curvature"),
    OptimizerOption("gradient_tolerance", 1e-6, 0...1e6, "ends at this norm of the gradient"),
    OptimizerOption(
      "value_tolerance", 1e-12, 0...1e6,
      "ends when an iteration gains no more, relative to values above 1"),
  ]

  /// Standards as in SciPy.
  static let nelderMead = [
    OptimizerOption(
      "value_tolerance", 1e-4, 0...1e6,
      "ends when the values in the simplex differ from the best by no more, and"),
    OptimizerOption(
      "parameter_tolerance", 1e-4, 0...1e6, "no coordinate differs from the best's by more"),
    OptimizerOption(
      "initial_step", 0, 0...1e6,
      "edge of the first simplex; 0: 5 % of each parameter, 0.00025 where it is zero"),
    OptimizerOption(
      "adaptive", 1, 0...1, integer: true, "1: coefficients by dimension; 0: the classic ones"),
  ]

  static let rotosolve = [
    OptimizerOption(
      "value_tolerance", 1e-9, 0...1e6,
      "ends when a sweep changes the value by no more, relative to values above 1; 0: never")
  ]
}
