import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import Testing

@testable import QubusSimulator

@Suite struct ExpectationRowsTests {
  private static let context = KernelContext.test()

  /// Of every instruction set that this processor has.
  private static let tables = ["baseline", "avx2", "avx512"].compactMap {
    try? KernelTable.named($0)
  }

  @Test(
    "random plans side by side give every row the bits that it has alone, on all instruction sets",
    arguments: 1...8, Precision.allCases)
  func randomPlans(qubits: Int, precision: Precision) throws {
    // The reference has no rows side by side, so its sums have none either.
    if KernelTable.best.name == "reference" { return }
    var runs = 0
    for seed in 0..<24 {
      var generator = SeededGenerator(seed: UInt64(seed * 1000 + qubits))
      let random = RandomPlan(
        qubits: qubits, precision, stages: 1 + seed % 3, operations: 9, localBits: 13,
        activatesLate: seed % 4 == 3, &generator)
      let rows = (0..<Int.random(in: 1...20, using: &generator)).map { _ in
        random.otherNumbers(&generator)
      }
      var terms = TestGenerator(UInt64(seed))
      let observables = [1, 7, 40].map {
        PreparedPauliSum(
          PauliSum.random(qubits: qubits, terms: $0, &terms), positions: random.plan.finalPositions)
      }
      for kernels in Self.tables {
        runs += try compare(random.plan, rows, observables, kernels, "seed \(seed)")
      }
    }
    // Late plans of chunks with positions outside run one by one.
    #expect(runs >= 18 * Self.tables.count)
  }

  /// - Returns: 1 when rows ran side by side.
  private func compare(
    _ plan: Plan, _ rows: [PlanNumbers], _ observables: [PreparedPauliSum],
    _ kernels: KernelTable, _ comment: Comment
  ) throws -> Int {
    guard let batch = try RowBatch(plan, kernels: kernels) else { return 0 }
    let executor = try PlanExecutor(plan, threadCount: 1, kernels: kernels)
    let state = try BlockedState(qubitCount: plan.qubitCount, precision: plan.precision)
    func finish(_ first: Int) throws {
      let count = batch.count
      batch.run()
      batch.removeAll()
      let norms = Array(UnsafeBufferPointer(start: batch.normsSquared(), count: count))
      let values = observables.map { observable in
        Array(UnsafeBufferPointer(start: batch.values(observable), count: count))
      }
      for row in 0..<count {
        try executor.run(rows[first + row], on: state, Self.context)
        for index in 0..<1 << plan.qubitCount {
          let (own, alone) = (batch[index, row: row], state[index])
          #expect(own == alone, "\(comment) \(kernels.name) row \(first + row) index \(index)")
        }
        let norm = try state.normSquared(Self.context)
        #expect(norms[row].bitPattern == norm.bitPattern, comment)
        for (observable, own) in zip(observables, values) {
          let alone = try state.expectation(observable, Self.context)
          #expect(own[row].bitPattern == alone.bitPattern, comment)
        }
      }
    }
    var first = 0
    for index in rows.indices {
      if try !batch.add(rows[index]) {
        try finish(first)
        first = index
        #expect(try batch.add(rows[index]))
      }
      if batch.isFull {
        try finish(first)
        first = index + 1
      }
    }
    if batch.count > 0 { try finish(first) }
    return 1
  }

  @Test(
    "rows of a program have the bits of rows of the device, on 1, 2 and 4 threads",
    arguments: [1, 3, 4, 6, 8, 9, 13], Precision.allCases)
  func rowsAreSingleEvaluations(qubits: Int, precision: Precision) throws {
    let program = try CompiledProgram(ansatz: qubits, layers: 2)
    let count = program.circuit.inputs.count
    var generator = TestGenerator(4)
    let rows = (0..<(qubits > 9 ? 7 : 75)).map { _ in (0..<count).map { _ in 3 * generator.real() }
    }
    let observables = [
      PauliSum.random(qubits: qubits, terms: 20, &generator),
      PauliSum.random(qubits: qubits, terms: 3, &generator),
    ]
    let device = StateVectorDevice()
    func session(_ threads: Int) -> any DeviceSession {
      device.session(
        program, precision: precision, seed: 1, team: ComputeTeam(threadCount: threads),
        cancellation: CancellationFlag(), progress: nil)
    }
    let alone = session(1)
    var expected: [Double] = []
    var (drift, hash) = (0.0, [[UInt8]]())
    for row in rows {
      let result = try alone.open(inputs: row.map { .float($0) })
        .run(.exact(ExactOutputs(observables: observables)))
      expected += try #require(result.expectationValues)
      drift = max(drift, try #require(result.normDrift))
      hash = result.planHashes
    }
    for threads in [1, 2, 4] {
      let together = try #require(
        try session(threads).rows(like: rows[3].map { .float($0) }, observables))
      var values = [Double](repeating: .nan, count: expected.count)
      let found = try together.run(rows.flatMap { $0 }, rows: rows.count, into: &values)
      #expect(values.map(\.bitPattern) == expected.map(\.bitPattern))
      #expect(found == drift)
      #expect([together.planHash] == hash)
    }
  }

  @Test("the lowest row that fails decides the error, and rows after it do not hide it")
  func errorsOfRows() throws {
    let program = try CompiledProgram(
      source: "OPENQASM 3; include \"stdgates.inc\"; input float a; qubit[2] q; rx(1 / a) q[0];")
    for threads in [1, 2] {
      let session = StateVectorDevice().session(
        program, precision: .double, seed: 1, team: ComputeTeam(threadCount: threads),
        cancellation: CancellationFlag(), progress: nil)
      let rows = try #require(
        try session.rows(
          like: [.float(1)],
          [PauliSum(qubitCount: 2, terms: [PauliTerm(x: 0, z: 1, coefficient: 1)])]))
      var values = [Double](repeating: 0, count: 100)
      let numbers = (0..<100).map { $0 % 40 == 39 ? 0 : Double($0 + 1) }
      let error = #expect(throws: QubusError.self) {
        try rows.run(numbers, rows: 100, into: &values)
      }
      let alone = #expect(throws: QubusError.self) { try session.open(inputs: [.float(0)]) }
      #expect(error?.code == alone?.code && error?.message == alone?.message)
      // The rows before it are there for nobody, but were evaluated by the same numbers again.
      #expect(try rows.run([Double](repeating: 2, count: 100), rows: 100, into: &values) < 1e-14)
      #expect(Set(values).count == 1)
    }
  }

  @Test("a canceled batch stops")
  func canceled() throws {
    let program = try CompiledProgram(ansatz: 3, layers: 1)
    let flag = CancellationFlag()
    let session = StateVectorDevice().session(
      program, precision: .double, seed: 1, team: ComputeTeam(threadCount: 1), cancellation: flag,
      progress: nil)
    let count = program.circuit.inputs.count
    let sum = PauliSum(qubitCount: 3, terms: [PauliTerm(x: 0, z: 1, coefficient: 1)])
    let rows = try #require(
      try session.rows(like: [Value](repeating: .float(0.1), count: count), [sum]))
    flag.cancel()
    var values = [Double](repeating: 0, count: 9)
    let error = #expect(throws: QubusError.self) {
      try rows.run([Double](repeating: 0.2, count: 9 * count), rows: 9, into: &values)
    }
    #expect(error?.code == .executionCanceled)
  }

  @Test("programs that inputs steer are left to rows by themselves")
  func steered() throws {
    let program = try CompiledProgram(
      source: """
        OPENQASM 3; include "stdgates.inc"; input float a; qubit[2] q;
        if (a > 0.5) { x q[0]; } rx(a) q[1];
        """)
    let session = StateVectorDevice().session(
      program, precision: .double, seed: 1, team: ComputeTeam(threadCount: 1),
      cancellation: CancellationFlag(), progress: nil)
    let sum = PauliSum(qubitCount: 2, terms: [PauliTerm(x: 0, z: 1, coefficient: 1)])
    #expect(try session.rows(like: [.float(0.1)], [sum]) == nil)
  }
}
