import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import QubusSimulator
import Testing

@Suite("Shots")
struct ShotTests {
  @Test("a Bell pair gives 00 and 11 only, each half of the time (false alarm 2e-9)")
  func bell() throws {
    let counts = try #require(try Workbench().shots(.bell, 100_000).counts)
    #expect(counts.total == 100_000)
    #expect(Set(counts.table.keys) == ["00", "11"])
    #expect(isPlausible(counts["00"], of: 100_000, probability: 0.5))
  }

  @Test("a GHZ state over 16 qubits gives all zeros or all ones")
  func ghz() throws {
    var circuit = Circuit(qubits: 16, bits: 16, [.apply(.h, 0)])
    for qubit in 1..<16 { circuit.operations.append(.apply(.x, qubit, control: qubit - 1)) }
    for qubit in 0..<16 { circuit.operations.append(.measure(qubit)) }
    let counts = try #require(try Workbench(threads: 2).shots(circuit, 100_000).counts)
    let ones = String(repeating: "1", count: 16)
    #expect(Set(counts.table.keys) == [ones, String(repeating: "0", count: 16)])
    #expect(isPlausible(counts[ones], of: 100_000, probability: 0.5))
  }

  static let programs: [(name: String, circuit: Circuit)] = [
    ("terminal, 5 qubits", .layered(qubits: 5, depth: 3)),
    ("terminal, 14 qubits", .layered(qubits: 14, depth: 2)),
    ("per shot, 4 qubits", perShot(qubits: 4)),
    ("per shot, 15 qubits", perShot(qubits: 15)),
  ]

  private static func perShot(qubits: Int) -> Circuit {
    var circuit = Circuit.layered(qubits: qubits, depth: 1)
    circuit.operations.append(contentsOf: [
      .reset(qubit: 0), .when(1, [.apply(.ry, 0, [0.4])]), .measure(0),
    ])
    return circuit
  }

  @Test(
    "chunks, their order, threads and memory change nothing", arguments: 0..<programs.count)
  func chunking(index: Int) throws {
    let circuit = Self.programs[index].circuit
    let shots: UInt64 = circuit.qubitCount > 10 ? 300 : 3000
    let whole = try Workbench().shots(circuit, shots, memory: true)
    #expect(try Workbench(threads: 2).shots(circuit, shots).counts == whole.counts)

    let execution = try Workbench(threads: 2).open(circuit)
    var counts = Counts(bitCount: circuit.bitCount)
    var memory: [UInt64: [UInt8]] = [:]
    let size = shots / 7
    for first in stride(from: UInt64(0), to: shots, by: Int(size)).reversed() {
      let part = try execution.run(
        .shots(first: first, count: min(size, shots - first), memory: true))
      counts.merge(try #require(part.counts))
      memory[first] = part.memory
    }
    #expect(counts == whole.counts)
    var merged = RowResult()
    for first in memory.keys.sorted() {
      merged.merge(
        try execution.run(.shots(first: first, count: min(size, shots - first), memory: true)))
    }
    var single = RowResult()
    single.merge(whole)
    #expect(merged.canonicalBytes == single.canonicalBytes)
    #expect(memory.keys.sorted().flatMap { memory[$0] ?? [] } == whole.memory)
  }

  @Test("counts are the histogram of memory", arguments: 0..<programs.count)
  func histogram(index: Int) throws {
    let circuit = Self.programs[index].circuit
    let result = try Workbench().shots(circuit, 200, memory: true)
    let memory = try #require(result.memory)
    let bytes = (circuit.bitCount + 7) / 8
    #expect(memory.count == 200 * bytes)
    var table: [String: UInt64] = [:]
    for shot in 0..<200 {
      var text = ""
      for bit in 0..<circuit.bitCount {
        let isSet = memory[shot * bytes + bit / 8] >> UInt8(bit % 8) & 1 == 1
        text = (isSet ? "1" : "0") + text
      }
      table[text, default: 0] += 1
    }
    #expect(table == result.counts?.table)
  }

  @Test("seed, pub and row choose the outcomes, attempt and lease do not")
  func coordinates() throws {
    let execution = try Workbench().open(.bell)
    func memory(pub: UInt16 = 0, row: UInt32 = 0, attempt: UInt32 = 1) throws -> [UInt8]? {
      try execution.run(
        ChunkRequest(
          jobID: Identifier(high: 9, low: 9), attempt: attempt, lease: UInt64(attempt), pub: pub,
          row: row, work: .shots(first: 0, count: 100, memory: true))
      ).memory
    }
    let base = try memory()
    #expect(try memory(attempt: 2) == base)
    #expect(try memory(pub: 1) != base)
    #expect(try memory(row: 1) != base)
    #expect(try Workbench().shots(.bell, 100, seed: 8, memory: true).memory != base)
  }

  @Test("sampled frequencies follow the exact distribution over 8 outcomes (false alarm 1e-6)")
  func chiSquared() throws {
    let circuit = Circuit.layered(qubits: 3, depth: 3)
    let shots: UInt64 = 1_000_000
    let counts = try #require(try Workbench(threads: 2).shots(circuit, shots).counts)
    let exact = try #require(
      try Workbench().exact(circuit, ExactOutputs(probabilities: true)).probabilities)
    var statistic = 0.0
    for (index, key) in counts.keys.enumerated() {
      let mean = exact[Int(key)] * Double(shots)
      let deviation = Double(counts.values[index]) - mean
      statistic += deviation * deviation / mean
    }
    // 99.9999 % quantile of χ² with 7 degrees of freedom.
    #expect(statistic < 40.5)
  }

  @Test("bits beyond 64, a qubit measured into two bits, and constant bits come out right")
  func wideOutcomes() throws {
    var circuit = Circuit(qubits: 2, bits: 130, [.apply(.h, 0), .apply(.x, 1, control: 0)])
    circuit.operations += [
      .assignBit(.bit(70), .constant(.bool(true))), .measure(0, 129), .measure(1, 3),
      .measure(0, 64),
    ]
    let result = try Workbench().shots(circuit, 1000, memory: true)
    let counts = try #require(result.counts)
    #expect(counts.values.count == 2)
    var low = [Character](repeating: "0", count: 130)
    low[129 - 70] = "1"
    var high = low
    for bit in [129, 3, 64] { high[129 - bit] = "1" }
    #expect(counts.bitString(at: 0) == String(low))
    #expect(counts.bitString(at: 1) == String(high))
    #expect(result.memory?.count == 1000 * 17)
  }

  @Test("a bit measured twice keeps the last outcome, and an overwritten bit the assigned value")
  func overwritten() throws {
    let twice = Circuit(
      qubits: 2, bits: 2, [.apply(.x, 1), .measure(1, 0), .measure(0, 0), .measure(1, 1)])
    #expect(try Workbench().shots(twice, 50).counts?.table == ["10": 50])
    let assigned = Circuit(
      qubits: 1, bits: 1,
      [.apply(.x, 0), .measure(0, 0), .assignBit(.bit(0), .constant(.bool(false)))])
    #expect(try Workbench().shots(assigned, 50).counts?.table == ["0": 50])
  }

  @Test("an impossible outcome is never drawn, whatever the uniform")
  func impossibleOutcomes() throws {
    // Qubit 12 up lies in the second chunk of 4096; everything else is impossible.
    var circuit = Circuit(qubits: 14, bits: 14, [.apply(.x, 12), .apply(.ry, 0, [1e-9])])
    for qubit in 0..<14 { circuit.operations.append(.measure(qubit)) }
    let counts = try #require(try Workbench().shots(circuit, 200_000).counts)
    #expect(counts.keys.allSatisfy { $0 & ~1 == 1 << 12 })
  }
}
