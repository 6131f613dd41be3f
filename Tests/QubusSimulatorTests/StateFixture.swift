import QubusCircuit
import QubusCompiler
import QubusCore
import QubusSimulator
import Testing

/// Reproducible random numbers for tests (SplitMix64).
struct TestGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func real() -> Double { Double.random(in: -1...1, using: &self) }
}

/// A random normalised state in both layouts.
struct StateFixture {
  let plain: ReferenceStateVector
  let blocked: BlockedState

  /// Parameter zeros: share of amplitudes that are 0.
  init(
    qubits: Int, _ precision: Precision, seed: UInt64, zeros: Double = 0, _ context: KernelContext
  ) throws {
    var generator = TestGenerator(seed)
    var numbers: [Double] = []
    for _ in 0..<1 << qubits {
      let isZero = Double.random(in: 0..<1, using: &generator) < zeros
      numbers.append(isZero ? 0 : generator.real())
      numbers.append(isZero ? 0 : generator.real())
    }
    let scale = 1 / numbers.reduce(0) { $0 + $1 * $1 }.squareRoot()
    // Rounded to single, so that both precisions hold the same state.
    numbers = numbers.map { Double(Float($0 * scale)) }
    plain = try ReferenceStateVector(qubitCount: qubits)
    for index in 0..<plain.count {
      plain.amplitudes[index] = Amplitude(numbers[2 * index], numbers[2 * index + 1])
    }
    blocked = try BlockedState(qubitCount: qubits, precision: precision)
    try blocked.set(interleaved: numbers, context)
  }
}

extension KernelContext {
  static func test(threads: Int = 1) -> KernelContext {
    KernelContext(team: ComputeTeam(threadCount: threads), cancellation: CancellationFlag())
  }
}

extension PauliSum {
  static func random(qubits: Int, terms: Int, _ generator: inout TestGenerator) -> PauliSum {
    let mask = (UInt64(1) << UInt64(qubits)) - 1
    return PauliSum(
      qubitCount: qubits,
      terms: (0..<terms).map { _ in
        PauliTerm(
          x: generator.next() & mask, z: generator.next() & mask, coefficient: generator.real())
      })
  }
}
