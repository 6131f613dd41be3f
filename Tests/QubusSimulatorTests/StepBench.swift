import QubusCircuit
import QubusCompiler
import QubusCore

@testable import QubusSimulator

/// A session's evaluator with what tests want to know of its answers.
struct StepBench {
  let program: CompiledProgram
  let sums: [PauliSum]
  let evaluator: StateVectorStepEvaluator
  let context: KernelContext

  init(
    _ program: CompiledProgram, _ sums: [PauliSum] = [], outputs: StepOutputs = .values,
    wanted: [Bool]? = nil, precision: Precision = .double, seed: UInt64 = 7, threads: Int = 1,
    cancellation: CancellationFlag = CancellationFlag()
  ) throws(QubusError) {
    self.program = program
    self.sums = sums
    context = KernelContext(
      team: ComputeTeam(threadCount: threads), cancellation: cancellation)
    evaluator = try StateVectorStepEvaluator(
      program, observables: sums, outputs: outputs, wantedParameters: wanted,
      precision: precision, seed: seed, threadCount: threads, context)
  }

  func run(
    _ order: StepOrder, _ parameters: [Double], into answer: StepAnswer = StepAnswer()
  ) throws -> StepNumbers {
    let found = parameters.withUnsafeBufferPointer { parameters in
      Result { () throws(QubusError) in
        try evaluator.evaluate(order, parameters: parameters, into: answer, context)
      }
    }
    try found.get()
    return StepNumbers(answer)
  }

  static func numbers(_ count: Int, seed: UInt64) -> [Double] {
    var generator = TestGenerator(seed)
    return (0..<count).map { _ in 3 * generator.real() }
  }
}

/// A copy of an answer.
struct StepNumbers: Equatable {
  var values: [Double]
  var standardErrors: [Double]
  var gradients: [Double]
  var amplitudes: [Double]
  var counts: [Counts]
  var shotsUsed: UInt64
  var normDrift: Double

  init(_ answer: StepAnswer) {
    self = withExtendedLifetime(answer) {
      StepNumbers(
        values: Array(answer.values), standardErrors: Array(answer.standardErrors),
        gradients: Array(answer.gradients), amplitudes: Array(answer.amplitudes),
        counts: answer.counts, shotsUsed: answer.shotsUsed, normDrift: answer.normDrift)
    }
  }

  private init(
    values: [Double], standardErrors: [Double], gradients: [Double], amplitudes: [Double],
    counts: [Counts], shotsUsed: UInt64, normDrift: Double
  ) {
    (self.values, self.standardErrors) = (values, standardErrors)
    (self.gradients, self.amplitudes) = (gradients, amplitudes)
    (self.counts, self.shotsUsed, self.normDrift) = (counts, shotsUsed, normDrift)
  }
}
