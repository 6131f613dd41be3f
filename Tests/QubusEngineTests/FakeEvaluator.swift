import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import QubusSimulator

@testable import QubusEngine

/// What the steps of a fake device do, and how far they come.
struct FakeSteps: Sendable {
  /// Steps that may still run; nil is no limit.
  var permits: Int?
  var started = 0
  var finished = 0
  /// Of one row, as predicted and as the fake clock tells.
  var seconds = 10e-6
  var memoryBytes: UInt64 = 1000
  var failure: QubusError?
  var built = 0
  /// First parameter of every step that ran, in order.
  var order: [Double] = []
  /// Threads of the teams that steps ran on.
  var threads: [Int] = []
}

/// Device time that passes only when a fake step runs.
final class FakeTime: Sendable {
  private let time = Monitor<UInt64>(1)
  func read() -> UInt64 { time.withLock { $0 } }
  func pass(_ seconds: Double) { time.withLock { $0 += UInt64(seconds * 1e9) } }
}

/// Values are the sum of the parameters plus ten for each observable before; gradients are ones. A
/// sampled value adds a number drawn from seed and sequence.
final class FakeEvaluator: StepEvaluator {
  let parameterCount: Int
  let observableCount: Int
  let qubitCount: Int
  let bitCount: Int
  private let steps: Monitor<FakeSteps>
  private let time: FakeTime
  private let seed: UInt64

  init(
    _ program: CompiledProgram, observables: Int, seed: UInt64, steps: Monitor<FakeSteps>,
    time: FakeTime
  ) {
    parameterCount = program.circuit.inputs.count
    observableCount = observables
    qubitCount = program.circuit.qubitCount
    bitCount = program.circuit.bitCount
    self.seed = seed
    self.steps = steps
    self.time = time
  }

  var memoryBytes: UInt64 { steps.withLock { $0.memoryBytes } }

  func predictedSeconds(_ order: StepOrder) -> Double {
    steps.withLock { $0.seconds } * Double(order.rows)
  }

  func evaluate(
    _ order: StepOrder, parameters: UnsafeBufferPointer<Double>, into answer: StepAnswer,
    _ context: KernelContext
  ) throws(QubusError) {
    // Sequence 0 is the engine's own, before the first step.
    if order.sequence > 0 { try begin(parameters.first ?? 0, context) }
    let gradients = order.outputs.contains(.gradients)
    answer.prepare(
      values: order.rows * observableCount, standardErrors: 0,
      gradients: gradients ? order.rows * observableCount * parameterCount : 0, amplitudes: 0)
    for row in 0..<order.rows {
      var sum = 0.0
      for column in 0..<parameterCount { sum += parameters[row * parameterCount + column] }
      if order.shots > 0 {
        sum += Philox(seed: seed).uniform(
          draw: 0, shot: 0, purpose: .estimation, pub: 0,
          row: UInt32(truncatingIfNeeded: order.sequence))
      }
      for observable in 0..<observableCount {
        answer.values[row * observableCount + observable] = sum + 10 * Double(observable)
      }
    }
    for index in 0..<answer.gradients.count { answer.gradients[index] = 1 }
    answer.shotsUsed = order.shots * UInt64(order.rows)
    time.pass(steps.withLock { $0.seconds } * Double(order.rows))
    if order.sequence > 0 { steps.signal { $0.finished += 1 } }
  }

  private func begin(_ first: Double, _ context: KernelContext) throws(QubusError) {
    steps.signal { steps in
      steps.started += 1
      steps.order.append(first)
      steps.threads.append(context.team.threadCount)
    }
    while true {
      let mayRun = steps.wait(microseconds: 500) { steps -> Bool? in
        guard let permits = steps.permits else { return true }
        guard permits > 0 else { return nil }
        steps.permits = permits - 1
        return true
      }
      if context.cancellation.isCanceled {
        throw QubusError(.executionCanceled, "stopped by its flag")
      }
      if mayRun == true { break }
    }
    if let failure = steps.withLock({ $0.failure }) { throw failure }
  }
}

extension FakeDevice {
  func stepEstimate(
    _ program: CompiledProgram, observables: [PauliSum], outputs: StepOutputs,
    precision: Precision, threadCount: Int, memoryLimitBytes: UInt64
  ) throws(QubusError) -> UInt64 { steps.withLock { $0.memoryBytes } }

  func stepEvaluator(
    _ program: CompiledProgram, observables: [PauliSum], outputs: StepOutputs,
    precision: Precision, seed: UInt64, threadCount: Int, _ context: KernelContext
  ) throws(QubusError) -> any StepEvaluator {
    steps.signal { $0.built += 1 }
    return FakeEvaluator(
      program, observables: observables.count, seed: seed, steps: steps, time: time)
  }

  func stepsStarted(_ count: Int) async {
    let steps = self.steps
    await onThread { steps.wait { $0.started >= count ? () : nil } }
  }

  func permitSteps(_ count: Int?) {
    steps.signal { steps in
      if let count { steps.permits = (steps.permits ?? 0) + count } else { steps.permits = nil }
    }
  }
}
