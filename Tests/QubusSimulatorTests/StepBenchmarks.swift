import Foundation
import QubusCircuit
import QubusCompiler
import QubusCore
import Testing

@testable import QubusSimulator

/// Times of steps beside their predictions; run with QUBUS_BENCH set.
@Suite(
  "Measured: steps",
  .enabled(if: ProcessInfo.processInfo.environment["QUBUS_BENCH"] != nil), .serialized)
struct StepBenchmarks {
  /// Seconds that this thread was busy: what others do on the machine does not count.
  private func busySeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private func fastest(_ bench: StepBench, _ outputs: StepOutputs) -> Double {
    var numbers = StepBench.numbers(bench.evaluator.parameterCount, seed: 3)
    let answer = StepAnswer()
    let repetitions = max(1, 4096 >> bench.evaluator.qubitCount)
    var best = Double.infinity
    numbers.withUnsafeMutableBufferPointer { numbers in
      for batch in 0..<25 {
        let start = busySeconds()
        for step in 0..<repetitions {
          for index in numbers.indices { numbers[index] += 1e-3 * Double((step + batch) % 3 - 1) }
          try? bench.evaluator.evaluate(
            StepOrder(sequence: UInt64(step), outputs: outputs),
            parameters: UnsafeBufferPointer(numbers), into: answer, bench.context)
        }
        best = min(best, (busySeconds() - start) / Double(repetitions))
      }
    }
    return best
  }

  @Test("3 layers, 100 strings or an Ising chain", arguments: [4, 8, 12, 16, 20])
  func steps(qubits: Int) throws {
    let program = try CompiledProgram(ansatz: qubits, layers: 4)
    var generator = TestGenerator(5)
    var ising = PauliSum(qubitCount: qubits, terms: [])
    for qubit in 0..<qubits {
      ising.terms.append(PauliTerm(x: 1 << UInt64(qubit), z: 0, coefficient: -0.7))
      if qubit + 1 < qubits {
        ising.terms.append(PauliTerm(x: 0, z: 3 << UInt64(qubit), coefficient: -1))
      }
    }
    let random = PauliSum.random(qubits: qubits, terms: 100, &generator)
    for (name, sum) in [("100 strings", random), ("Ising", ising)] {
      let outputs: StepOutputs = [.values, .gradients]
      let bench = try StepBench(program, [sum], outputs: outputs)
      let value = fastest(bench, .values)
      let gradient = fastest(bench, outputs)
      let predicted = bench.evaluator.predictedSeconds(StepOrder(sequence: 1))
      let other = bench.evaluator.predictedSeconds(StepOrder(sequence: 1, outputs: outputs))
      print(
        String(
          format: "%d qubits, %@: %.1f µs (predicted %.1f), with gradient %.1f (%.1f), × %.2f",
          qubits, name, 1e6 * value, 1e6 * predicted, 1e6 * gradient, 1e6 * other,
          gradient / value))
      // Far off means that the figures are those of another implementation.
      #expect(value < 5 * predicted && predicted < 5 * value)
      #expect(gradient < 5 * other && other < 5 * gradient)
    }
  }
}
