import Foundation
import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import Testing

@testable import QubusSimulator

@Suite struct StepRefusalTests {
  private let header = "OPENQASM 3.0;\ninclude \"stdgates.inc\";\n"

  @Test("numbers that an input cannot take are refused by name")
  func badNumbers() throws {
    let program = try CompiledProgram(
      source: header + "input float[64] a;\ninput int[4] k;\nqubit[1] q;\nrx(a*k) q[0];")
    let sums = [PauliSum(qubitCount: 1, terms: [PauliTerm(x: 0, z: 1, coefficient: 1)])]
    let bench = try StepBench(program, sums)
    for (numbers, name) in [
      ([Double.nan, 1], "a"), ([.infinity, 1], "a"), ([0.1, 1.5], "k"), ([0.1, 8], "k"),
    ] {
      let error = #expect(throws: QubusError.self) {
        try bench.run(StepOrder(sequence: 1), numbers)
      }
      #expect(error?.code == .invalidParameterValue)
      #expect(error?.violations.first?.field == "parameters.\(name)")
    }
    // What was bound before a refusal does no harm.
    let answer = try bench.run(StepOrder(sequence: 2), [0.1, 2])
    #expect(abs(answer.values[0] - cos(0.2)) < 1e-12)
    for count in [0, 1, 3] {
      let error = #expect(throws: QubusError.self) {
        try bench.run(StepOrder(sequence: 1), [Double](repeating: 1, count: count))
      }
      #expect(error?.code == .parameterCountMismatch)
    }
  }

  @Test("an expression that fails for some numbers fails for these alone")
  func failingExpression() throws {
    let program = try CompiledProgram(
      source: header + "input float[64] a;\nqubit[1] q;\nrx(1/a) q[0];")
    let sums = [PauliSum(qubitCount: 1, terms: [PauliTerm(x: 0, z: 1, coefficient: 1)])]
    let bench = try StepBench(program, sums)
    #expect(throws: QubusError.self) { try bench.run(StepOrder(sequence: 1), [0]) }
    let answer = try bench.run(StepOrder(sequence: 1), [2])
    #expect(abs(answer.values[0] - cos(0.5)) < 1e-12)
  }

  @Test("a program that measures on its way gives counts, and says why nothing exact")
  func measuredOnTheWay() throws {
    let program = try CompiledProgram(
      source: header
        + """
        input float[64] a;
        qubit[2] q;
        bit[2] c;
        ry(a) q[0]; c[0] = measure q[0]; if (c[0]) { x q[1]; } c[1] = measure q[1];
        """)
    let sums = [PauliSum(qubitCount: 2, terms: [PauliTerm(x: 0, z: 1, coefficient: 1)])]
    for outputs in [StepOutputs.values, .gradients, .stateVector, [.counts, .values]] {
      let error = #expect(throws: QubusError.self) {
        try StepBench(program, sums, outputs: outputs)
      }
      #expect(error?.code == .invalidOutputs)
      #expect(error?.description.contains("on its way") == true)
    }
    let bench = try StepBench(program, outputs: .counts)
    let answer = try bench.run(
      StepOrder(sequence: 1, rows: 2, outputs: .counts, shots: 1000), [0.0, .pi / 2])
    #expect(answer.counts[0].table == ["00": 1000])
    #expect(answer.counts[1]["00"] + answer.counts[1]["11"] == 1000)
    #expect(isPlausible(answer.counts[1]["11"], of: 1000, probability: 0.5))
    #expect(answer.shotsUsed == 2000)
  }

  @Test("orders beyond what the session was opened for, and observables that do not fit")
  func badOrders() throws {
    let program = try CompiledProgram(
      source: header + "input float[64] a;\nqubit[1] q;\nrx(a) q[0];")
    let sum = PauliSum(qubitCount: 1, terms: [PauliTerm(x: 0, z: 1, coefficient: 1)])
    let bench = try StepBench(program, [sum])
    for (order, code) in [
      (StepOrder(sequence: 1, outputs: .gradients), ErrorCode.invalidOutputs),
      (StepOrder(sequence: 1, shots: 0, targetError: 0.1), .invalidShots),
      (StepOrder(sequence: 1, shots: 10, targetError: -1), .invalidShots),
      (StepOrder(sequence: 1, shots: 10, targetError: .nan), .invalidShots),
    ] {
      let error = #expect(throws: QubusError.self) { try bench.run(order, [0.1]) }
      #expect(error?.code == code)
    }
    var error = #expect(throws: QubusError.self) {
      try StepBench(program, [PauliSum(qubitCount: 2, terms: [])])
    }
    #expect(error?.code == .invalidObservable)
    error = #expect(throws: QubusError.self) { try StepBench(program, outputs: .counts) }
    #expect(error?.code == .invalidOutputs)
    error = #expect(throws: QubusError.self) {
      try StateVectorDevice().stepEstimate(
        program, observables: [sum], outputs: .values, precision: .double, threadCount: 1,
        memoryLimitBytes: 16)
    }
    #expect(error?.code == .insufficientMemory)
    var circuit = Circuit()
    circuit.qubitCount = 99
    let large = ProgramCompiler.compile(circuit, source: [])
    error = #expect(throws: QubusError.self) { try StepBench(large) }
    #expect(error?.code == .tooManyQubits)
  }

  @Test("a canceled step throws, and the next is right")
  func cancel() throws {
    let program = try CompiledProgram(ansatz: 14, layers: 1)
    var generator = TestGenerator(29)
    let sums = [PauliSum.random(qubits: 14, terms: 10, &generator)]
    let flag = CancellationFlag()
    let outputs: StepOutputs = [.values, .gradients]
    let bench = try StepBench(program, sums, outputs: outputs, cancellation: flag)
    let numbers = StepBench.numbers(program.circuit.inputs.count, seed: 3)
    let order = StepOrder(sequence: 1, outputs: outputs)
    flag.cancel()
    let error = #expect(throws: QubusError.self) { try bench.run(order, numbers) }
    #expect(error?.code == .executionCanceled)
    let fresh = try StepBench(program, sums, outputs: outputs).run(order, numbers)
    let answer = StepAnswer()
    let other = KernelContext(
      team: ComputeTeam(threadCount: 1), cancellation: CancellationFlag())
    try numbers.withUnsafeBufferPointer { numbers in
      Result { () throws(QubusError) in
        try bench.evaluator.evaluate(order, parameters: numbers, into: answer, other)
      }
    }.get()
    #expect(StepNumbers(answer) == fresh)
  }

  @Test("the device's estimate covers what the evaluator holds", arguments: [4, 12, 16])
  func memory(qubits: Int) throws {
    let program = try CompiledProgram(ansatz: qubits, layers: 2)
    var generator = TestGenerator(31)
    let sums = [PauliSum.random(qubits: qubits, terms: 10, &generator)]
    let outputs: StepOutputs = [.values, .gradients]
    let context = KernelContext.test()
    let evaluator = try StateVectorDevice().stepEvaluator(
      program, observables: sums, outputs: outputs, precision: .double, seed: 1,
      threadCount: 1, context)
    let estimate = try StateVectorDevice().stepEstimate(
      program, observables: sums, outputs: outputs, precision: .double, threadCount: 1,
      memoryLimitBytes: .max)
    #expect(Double(evaluator.memoryBytes) <= 4 * Double(estimate))
    #expect(evaluator.memoryBytes >= UInt64(2 * (16 << qubits)))
    #expect(
      evaluator.predictedSeconds(StepOrder(sequence: 1, outputs: outputs))
        > evaluator.predictedSeconds(StepOrder(sequence: 1)))
  }
}
