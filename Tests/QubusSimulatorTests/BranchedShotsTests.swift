import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import QubusSimulator
import Testing

/// Every shot by itself on the plain state vector, its draws numbered in the shot.
private struct ShotByShot {
  let bound: BoundProgram
  let start: ClassicalMachine
  let seed: UInt64

  init(_ circuit: Circuit, seed: UInt64) throws {
    bound = try BoundProgram(
      ProgramCompiler.compile(circuit, source: [UInt8]()), inputs: [],
      cancellation: CancellationFlag())
    guard case .perShot(let start) = bound.form else {
      throw QubusError(.invariantViolated, "the program does not run shot by shot")
    }
    self.start = start
    self.seed = seed
  }

  func memory(shots: UInt64) throws -> [UInt8] {
    let context = KernelContext(
      team: ComputeTeam(threadCount: 1), cancellation: CancellationFlag())
    let prefix = try ReferenceStateVector(qubitCount: bound.program.circuit.qubitCount)
    try prefix.reset(context)
    try prefix.apply(bound.gates, context)
    let state = try ReferenceStateVector(qubitCount: prefix.qubitCount)
    var memory: [UInt8] = []
    for shot in 0..<shots {
      try state.copy(prefix, context)
      let bits = try run(shot, state, context)
      var bytes = [UInt8](repeating: 0, count: (bits.count + 7) / 8)
      for (bit, isSet) in bits.enumerated() where isSet { bytes[bit / 8] |= 1 << UInt8(bit % 8) }
      memory += bytes
    }
    return memory
  }

  private func run(
    _ shot: UInt64, _ state: ReferenceStateVector, _ context: KernelContext
  ) throws -> [Bool] {
    var machine = start
    var draw: UInt32 = 0
    func outcome(_ qubit: Int) throws -> (Bool, scale: Double) {
      let (zero, one) = try state.probabilities(qubit: qubit, context)
      let uniform = Philox(seed: seed).uniform(
        draw: draw, shot: shot, purpose: .midCircuit, pub: 0, row: 0)
      draw += 1
      let isOne = uniform * (zero + one) >= zero
      return (isOne, 1 / (isOne ? one : zero).squareRoot())
    }
    while true {
      let step = try machine.advance(
        bound.program, limits: bound.limits, cancellation: context.cancellation)
      switch step {
      case .gate(_, let application):
        var list = BoundGateList()
        let gate = try list.bind(application, machine.state)
        try state.apply(gate, list.coefficients, context)
      case .measure(let qubit, let target):
        let (isOne, scale) = try outcome(qubit)
        try state.collapse(qubit: qubit, outcome: isOne, scale: scale, context)
        if let target { try machine.store(isOne, into: target) }
      case .reset(let qubit):
        let (isOne, scale) = try outcome(qubit)
        try state.collapseToZero(qubit: qubit, outcome: isOne, scale: scale, context)
      case .needsOutcome, .finished: return machine.state.bits
      }
    }
  }
}

@Suite("Shots that share branches")
struct BranchedShotsTests {
  /// Gates, measurements, resets and gates that depend on outcomes, at random.
  private static func random(qubits: Int, seed: Int, blocks: Int) -> Circuit {
    var generator = SeededGenerator(seed: 4000 + UInt64(seed))
    var circuit = Circuit(qubits: qubits, bits: qubits)
    circuit.operations = [.apply(.ry, 0, [1.1]), .measure(0), .when(0, [.apply(.h, 1)])]
    for _ in 0..<blocks {
      circuit.operations += Circuit.random(qubits: qubits, gates: 6, &generator).operations
      let qubit = Int.random(in: 0..<qubits, using: &generator)
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: circuit.operations.append(.reset(qubit: qubit))
      case 1: circuit.operations.append(.measure(qubit: qubit, into: nil))
      default: circuit.operations.append(.measure(qubit))
      }
      let bit = Int.random(in: 0..<qubits, using: &generator)
      circuit.operations.append(.when(bit, [.apply(.ry, qubit, [0.7]), .apply(.h, bit)]))
    }
    for qubit in 0..<qubits { circuit.operations.append(.measure(qubit)) }
    return circuit
  }

  private func memory(
    _ circuit: Circuit, _ shots: UInt64, seed: UInt64, threads: Int, chunk: UInt64
  ) throws -> (memory: [UInt8], counts: Counts?) {
    let execution = try Workbench(threads: threads).open(circuit, seed: seed)
    var row = RowResult()
    for first in stride(from: 0, to: shots, by: Int(chunk)) {
      let count = min(chunk, shots - first)
      row.merge(try execution.run(.shots(first: first, count: count, memory: true)))
    }
    return (row.memory ?? [], row.counts)
  }

  @Test(
    "every shot has the outcome that it has by itself, for any threads and chunks",
    arguments: 0..<12)
  func againstShotByShot(seed: Int) throws {
    let circuit = Self.random(qubits: 2 + seed % 5, seed: seed, blocks: 1 + seed % 6)
    let shots: UInt64 = 600
    let expected = try ShotByShot(circuit, seed: 9).memory(shots: shots)
    for (threads, chunk) in [(1, 600), (2, 600), (4, 97), (1, 1)] as [(Int, UInt64)] {
      let (memory, counts) = try memory(circuit, shots, seed: 9, threads: threads, chunk: chunk)
      #expect(memory == expected, "seed \(seed), \(threads) threads, chunks of \(chunk)")
      #expect(counts?.total == shots)
    }
  }

  @Test("a state above the size of one thread's gives the same, through staged gates")
  func largeState() throws {
    var circuit = Self.random(qubits: 16, seed: 77, blocks: 3)
    circuit.operations.insert(contentsOf: Circuit.layered(qubits: 16, depth: 2).operations, at: 0)
    let expected = try ShotByShot(circuit, seed: 5).memory(shots: 12)
    for threads in [1, 2] {
      let (memory, _) = try memory(circuit, 12, seed: 5, threads: threads, chunk: 5)
      #expect(memory == expected)
    }
  }

  @Test("more ways than the tree keeps still give every shot its own outcome")
  func beyondTheTree() throws {
    let circuit = Circuit(
      qubits: 1, bits: 60,
      (0..<60).flatMap { bit -> [QubusCircuit.Operation] in [.apply(.h, 0), .measure(0, bit)] })
    let shots: UInt64 = 3000
    let expected = try ShotByShot(circuit, seed: 1).memory(shots: shots)
    let (memory, counts) = try memory(circuit, shots, seed: 1, threads: 2, chunk: 500)
    #expect(memory == expected)
    #expect(counts?.values.count == Int(shots))
  }
}
