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
  /// Where the iteration arrived, and the objective there as evaluated. Adam and SPSA move on from
  /// what they evaluate, so theirs is the point that the iteration evaluated (SPSA: the middle of
  /// its pairs, and the mean of their values); for rotosolve the value is that of the last fitted
  /// sinusoid at its minimum.
  package var parameters: [Double]
  package var value: Double
  /// Euclidean norm of the gradient or of its estimate, without the components that a bound holds
  /// back; NaN for methods without one.
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
/// bit for bit; `checkpoint()` and `OptimizerMethod.restore(checkpoint:)` carry it over a restart.
/// Made by `OptimizerOptions.makeOptimizer()`.
package protocol Optimizer: Sendable {
  static var method: OptimizerMethod { get }
  var parameterCount: Int { get }
  /// Iterations finished.
  var iteration: UInt64 { get }
  /// Where it stands: the answer of a run that ends here under noise, for which the best value is
  /// luck, and of SPSA, which never evaluates where it stands.
  var current: [Double] { get }
  /// The best point evaluated and its value; nil before the first answer.
  var best: (parameters: [Double], value: Double)? { get }
  /// Set when there is nothing left to ask.
  var ending: OptimizerEnding? { get }

  /// What to evaluate next; the same until it is told. Precondition: `ending` is nil.
  func ask() -> OptimizerQuery

  /// Takes the answers to `ask`, in its order.
  /// - Parameters:
  ///   - values: `rows` numbers.
  ///   - gradients: `rows × parameterCount` when asked for, else empty.
  /// - Returns: the iteration that this finished, if any. A caller that drops its parameters before
  ///   it tells again spares a copy.
  /// - Throws: `optimizer_diverged` when a number is not finite; the state is then as before.
  mutating func tell(
    values: UnsafeBufferPointer<Double>, gradients: UnsafeBufferPointer<Double>
  ) throws(QubusError) -> OptimizerIteration?

  /// `ask` without a copy of the points: they, the number of rows and whether gradients are wanted.
  func withQuery(
    _ body: (UnsafeBufferPointer<Double>, Int, Bool) throws(QubusError) -> Void
  ) throws(QubusError)

  /// A state of no parameters, to be filled by `visitState`.
  init()

  /// Passes every stored field to the coder, which writes it or reads it.
  mutating func visitState(_ coder: inout CheckpointCoder)
}

extension Optimizer {
  /// Its name on the wire.
  package static var name: String { method.rawValue }

  package func withQuery(
    _ body: (UnsafeBufferPointer<Double>, Int, Bool) throws(QubusError) -> Void
  ) throws(QubusError) {
    let query = ask()
    try query.points.withUnsafeBufferPointer { (points) throws(QubusError) in
      try body(points, query.rows, query.wantsGradients)
    }
  }
}
