import QubusCircuit
import QubusCompiler
import QubusCore
import QubusQASM
import Testing

@testable import QubusSimulator

@Suite struct BatchTests {
  @Test("rows of a batch have the bits of single evaluations", arguments: [3, 9, 15])
  func rowsAreSingleEvaluations(qubits: Int) throws {
    let program = try CompiledProgram(ansatz: qubits, layers: 2)
    let count = program.circuit.inputs.count
    var generator = TestGenerator(4)
    let rows: [[Value]] = (0..<7).map { _ in
      (0..<count).map { _ in .float(3 * generator.real()) }
    }
    let context = KernelContext.test()
    let trace = try GateTrace(
      program, inputs: rows[0], wanted: [Bool](repeating: true, count: count),
      cancellation: context.cancellation)
    let plan = try Planner.plan(
      try trace.bound(rows[0]), qubitCount: qubits, precision: .double)
    let observables = [
      PauliSum.random(qubits: qubits, terms: 20, &generator),
      PauliSum.random(qubits: qubits, terms: 3, &generator),
    ].map { PreparedPauliSum($0, positions: plan.finalPositions) }
    var expected: [Double] = []
    let executor = try PlanExecutor(plan, threadCount: 1)
    let state = try BlockedState(qubitCount: qubits, precision: .double)
    for row in rows {
      let binding = try PlanBinding(plan, try trace.bound(row))
      try executor.run(binding.numbers, on: state, context)
      for observable in observables {
        expected.append(try state.expectation(observable, context))
      }
    }
    for threads in [1, 2, 4] {
      let batch = try PlanBatch(plan, try trace.bound(rows[3]), threadCount: threads)
      let values = try batch.expectations(rows: rows.count, observables, .test(threads: threads)) {
        (row: Int) throws(QubusError) in try trace.bound(rows[row])
      }
      #expect(values == expected)
    }
  }

  @Test("the lowest row that fails decides the error")
  func errorsOfRows() throws {
    let program = try CompiledProgram(ansatz: 2, layers: 1)
    let inputs = [Value](repeating: .float(0.1), count: program.circuit.inputs.count)
    let context = KernelContext.test(threads: 2)
    let trace = try GateTrace(
      program, inputs: inputs, wanted: [Bool](repeating: true, count: inputs.count),
      cancellation: context.cancellation)
    let plan = try Planner.plan(try trace.bound(inputs), qubitCount: 2, precision: .double)
    let batch = try PlanBatch(plan, try trace.bound(inputs), threadCount: 2)
    let error = #expect(throws: QubusError.self) {
      try batch.expectations(rows: 9, [], context) { (row: Int) throws(QubusError) in
        if row % 4 == 2 { throw QubusError(.divisionByZero, "row \(row)") }
        return try trace.bound(inputs)
      }
    }
    #expect(error?.message.contains("row 2") == true)
  }
}
