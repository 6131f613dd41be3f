import CAllocationCounter
import Foundation
import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import QubusQASM
import Testing

@testable import QubusSimulator

@Suite struct StepEvaluatorTests {
  private let header = "OPENQASM 3.0;\ninclude \"stdgates.inc\";\n"

  private func job(
    _ program: CompiledProgram, _ numbers: [Double], _ outputs: ExactOutputs
  ) throws -> ChunkResult {
    let inputs = try zip(numbers, program.circuit.inputs).map {
      try Value.input($0, type: $1.type, name: $1.name)
    }
    return try StateVectorDevice().open(
      program, inputs: inputs, precision: .double, seed: 1, team: ComputeTeam(threadCount: 1),
      cancellation: CancellationFlag()
    ).run(.exact(outputs))
  }

  // MARK: Exact values and states

  @Test("values and states are those of a job, bit for bit", arguments: [1, 4, 7, 13])
  func equalsJob(qubits: Int) throws {
    let program = try CompiledProgram(ansatz: qubits, layers: 2)
    var generator = TestGenerator(5)
    let sums = [
      PauliSum.random(qubits: qubits, terms: 20, &generator),
      PauliSum.random(qubits: qubits, terms: 3, &generator),
    ]
    let bench = try StepBench(program, sums, outputs: [.values, .stateVector])
    let answer = StepAnswer()
    // Numbers of the step before must not show.
    for seed in [1, 2, 3] as [UInt64] {
      let numbers = StepBench.numbers(program.circuit.inputs.count, seed: seed)
      _ = try bench.run(
        StepOrder(sequence: seed, outputs: [.values, .stateVector]), numbers, into: answer)
      let expected = try job(
        program, numbers, ExactOutputs(stateVector: true, observables: sums))
      #expect(Array(answer.values) == expected.expectationValues)
      #expect(Array(answer.amplitudes) == expected.stateVector)
      #expect(answer.normDrift < 1e-12 && answer.shotsUsed == 0)
    }
  }

  @Test("every parametric gate, power and kind of input binds as a job does")
  func everyGate() throws {
    let program = try CompiledProgram(
      source: header
        + """
        input float[64] a;
        input angle[20] b;
        input int[8] k;
        input bool f;
        qubit[3] q;
        bit[2] c;
        h q; rx(a) q[0]; ry(2*a - b) q[1]; rz(a*k) q[2]; p(b) q[0]; U(a, b, a/3) q[1];
        gphase(a); ctrl @ gphase(b) q[1]; crx(a) q[0], q[2]; cu(a, b, 0.3, k) q[0], q[1];
        inv @ U(a, 0.2, b) q[2]; pow(3) @ rx(a) q[0]; pow(a) @ x q[1]; inv @ crz(b) q[1], q[0];
        rzz(a) q[0], q[1]; rxx(b) q[1], q[2]; ryy(a) q[0], q[2];
        for int i in [0:2] { ry(sin(a) * i + pow(a, 2)) q[i]; }
        negctrl @ ry(mod(a, 2.0)) q[0], q[1];
        """.replacing("rzz(a) q[0], q[1]; rxx(b) q[1], q[2]; ryy(a) q[0], q[2];", with: ""))
    var generator = TestGenerator(3)
    let sums = [PauliSum.random(qubits: 3, terms: 12, &generator)]
    let bench = try StepBench(program, sums)
    for numbers in [[0.3, 1.1, 3, 1], [0.3, 1.2, 3, 0], [-2.0, 6.1, -7, 0], [0.3, 1.1, 3, 1]] {
      let answer = try bench.run(StepOrder(sequence: 1), numbers)
      let expected = try job(program, numbers, ExactOutputs(observables: sums))
      #expect(abs(answer.values[0] - (expected.expectationValues?[0] ?? .nan)) < 1e-12)
    }
  }

  @Test("control flow and variables that depend on inputs are followed row by row")
  func steered() throws {
    let program = try CompiledProgram(
      source: header + """
        input float[64] a;
        input int[8] k;
        qubit[2] q;
        float[64] t = 2 * a;
        rx(t) q[0];
        if (k > 1) { x q[1]; }
        for int i in [0:k] { ry(a) q[1]; }
        """)
    let sums = [PauliSum(qubitCount: 2, terms: [PauliTerm(x: 0, z: 3, coefficient: 1)])]
    let bench = try StepBench(program, sums, outputs: [.values, .stateVector])
    let rows = [[0.3, 0], [0.4, 2], [0.3, 5]]
    let answer = try bench.run(
      StepOrder(sequence: 1, rows: 3, outputs: [.values, .stateVector]), rows.flatMap { $0 })
    for (row, numbers) in rows.enumerated() {
      let expected = try job(
        program, numbers, ExactOutputs(stateVector: true, observables: sums))
      #expect(answer.values[row] == expected.expectationValues?[0])
      #expect(Array(answer.amplitudes[8 * row..<8 * row + 8]) == expected.stateVector)
    }
    let error = #expect(throws: QubusError.self) {
      try StepBench(program, sums, outputs: .gradients)
    }
    #expect(error?.code == .unsupportedProgramFeature)
  }

  @Test("a gradient by inputs that steer nothing, beside one that steers")
  func partlySteered() throws {
    let program = try CompiledProgram(
      source: header
        + "input float[64] a;\ninput int[8] k;\nqubit[1] q;\nfor int i in [0:k] { ry(a) q[0]; }")
    let sums = [PauliSum(qubitCount: 1, terms: [PauliTerm(x: 0, z: 1, coefficient: 1)])]
    let bench = try StepBench(
      program, sums, outputs: [.values, .gradients], wanted: [true, false])
    let answer = try bench.run(
      StepOrder(sequence: 1, outputs: [.values, .gradients]), [0.2, 2])
    #expect(abs(answer.values[0] - cos(0.6)) < 1e-12)
    #expect(abs(answer.gradients[0] + 3 * sin(0.6)) < 1e-12 && answer.gradients[1] == 0)
  }

  @Test("a program without parameters, and one without observables")
  func withoutParameters() throws {
    let program = try CompiledProgram(source: header + "qubit[2] q;\nh q[0];\ncx q[0], q[1];")
    let sums = [PauliSum(qubitCount: 2, terms: [PauliTerm(x: 0, z: 3, coefficient: 2)])]
    let bench = try StepBench(program, sums, outputs: [.values, .gradients])
    let answer = try bench.run(
      StepOrder(sequence: 1, rows: 2, outputs: [.values, .gradients]), [])
    #expect(answer.values.allSatisfy { abs($0 - 2) < 1e-12 } && answer.values.count == 2)
    #expect(answer.gradients.isEmpty)
    let none = try StepBench(program, [], outputs: [.values, .gradients, .stateVector])
    let state = try none.run(
      StepOrder(sequence: 1, outputs: [.values, .gradients, .stateVector]), [])
    #expect(state.values.isEmpty && state.amplitudes.count == 8)
    let nothing = try none.run(StepOrder(sequence: 1, rows: 0), [])
    #expect(nothing.values.isEmpty)
  }

  // MARK: Gradients

  @Test("gradients of several observables equal differences", arguments: [2, 5, 13])
  func gradients(qubits: Int) throws {
    let program = try CompiledProgram(ansatz: qubits, layers: 2, extra: 1)
    let count = program.circuit.inputs.count
    var generator = TestGenerator(11)
    let sums = (0..<2).map { _ in PauliSum.random(qubits: qubits, terms: 8, &generator) }
    let outputs: StepOutputs = [.values, .gradients]
    let bench = try StepBench(program, sums, outputs: outputs)
    let numbers = StepBench.numbers(count, seed: 4)
    let answer = try bench.run(StepOrder(sequence: 1, outputs: outputs), numbers)
    let values = try bench.run(StepOrder(sequence: 2), numbers)
    for index in 0..<2 { #expect(abs(answer.values[index] - values.values[index]) < 1e-12) }
    for input in stride(from: 0, to: count, by: max(1, count / 7)) {
      let step = 1e-3
      let shifted = try [-2.0, -1, 1, 2].map { times in
        var row = numbers
        row[input] += times * step
        return try bench.run(StepOrder(sequence: 3), row).values
      }
      for observable in 0..<2 {
        let (a, b) = (shifted[0][observable], shifted[1][observable])
        let (c, d) = (shifted[2][observable], shifted[3][observable])
        let expected = (a - 8 * b + 8 * c - d) / (12 * step)
        #expect(abs(answer.gradients[observable * count + input] - expected) < 1e-7)
      }
    }
  }

  // MARK: Purity

  @Test("the same bits again, in any order, in batches and on any team")
  func pure() throws {
    let program = try CompiledProgram(ansatz: 5, layers: 2)
    let count = program.circuit.inputs.count
    var generator = TestGenerator(13)
    let sums = [PauliSum.random(qubits: 5, terms: 10, &generator)]
    let outputs: StepOutputs = [.values, .gradients, .stateVector]
    let numbers = StepBench.numbers(6 * count, seed: 8)
    let bench = try StepBench(program, sums, outputs: outputs)
    let batch = try bench.run(
      StepOrder(sequence: 9, rows: 6, outputs: outputs), numbers)
    for row in [4, 0, 5, 0, 1] {
      let alone = try bench.run(
        StepOrder(sequence: 1, outputs: outputs),
        Array(numbers[row * count..<(row + 1) * count]))
      #expect(alone.values[0] == batch.values[row])
      #expect(
        Array(alone.gradients) == Array(batch.gradients[row * count..<(row + 1) * count]))
      #expect(Array(alone.amplitudes) == Array(batch.amplitudes[row * 64..<(row + 1) * 64]))
    }
    for threads in [2, 4] {
      let team = try StepBench(program, sums, outputs: outputs, threads: threads)
      for _ in 0..<3 {
        let again = try team.run(StepOrder(sequence: 9, rows: 6, outputs: outputs), numbers)
        #expect(again == batch)
      }
    }
  }

  @Test("large states: the same bits on any team")
  func pureLarge() throws {
    let program = try CompiledProgram(ansatz: 15, layers: 1)
    let count = program.circuit.inputs.count
    var generator = TestGenerator(17)
    let sums = [PauliSum.random(qubits: 15, terms: 10, &generator)]
    let outputs: StepOutputs = [.values, .gradients]
    let numbers = StepBench.numbers(2 * count, seed: 2)
    let order = StepOrder(sequence: 1, rows: 2, outputs: outputs)
    let first = try StepBench(program, sums, outputs: outputs).run(order, numbers)
    for threads in [2, 3] {
      let bench = try StepBench(program, sums, outputs: outputs, threads: threads)
      #expect(try bench.run(order, numbers) == first)
    }
  }

  @Test("single precision stays near")
  func single() throws {
    let program = try CompiledProgram(ansatz: 6, layers: 2)
    let numbers = StepBench.numbers(program.circuit.inputs.count, seed: 6)
    var generator = TestGenerator(19)
    let sums = [PauliSum.random(qubits: 6, terms: 10, &generator)]
    let outputs: StepOutputs = [.values, .gradients]
    let order = StepOrder(sequence: 1, outputs: outputs)
    let double = try StepBench(program, sums, outputs: outputs).run(order, numbers)
    let single = try StepBench(program, sums, outputs: outputs, precision: .single)
      .run(order, numbers)
    #expect(abs(double.values[0] - single.values[0]) < 2e-4)
    for (a, b) in zip(double.gradients, single.gradients) { #expect(abs(a - b) < 2e-4) }
  }

  // MARK: Allocations

  @Test(
    "1,000 exact steps allocate nothing", .enabled(if: canCount),
    arguments: [4, 13], [StepOutputs.values, [.values, .gradients]])
  func allocations(qubits: Int, outputs: StepOutputs) throws {
    let program = try CompiledProgram(ansatz: qubits, layers: 2, extra: 1)
    try expectNoAllocation(program, qubits, outputs, steps: qubits > 8 ? 20 : 1000)
  }

  @Test(
    "expressions, many gates and several rows allocate nothing either", .enabled(if: canCount))
  func allocationsOfExpressions() throws {
    let program = try CompiledProgram(
      source: header + """
        input float[64] a;
        input float[64] b;
        qubit[3] q;
        h q; rx(2*a - b/3) q[0]; ry(sin(a)*exp(b)) q[1]; rz(pow(b, 3)) q[2]; U(a, b, a*b) q[1];
        cx q[0], q[1]; crx(a) q[1], q[2]; cp(b) q[0], q[2]; inv @ rz(cos(a)) q[0];
        """)
    try expectNoAllocation(program, 3, [.values, .gradients], steps: 200, rows: 3)
  }

  /// False under a sanitizer, which has its own allocator.
  private static let canCount: Bool = {
    let before = allocation_count()
    let answer = StepAnswer()
    answer.prepare(values: 10, standardErrors: 0, gradients: 0, amplitudes: 0)
    return StepNumbers(answer).values.count == 10 && allocation_count() > before
  }()

  private func expectNoAllocation(
    _ program: CompiledProgram, _ qubits: Int, _ outputs: StepOutputs, steps: Int, rows: Int = 1
  ) throws {
    var generator = TestGenerator(23)
    let sums = [PauliSum.random(qubits: qubits, terms: 30, &generator)]
    let bench = try StepBench(program, sums, outputs: outputs)
    var numbers = StepBench.numbers(rows * program.circuit.inputs.count, seed: 3)
    let answer = StepAnswer()
    var order = StepOrder(sequence: 1, rows: rows, outputs: outputs)
    _ = try bench.run(order, numbers, into: answer)
    var failure: QubusError?
    var allocations: UInt64 = 0
    numbers.withUnsafeMutableBufferPointer { numbers in
      let before = allocation_count()
      for step in 0..<steps {
        order.sequence = UInt64(step)
        numbers[step % numbers.count] += 1e-3
        do throws(QubusError) {
          try bench.evaluator.evaluate(
            order, parameters: UnsafeBufferPointer(numbers), into: answer, bench.context)
        } catch { failure = error }
      }
      allocations = allocation_count() - before
    }
    #expect(failure == nil && allocations == 0)
  }
}
