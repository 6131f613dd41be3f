import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import Testing

@testable import QubusSimulator

@Suite("Looks at the flag outside of evolutions") struct CancellationLookTests {
  private func looks(_ work: (CancellationFlag) throws -> Void) throws -> Int {
    let flag = CancellationFlag(afterLooks: 1 << 40)
    try work(flag)
    return 1 << 40 - flag.remainingLooks
  }

  private func cancel(_ work: (CancellationFlag) throws -> Void) throws {
    let count = try looks(work)
    for look in stride(from: 0, to: count, by: max(1, count / 25)) {
      let error = #expect(throws: QubusError.self, "look \(look) of \(count)") {
        try work(CancellationFlag(afterLooks: look))
      }
      #expect(error?.code == .executionCanceled)
    }
  }

  @Test(
    "preparing a plan of many operations stops at any look", arguments: [Precision.double, .single])
  func preparation(precision: Precision) throws {
    var generator = SeededGenerator(seed: 3)
    let random = RandomPlan(
      qubits: 12, precision, stages: 3, operations: 6000, localBits: 9, &generator)
    let work = { (flag: CancellationFlag) in
      let executor = try PlanExecutor(random.plan, threadCount: 1, cancellation: flag)
      let state = try BlockedState(qubitCount: 12, precision: precision)
      let context = KernelContext(team: ComputeTeam(threadCount: 1), cancellation: flag)
      try executor.run(random.numbers, continuing: state, context)
    }
    #expect(try looks(work) >= 3 * (random.plan.operations.count / 4096))
    try cancel(work)
  }

  @Test("a row of many gates stops at any look, whatever it does then")
  func rows() throws {
    for measuresEarly in [false, true] {
      var circuit = Circuit.layered(qubits: 5, depth: 3000)
      if measuresEarly { circuit.operations += [.when(0, [.apply(.x, 1)]), .measure(1)] }
      let work = { (flag: CancellationFlag) in
        let execution = try Workbench().open(circuit, cancellation: flag)
        _ = try execution.run(.shots(first: 0, count: 3000, memory: true))
      }
      #expect(try looks(work) >= 2 * (circuit.operations.count / 4096))
      try cancel(work)
    }
  }

  @Test("amplitudes of a large state are read with looks")
  func amplitudes() throws {
    let state = try BlockedState(qubitCount: 18, precision: .double)
    let expected = state.interleaved()
    let flag = CancellationFlag(afterLooks: 1 << 40)
    let context = KernelContext(team: ComputeTeam(threadCount: 2), cancellation: flag)
    #expect(try state.interleaved(context) == expected)
    #expect(1 << 40 - flag.remainingLooks >= 16)
    try cancel { flag in
      _ = try state.interleaved(
        KernelContext(team: ComputeTeam(threadCount: 2), cancellation: flag))
    }
  }

  @Test(
    "outcomes of several words are counted right, and stop at any look",
    arguments: [64, 70, 128, 200])
  func wideOutcomes(bits: Int) throws {
    let words = (bits + 63) / 64
    for shots in [10, 60_000] {
      var generator = SeededGenerator(seed: UInt64(bits + shots))
      var outcomes: [UInt64] = []
      var expected: [[UInt64]: UInt64] = [:]
      for _ in 0..<shots {
        var key = (0..<words).map { _ in generator.next() & 0x8000_0000_0000_0007 }
        key[words - 1] &= bits % 64 == 0 ? ~0 : (1 << UInt64(bits % 64)) - 1
        outcomes += key
        expected[key, default: 0] += 1
      }
      let counts = try Counts(bitCount: bits, outcomes: outcomes, CancellationFlag())
      let order = expected.keys.sorted { $0.reversed().lexicographicallyPrecedes($1.reversed()) }
      #expect(counts.keys == order.flatMap { $0 })
      #expect(counts.values == order.map { expected[$0] ?? 0 })
      try cancel { flag in _ = try Counts(bitCount: bits, outcomes: outcomes, flag) }
    }
  }

  @Test("a sum of histograms stops at any look and is that of the parts")
  func sums() throws {
    let (a, b) = (Counts.every(3, below: 120_000), Counts.every(5, below: 120_000))
    let sum = try a.merged(b, nil)
    #expect(sum.total == a.total + b.total && sum.values.count == 56_000)
    #expect(sum.keys == sum.keys.sorted())
    var merged = a
    merged.merge(b)
    #expect(merged == sum)
    try cancel { flag in _ = try a.merged(b, flag) }
  }
}

extension Counts {
  fileprivate static func every(_ step: UInt64, below limit: UInt64) -> Counts {
    var counts = Counts(bitCount: 20)
    counts.keys = stride(from: 0, to: limit, by: Int(step)).map { $0 }
    counts.values = counts.keys.map { _ in step }
    return counts
  }
}
