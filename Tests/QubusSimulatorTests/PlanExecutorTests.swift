import Foundation
import QubusCircuit
import QubusCompiler
import QubusCore
import QubusSimulator
import Testing

@Suite("Plan executor")
struct PlanExecutorTests {
  private static func context(_ threads: Int) -> KernelContext {
    KernelContext(
      team: ComputeTeam(threadCount: threads), cancellation: CancellationFlag())
  }

  /// Amplitudes in order of index, without the padding.
  private static func amplitudes(_ state: BlockedState) -> [Complex] {
    (0..<1 << state.qubitCount).map { Complex(state[$0].x, state[$0].y) }
  }

  private static func relativeError(_ a: [Complex], _ b: [Complex]) -> Double {
    let norm = b.reduce(0) { $0 + $1.squaredMagnitude }
    let distance = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1).squaredMagnitude }
    return (distance / max(norm, 1e-300)).squareRoot()
  }

  private static func randomState(
    _ qubits: Int, _ generator: inout SeededGenerator
  ) -> [Complex] {
    (0..<1 << qubits).map { _ in
      Complex(
        Double.random(in: -1...1, using: &generator), Double.random(in: -1...1, using: &generator))
    }
  }

  @Test(
    "random plans with any local positions agree with the slow truth, on 1, 2 and 4 threads alike",
    arguments: 1...13, Precision.allCases)
  func againstReference(qubits: Int, precision: Precision) throws {
    let contexts = [1, 2, 4].map(Self.context)
    for seed in 0..<12 {
      var generator = SeededGenerator(seed: UInt64(seed * 100 + qubits))
      let localBits = Int.random(in: precision.laneBits...13, using: &generator)
      let random = RandomPlan(
        qubits: qubits, precision, stages: 3, operations: 8, localBits: localBits, &generator)
      let start = Self.randomState(qubits, &generator)
      let expected = random.reference(start)
      var first: [Complex]?
      for context in contexts {
        let state = try BlockedState(qubitCount: qubits, precision: precision)
        try state.set(interleaved: start.flatMap { [$0.re, $0.im] }, context)
        let executor = try PlanExecutor(random.plan, threadCount: context.team.threadCount)
        try executor.run(random.numbers, continuing: state, context)
        let result = Self.amplitudes(state)
        let error = Self.relativeError(result, expected)
        #expect(error < (precision == .double ? 1e-13 : 2e-5), "seed \(seed), bits \(localBits)")
        if let first { #expect(result == first, "seed \(seed)") } else { first = result }
        #expect(state.positions == random.plan.finalPositions)
      }
    }
  }

  @Test(
    "positions that are activated late start at zero, whatever the memory held",
    arguments: 2...13, Precision.allCases)
  func lateActivation(qubits: Int, precision: Precision) throws {
    let context = Self.context(2)
    for seed in 0..<12 {
      var generator = SeededGenerator(seed: UInt64(seed * 1000 + qubits))
      let localBits = Int.random(in: precision.laneBits...10, using: &generator)
      let random = RandomPlan(
        qubits: qubits, precision, stages: 4, operations: 5, localBits: localBits,
        activatesLate: true, &generator)
      var start = [Complex](repeating: .zero, count: 1 << qubits)
      start[0] = .one
      let expected = random.reference(start)
      let executor = try PlanExecutor(random.plan, threadCount: 2)
      let state = try BlockedState(qubitCount: qubits, precision: precision)
      for round in 0..<3 {
        try executor.run(random.numbers, on: state, context)
        let error = Self.relativeError(Self.amplitudes(state), expected)
        #expect(
          error < (precision == .double ? 1e-13 : 2e-5),
          "seed \(seed), bits \(localBits), round \(round)")
        if round == 1 {
          let garbage = Self.randomState(qubits, &generator).flatMap { [$0.re, $0.im] }
          try state.set(interleaved: garbage, context)
        }
      }
    }
  }

  @Test("a plan without operations gives |0…0⟩, one with a scale only scales")
  func empty() throws {
    let context = Self.context(1)
    var generator = SeededGenerator(seed: 1)
    for qubits in [1, 4, 9] {
      var random = RandomPlan(
        qubits: qubits, .double, stages: 1, operations: 0, localBits: 6, &generator)
      random.numbers.stageScales = [0.25]
      let state = try BlockedState(qubitCount: qubits, precision: .double)
      try PlanExecutor(random.plan, threadCount: 1).run(random.numbers, on: state, context)
      #expect(state[0] == Amplitude(0.25, 0))
      random.plan.stages = []
      random.numbers.stageScales = []
      try PlanExecutor(random.plan, threadCount: 1).run(random.numbers, on: state, context)
      #expect(state[0] == Amplitude(1, 0) && state[1] == Amplitude())
    }
  }

  @Test("amplitudes go in and come out in order of basis states, wherever the qubits lie")
  func interleaved() throws {
    let context = Self.context(1)
    var generator = SeededGenerator(seed: 5)
    for (qubits, precision) in [(1, Precision.double), (5, .single), (9, .double), (10, .single)] {
      var random = RandomPlan(
        qubits: qubits, precision, stages: 0, operations: 0, localBits: 6, &generator)
      random.plan.finalPositions = (0..<UInt8(qubits)).reversed()
      let numbers = (0..<2 << qubits).map { Double($0) }
      let state = try BlockedState(qubitCount: qubits, precision: precision)
      try state.set(interleaved: numbers, context)
      #expect(state.interleaved() == numbers)
      try PlanExecutor(random.plan, threadCount: 1).run(random.numbers, continuing: state, context)
      let reversed = state.interleaved()
      for basis in 0..<1 << qubits {
        let mirrored = (0..<qubits).reduce(0) { $0 | (basis >> $1 & 1) << (qubits - 1 - $1) }
        #expect(reversed[2 * basis] == Double(2 * mirrored))
      }
    }
  }

  @Test("a product state is the product of its qubits' amplitudes")
  func product() throws {
    let factors = (0..<9).map { qubit in
      (zero: Amplitude(0.5, 0.1 * Double(qubit)), one: Amplitude(-0.3, 0.2))
    }
    for precision in Precision.allCases {
      let state = try BlockedState(qubitCount: 9, precision: precision)
      try state.set(product: factors, Self.context(1))
      for basis in 0..<1 << 9 {
        var expected = Complex.one
        for (qubit, factor) in factors.enumerated() {
          let value = basis >> qubit & 1 == 1 ? factor.one : factor.zero
          expected = expected * Complex(value.x, value.y)
        }
        #expect(abs(state[basis].x - expected.re) + abs(state[basis].y - expected.im) < 1e-6)
      }
    }
  }

  @Test("a state beyond the machine's memory is refused with the bytes needed")
  func refusedMemory() throws {
    for qubits in [44, 62] {
      let error = #expect(throws: QubusError.self) {
        try BlockedState(qubitCount: qubits, precision: .double)
      }
      #expect(error?.code == .insufficientMemory)
      #expect(error?.message.contains(qubits == 44 ? "256 TiB" : "64 EiB") == true)
    }
  }
}
