import QubusCircuit
import QubusCompiler
import QubusCore
import Testing

@testable import QubusSimulator

@Suite struct StateSamplerTests {
  private let source = ShotSource(philox: Philox(seed: 77), pub: 3, row: 5)

  @Test(
    "every shot is the first index above its uniform",
    arguments: Precision.allCases, [1, 4, 8, 12, 14, 15, 17])
  func outcomesFollowTheRule(precision: Precision, qubits: Int) throws {
    let context = KernelContext.test()
    let state = try StateFixture(
      qubits: qubits, precision, seed: 31, zeros: 0.4, context
    ).blocked
    let sampler = try StateSampler(state, context)
    let positions = Array(0..<qubits)
    let first: UInt64 = (1 << 32) - 1000
    let sampled = try sampler.sample(
      first: first, count: 5000, source, positions: positions, memory: true, context)
    let outcomes = try #require(sampled.shotKeys)
    // Running sums in another order differ by rounding, so the rule holds up to that.
    let numbers = state.interleaved()
    var below = [0.0]
    for index in 0..<1 << qubits {
      let (re, im) = (numbers[2 * index], numbers[2 * index + 1])
      below.append(below[index] + re * re + im * im)
    }
    let total = below[1 << qubits]
    let uniforms = source.philox.uniforms(
      shots: first..<first + 5000, purpose: .terminalSampling, pub: 3, row: 5)
    for (outcome, uniform) in zip(outcomes, uniforms) {
      let index = Int(outcome)
      #expect(below[index] < below[index + 1], "an impossible outcome")
      #expect(below[index] <= uniform * total + 1e-12)
      #expect(below[index + 1] > uniform * total - 1e-12)
    }
  }

  @Test(
    "counts are the histogram of memory, for any split and any threads",
    arguments: [3, 13, 16], [0, 1, 3])
  func countsAreTheHistogram(qubits: Int, choice: Int) throws {
    let context = KernelContext.test()
    let state = try StateFixture(qubits: qubits, .double, seed: 32, zeros: 0.2, context).blocked
    let sampler = try StateSampler(state, context)
    var generator = TestGenerator(UInt64(choice))
    let positions =
      choice == 0
      ? Array(0..<qubits)
      : Array(Array(0..<qubits).shuffled(using: &generator).prefix(qubits / choice))
    let memory = try sampler.sample(
      first: 9, count: 30_000, source, positions: positions, memory: true, context)
    let shots = try #require(memory.shotKeys)
    var histogram: [UInt64: UInt64] = [:]
    for shot in shots { histogram[shot, default: 0] += 1 }
    #expect(memory.keys == histogram.keys.sorted())
    #expect(memory.values == memory.keys.map { histogram[$0] })
    for threads in [1, 2, 4] {
      let counted = try sampler.sample(
        first: 9, count: 30_000, source, positions: positions, memory: false,
        .test(threads: threads))
      #expect(counted.keys == memory.keys && counted.values == memory.values)
      #expect(counted.shotKeys == nil)
      var parts = try sampler.sample(
        first: 9, count: 11_111, source, positions: positions, memory: true,
        .test(threads: threads))
      parts.merge(
        try sampler.sample(
          first: 9 + 11_111, count: 30_000 - 11_111, source, positions: positions, memory: true,
          .test(threads: threads)))
      #expect(parts.keys == memory.keys && parts.values == memory.values)
      #expect(parts.shotKeys == shots)
    }
  }

  @Test("the table and the partition give the same outcomes")
  func bothWaysAgree() throws {
    let context = KernelContext.test()
    // Two states that differ by a qubit in |0⟩ on top: one is below the limit, one above.
    let small = try StateFixture(qubits: 14, .double, seed: 33, context).blocked
    let large = try BlockedState(qubitCount: 15, precision: .double)
    try large.set(
      interleaved: small.interleaved() + [Double](repeating: 0, count: 1 << 15), context)
    let positions = Array(0..<14)
    let fromTable = try StateSampler(small, context).sample(
      first: 0, count: 200_000, source, positions: positions, memory: true, context)
    let fromPartition = try StateSampler(large, context).sample(
      first: 0, count: 200_000, source, positions: positions, memory: true, context)
    #expect(fromTable.shotKeys == fromPartition.shotKeys)
    #expect(fromTable.keys == fromPartition.keys && fromTable.values == fromPartition.values)
  }

  @Test("buckets of several chunks give what a search over all amplitudes gives")
  func bucketsOfSeveralChunks() throws {
    let context = KernelContext.test(threads: 2)
    // 2^24 amplitudes are 4,096 chunks in buckets of two.
    let state = try BlockedState(qubitCount: 24, precision: .single)
    try state.set(
      product: (0..<24).map { qubit in
        let angle = 0.3 + 0.05 * Double(qubit)
        return (Amplitude(cosine(angle), 0), Amplitude(0, cosine(1.5707963267948966 - angle)))
      }, context)
    let sampler = try StateSampler(state, context)
    let sampled = try sampler.sample(
      first: 0, count: 3000, source, positions: Array(0..<24), memory: true, context)
    let shots = try #require(sampled.shotKeys)
    #expect(sampled.values.reduce(0, +) == 3000)
    let uniforms = source.philox.uniforms(
      shots: 0..<3000, purpose: .terminalSampling, pub: 3, row: 5)
    // The outcome rises with the uniform.
    let order = uniforms.indices.sorted { uniforms[$0] < uniforms[$1] }
    for (a, b) in zip(order, order.dropFirst()) { #expect(shots[a] <= shots[b]) }
    // P(qubit q is 1) = sin², checked to six standard deviations.
    for qubit in 0..<24 {
      let angle = 0.3 + 0.05 * Double(qubit)
      let probability = 1 - cosine(angle) * cosine(angle)
      let ones = shots.reduce(0.0) { $0 + Double($1 >> UInt64(qubit) & 1) }
      let deviation = (3000 * probability * (1 - probability)).squareRoot()
      #expect(abs(ones - 3000 * probability) < 6 * deviation)
    }
  }

  @Test("no shots give no outcomes, no measured qubits one")
  func emptyRuns() throws {
    let context = KernelContext.test()
    for qubits in [2, 15] {
      let state = try BlockedState(qubitCount: qubits, precision: .double)
      let sampler = try StateSampler(state, context)
      let none = try sampler.sample(
        first: 0, count: 0, source, positions: [0], memory: true, context)
      #expect(none.keys.isEmpty && none.shotKeys == [])
      let blind = try sampler.sample(
        first: 0, count: 10, source, positions: [], memory: false, context)
      #expect(blind.keys == [0] && blind.values == [10])
    }
  }

  private func cosine(_ angle: Double) -> Double {
    // Enough terms of the series for angles below 2.
    var (term, sum) = (1.0, 1.0)
    for k in 1..<14 {
      term *= -angle * angle / Double((2 * k - 1) * 2 * k)
      sum += term
    }
    return sum
  }
}
