import Foundation
import QubusCircuit
import QubusCompiler
import QubusCore
import Testing

@testable import QubusSimulator

/// Times of reductions beside their targets; run with QUBUS_BENCH=1.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["QUBUS_BENCH"] != nil), .serialized)
struct ReductionBenchmarks {
  private func best(_ name: String, _ count: Int = 7, _ body: () throws -> Void) rethrows {
    var (best, bestWork) = (Double.infinity, Double.infinity)
    for _ in 0..<count {
      let (start, work) = (now(CLOCK_MONOTONIC), now(CLOCK_PROCESS_CPUTIME_ID))
      try body()
      best = min(best, now(CLOCK_MONOTONIC) - start)
      bestWork = min(bestWork, now(CLOCK_PROCESS_CPUTIME_ID) - work)
    }
    print("\(name): \(best) µs, processor \(bestWork) µs")
  }

  /// Microseconds.
  private func now(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) * 1e-3
  }

  @Test func times() throws {
    for threads in [1, 2] {
      let context = KernelContext.test(threads: threads)
      try context.team.activate { try measure(context, threads) }
    }
  }

  private func measure(_ context: KernelContext, _ threads: Int) throws {
    let source = ShotSource(philox: Philox(seed: 1), pub: 0, row: 0)
    var generator = TestGenerator(1)
    for precision in Precision.allCases {
      let name = "\(threads) threads \(precision)"
      let state = try StateFixture(qubits: 20, precision, seed: 1, context).blocked
      try best("\(name): 20 qubits norm") { _ = try state.normSquared(context) }
      try best("\(name): 20 qubits marginal of 10") {
        _ = try state.probabilities(qubits: Array(5..<15), context)
      }
      try best("\(name): 20 qubits all probabilities") {
        _ = try state.probabilities(qubits: Array(0..<20), context)
      }
      let observable = PauliSum.random(qubits: 20, terms: 100, &generator)
      best("\(name): 20 qubits prepare 100 terms") {
        _ = PreparedPauliSum(observable, positions: state.positions)
      }
      let prepared = PreparedPauliSum(observable, positions: state.positions)
      try best("\(name): 20 qubits 100 random terms") {
        _ = try state.expectation(prepared, context)
      }
      for (what, positions) in [
        ("identity", Array(0..<20)), ("reversed", Array((0..<20).reversed())),
        ("half", Array(0..<10)),
      ] {
        try best("\(name): 20 qubits 10^6 shots \(what)", 5) {
          let sampler = try StateSampler(state, context)
          _ = try sampler.sample(
            first: 0, count: 1_000_000, source, positions: positions, memory: false, context)
        }
      }
      try best("\(name): 20 qubits 10^6 shots with memory", 3) {
        let sampler = try StateSampler(state, context)
        _ = try sampler.sample(
          first: 0, count: 1_000_000, source, positions: Array(0..<20), memory: true, context)
      }
    }
    let ten = try StateFixture(qubits: 10, .double, seed: 1, context).blocked
    try best("\(threads) threads: 10 qubits 10^8 shots", 2) {
      let sampler = try StateSampler(ten, context)
      _ = try sampler.sample(
        first: 0, count: 100_000_000, source, positions: Array(0..<10), memory: false, context)
    }
    let two = try StateFixture(qubits: 2, .double, seed: 1, context).blocked
    try best("\(threads) threads: 2 qubits 1024 shots", 100) {
      let sampler = try StateSampler(two, context)
      _ = try sampler.sample(
        first: 0, count: 1024, source, positions: [0, 1], memory: false, context)
    }
    for qubits in [4, 8, 12] {
      let small = try StateFixture(qubits: qubits, .double, seed: 1, context).blocked
      let terms = PauliSum.random(qubits: qubits, terms: 100, &generator)
      let few = PreparedPauliSum(terms, positions: small.positions)
      try best("\(threads) threads: \(qubits) qubits 100 terms, 100 times") {
        for _ in 0..<100 { _ = try small.expectation(few, context) }
      }
    }
  }

  @Test("16 qubits, 112 parameters: at most 4 evaluations and 16 ms")
  func gradient() throws {
    for threads in [1, 2] {
      let context = KernelContext.test(threads: threads)
      let program = try CompiledProgram(ansatz: 16, layers: 3, extra: 16)
      var generator = TestGenerator(1)
      let count = program.circuit.inputs.count
      let inputs = (0..<count).map { _ in Value.float(generator.real()) }
      let sum = PauliSum.random(qubits: 16, terms: 100, &generator)
      let gradient = try AdjointGradient(
        program, sum, inputs: inputs, wanted: [Bool](repeating: true, count: count),
        precision: .double, context)
      try context.team.activate {
        try best("\(threads) threads: \(count) parameters, value", 30) {
          _ = try gradient.value(inputs, context)
        }
        try best("\(threads) threads: \(count) parameters, gradient", 30) {
          _ = try gradient.evaluate(inputs, context)
        }
      }
    }
  }
}
