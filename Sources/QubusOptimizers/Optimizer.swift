package import QubusCore

/// What an optimizer wants evaluated next.
package struct OptimizerQuery: Sendable, Hashable {
  /// Points, each of `parameterCount` numbers, row-major: evaluated in one batch.
  package var points: [Double]
  package var rows: Int
  /// Whether it needs the gradient at each point, too.
  package var wantsGradients: Bool

  package init(points: [Double], rows: Int, wantsGradients: Bool) {
    self.points = points
    self.rows = rows
    self.wantsGradients = wantsGradients
  }
}

/// One finished iteration.
package struct OptimizerIteration: Sendable, Hashable {
  /// From 1.
  package var number: UInt64
  /// Where the iteration arrived, and the objective there as evaluated (for SPSA: the mean of both
  /// sides).
  package var parameters: [Double]
  package var value: Double
  /// Euclidean norm of the gradient or of its estimate; NaN for methods without one.
  package var gradientNorm: Double

  package init(number: UInt64, parameters: [Double], value: Double, gradientNorm: Double) {
    self.number = number
    self.parameters = parameters
    self.value = value
    self.gradientNorm = gradientNorm
  }
}

/// Why an optimizer stopped by itself.
package enum OptimizerEnding: String, Sendable, Hashable, Codable {
  /// A change or gradient fell below the tolerance.
  case converged
  /// No step improves the objective any more (line search or simplex collapsed).
  case stalled
}

/// A minimizer that asks for evaluations and is told their results (ask/tell): it never calls the
/// objective itself, so that whoever drives it can stop, interleave, record and replay it.
///
/// A value type: its whole state is in it. Equal states that are told equal numbers go on equally,
/// bit for bit; `Codable` is its checkpoint.
package protocol Optimizer: Sendable, Codable {
  /// Its name on the wire: spsa, adam, lbfgs, nelder_mead, rotosolve.
  static var name: String { get }
  var parameterCount: Int { get }
  /// Iterations finished.
  var iteration: UInt64 { get }
  /// The best point seen and its value; nil before the first answer.
  var best: (parameters: [Double], value: Double)? { get }
  /// Set when there is nothing left to ask.
  var ending: OptimizerEnding? { get }

  /// What to evaluate next; the same until it is told. Precondition: `ending` is nil.
  func ask() -> OptimizerQuery

  /// Takes the answers to `ask`, in its order.
  /// - Parameters:
  ///   - values: `rows` numbers.
  ///   - gradients: `rows × parameterCount` when asked for, else empty.
  /// - Returns: the iteration that this finished, if any.
  /// - Throws: `optimizer_diverged` when a number is not finite.
  mutating func tell(
    values: UnsafeBufferPointer<Double>, gradients: UnsafeBufferPointer<Double>
  ) throws(QubusError) -> OptimizerIteration?
}
