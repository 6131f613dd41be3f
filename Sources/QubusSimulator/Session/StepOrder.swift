package import QubusCore

/// What a step may give.
package struct StepOutputs: OptionSet, Sendable, Hashable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// One number for each row and observable.
  package static let values = StepOutputs(rawValue: 1)
  /// One number for each row, observable and parameter.
  package static let gradients = StepOutputs(rawValue: 2)
  /// Outcomes of the program's measurements; needs shots.
  package static let counts = StepOutputs(rawValue: 4)
  /// The final state of each row.
  package static let stateVector = StepOutputs(rawValue: 8)
}

/// What one step is asked, beyond its numbers. A plain value.
package struct StepOrder: Sendable, Hashable {
  /// Of the step within its session, from 1. With the session's seed it decides every random draw.
  package var sequence: UInt64
  package var rows: Int
  package var outputs: StepOutputs
  /// 0 with `targetError` 0: exact. Else the most shots that one row may take, all groups and
  /// shifted circuits together for values; for counts, the shots of the program.
  package var shots: UInt64
  /// Standard error aimed at for each value: shots are added until every observable of the row has
  /// it or `shots` is used up. 0: take all shots.
  package var targetError: Double
  /// Every step draws the same random numbers (those of sequence 0).
  package var sharesRandomNumbers: Bool

  package init(
    sequence: UInt64, rows: Int = 1, outputs: StepOutputs = .values, shots: UInt64 = 0,
    targetError: Double = 0, sharesRandomNumbers: Bool = false
  ) {
    self.sequence = sequence
    self.rows = rows
    self.outputs = outputs
    self.shots = shots
    self.targetError = targetError
    self.sharesRandomNumbers = sharesRandomNumbers
  }
}

/// Where a step's numbers go: memory that grows when it must and is used again by the next step.
/// Used by one thread at a time.
package final class StepAnswer {
  /// `rows × observables`, row-major.
  package private(set) var values: UnsafeMutableBufferPointer<Double>
  /// `rows × observables`; of sampled values, else empty.
  package private(set) var standardErrors: UnsafeMutableBufferPointer<Double>
  /// `rows × observables × parameters`.
  package private(set) var gradients: UnsafeMutableBufferPointer<Double>
  /// `rows × 2^qubits`, re and im interleaved.
  package private(set) var amplitudes: UnsafeMutableBufferPointer<Double>
  /// One for each row, when counts were asked for.
  package var counts: [Counts] = []
  /// Shots that all rows took together; 0 when exact.
  package var shotsUsed: UInt64 = 0
  /// Largest |1 - norm²| of the states.
  package var normDrift = 0.0

  package init() {
    values = .init(start: nil, count: 0)
    standardErrors = values
    gradients = values
    amplitudes = values
  }

  deinit {
    for buffer in [values, standardErrors, gradients, amplitudes] { buffer.deallocate() }
  }

  /// Makes room; allocates only when more is needed than ever before.
  package func prepare(values: Int, standardErrors: Int, gradients: Int, amplitudes: Int) {
    Self.fit(&self.values, &capacities.0, values)
    Self.fit(&self.standardErrors, &capacities.1, standardErrors)
    Self.fit(&self.gradients, &capacities.2, gradients)
    Self.fit(&self.amplitudes, &capacities.3, amplitudes)
    if !counts.isEmpty { counts.removeAll(keepingCapacity: true) }
    shotsUsed = 0
    normDrift = 0
  }

  private var capacities = (0, 0, 0, 0)

  private static func fit(
    _ buffer: inout UnsafeMutableBufferPointer<Double>, _ capacity: inout Int, _ count: Int
  ) {
    if count > capacity {
      buffer.deallocate()
      buffer = .allocate(capacity: count)
      capacity = count
    } else {
      buffer = .init(start: buffer.baseAddress, count: count)
    }
  }
}

/// A session's resident plan: evaluates steps of one program with one list of observables.
///
/// A step is a pure function of program, observables, precision, seed, order and parameters: not of
/// the steps before it, nor of threads. Used by one thread at a time.
package protocol StepEvaluator: AnyObject {
  var parameterCount: Int { get }
  var observableCount: Int { get }
  var qubitCount: Int { get }
  /// Of the program's classical bits, for keys of counts.
  var bitCount: Int { get }
  /// What it holds now: plan, states, prepared observables.
  var memoryBytes: UInt64 { get }

  /// Predicted time of a step on one thread.
  func predictedSeconds(_ order: StepOrder) -> Double

  /// Evaluates `order.rows` parameter vectors; a repeated exact step of values or gradients on one
  /// thread allocates nothing.
  /// - Parameter parameters: `rows × parameterCount`, row-major, finite.
  /// - Throws: `execution_canceled` within 100 ms of the flag's setting, `insufficient_memory`,
  ///   `simulator_norm_drift`, and what the program's expressions throw for these numbers.
  func evaluate(
    _ order: StepOrder, parameters: UnsafeBufferPointer<Double>, into answer: StepAnswer,
    _ context: KernelContext
  ) throws(QubusError)
}
