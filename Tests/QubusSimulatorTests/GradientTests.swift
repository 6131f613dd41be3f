import Foundation
import QubusCircuit
import QubusCompiler
import QubusCore
import QubusQASM
import Testing

@testable import QubusSimulator

extension CompiledProgram {
  convenience init(source: String) throws {
    let circuit = try OpenQASM.compile(source)
    self.init(circuit: circuit, programHash: [], circuitHash: [])
  }

  /// Layers of ry and rz on every qubit with a chain of CX between them; one input an angle.
  convenience init(ansatz qubits: Int, layers: Int, extra: Int = 0) throws {
    var body = ""
    var count = 0
    for layer in 0..<layers {
      for gate in ["ry", "rz"] {
        for qubit in 0..<qubits {
          body += "\(gate)(t\(count)) q[\(qubit)];\n"
          count += 1
        }
      }
      if layer < layers - 1 || extra > 0 {
        for qubit in 0..<qubits - 1 { body += "cx q[\(qubit)], q[\(qubit + 1)];\n" }
      }
    }
    for qubit in 0..<extra {
      body += "ry(t\(count)) q[\(qubit)];\n"
      count += 1
    }
    let inputs = (0..<count).map { "input float[64] t\($0);\n" }.joined()
    try self.init(
      source: "OPENQASM 3.0;\ninclude \"stdgates.inc\";\n\(inputs)qubit[\(qubits)] q;\n\(body)")
  }
}

@Suite struct GradientTests {
  private func value(
    _ program: CompiledProgram, _ sum: PauliSum, _ inputs: [Value], _ context: KernelContext
  ) throws -> Double {
    let bound = try BoundProgram(program, inputs: inputs, cancellation: context.cancellation)
    let plan = try Planner.plan(
      bound.gates, qubitCount: program.circuit.qubitCount, precision: .double)
    let state = try BlockedState(qubitCount: program.circuit.qubitCount, precision: .double)
    try PlanExecutor(plan, threadCount: 1).run(
      try PlanBinding(plan, bound.gates).numbers, on: state, context)
    return try state.expectation(
      PreparedPauliSum(sum, positions: plan.finalPositions), context)
  }

  /// Central differences of fourth order: error about 1e-11 at this step.
  private func differences(
    _ program: CompiledProgram, _ sum: PauliSum, _ inputs: [Value], _ context: KernelContext
  ) throws -> [Double] {
    try inputs.indices.map { index in
      let step = 1e-3
      let shifted = try [-2.0, -1, 1, 2].map { count in
        var row = inputs
        row[index] = .float(inputs[index].real + count * step)
        return try value(program, sum, row, context)
      }
      return (shifted[0] - 8 * shifted[1] + 8 * shifted[2] - shifted[3]) / (12 * step)
    }
  }

  private func check(_ source: String, _ values: [Double], seed: UInt64) throws {
    let program = try CompiledProgram(source: source)
    let qubits = program.circuit.qubitCount
    let inputs = values.map { Value.float($0) }
    let wanted = [Bool](repeating: true, count: values.count)
    let context = KernelContext.test()
    var generator = TestGenerator(seed)
    let sum = PauliSum.random(qubits: qubits, terms: 12, &generator)
    let gradient = try AdjointGradient(
      program, sum, inputs: inputs, wanted: wanted, precision: .double, context)
    let (found, slopes) = try gradient.evaluate(inputs, context)
    #expect(abs(found - (try value(program, sum, inputs, context))) < 1e-12)
    let expected = try differences(program, sum, inputs, context)
    let size = expected.map(abs).max() ?? 0
    for (slope, difference) in zip(slopes, expected) {
      #expect(abs(slope - difference) < 1e-7 * max(size, 1e-3), "\(source)")
    }
    // Shifted circuits give the same.
    let rule = try ParameterShift(
      program, inputs: inputs, wanted: wanted, cancellation: context.cancellation)
    let base = try rule.gates(inputs, nil)
    let plan = try Planner.plan(base, qubitCount: qubits, precision: .double)
    let executor = try PlanExecutor(plan, threadCount: 1)
    var binding = try PlanBinding(plan, base)
    let state = try BlockedState(qubitCount: qubits, precision: .double)
    let prepared = PreparedPauliSum(sum, positions: plan.finalPositions)
    let shifted = try rule.evaluations.map { evaluation in
      try binding.update(try rule.gates(inputs, evaluation))
      try executor.run(binding.numbers, on: state, context)
      return try state.expectation(prepared, context)
    }
    let fromShifts = try rule.gradient(shifted, inputs)
    for (slope, other) in zip(slopes, fromShifts) { #expect(abs(slope - other) < 1e-10) }
  }

  private let header = "OPENQASM 3.0;\ninclude \"stdgates.inc\";\n"

  @Test(
    "every rotation of the gate table, plain and controlled",
    arguments: [
      "rx(a) q[1];", "ry(a) q[0];", "rz(a) q[2];", "p(a) q[1];", "U(a, b, a*b) q[1];",
      "crx(a) q[0], q[2];", "cry(a) q[2], q[1];", "crz(b) q[0], q[1];", "cp(a) q[1], q[2];",
      "ctrl(2) @ rx(a) q[0], q[1], q[2];", "negctrl @ ry(b) q[1], q[0];",
      "ctrl @ gphase(a) q[1];", "inv @ rz(a) q[0]; inv @ U(b, a, b) q[2];", "pow(3) @ rx(a) q[0];",
      "cu(a, b, 0.3, a) q[0], q[1];",
    ])
  func rotations(gates: String) throws {
    let source =
      header
        + """
        input float[64] a;
        input float[64] b;
        qubit[3] q;
        h q; t q[0]; cx q[0], q[1]; s q[1]; ry(0.4) q[2]; cx q[1], q[2];
        \(gates)
        sx q[0]; cx q[2], q[0]; rz(0.7) q[1]; h q[1]; swap q[0], q[2]; ry(b) q[0];
        """
    try check(source, [0.37, -1.1], seed: 3)
  }

  @Test("parameters shared by gates and under arithmetic")
  func sharedParameters() throws {
    let source =
      header
        + """
        input float[64] a;
        input float[64] b;
        input angle[32] c;
        qubit[4] q;
        h q;
        rx(2*a - b/3) q[0]; ry(sin(a)*exp(b)) q[1]; rz(sqrt(a+2)) q[2]; rz(a**2) q[0];
        cx q[0], q[3]; ry(arctan(b) + cos(a*b)) q[3]; rx(log(a+3)) q[3]; rz(pow(b, 3)) q[3];
        cx q[3], q[1]; for int i in [1:3] { rx(i*a) q[i]; rz(b) q[i]; }
        ry(tan(a/2) - arcsin(b/2)) q[2]; crx(a) q[1], q[2]; rz(arccos(b/4)) q[0];
        """
    let program = try CompiledProgram(
      source: source.replacingOccurrences(of: "input angle[32] c;", with: ""))
    #expect(program.circuit.inputs.count == 2)
    try check(
      source.replacingOccurrences(of: "input angle[32] c;", with: ""), [0.37, -0.8], seed: 5)
  }

  @Test("an ansatz above one chunk, the same for any threads", arguments: [5, 13])
  func ansatz(qubits: Int) throws {
    let program = try CompiledProgram(ansatz: qubits, layers: 2, extra: qubits / 2)
    let count = program.circuit.inputs.count
    var generator = TestGenerator(9)
    let inputs = (0..<count).map { _ in Value.float(2 * generator.real()) }
    let wanted = [Bool](repeating: true, count: count)
    let sum = PauliSum.random(qubits: qubits, terms: 10, &generator)
    let context = KernelContext.test()
    let gradient = try AdjointGradient(
      program, sum, inputs: inputs, wanted: wanted, precision: .double, context)
    let first = try gradient.evaluate(inputs, context)
    let expected = try differences(program, sum, inputs, context)
    let size = expected.map(abs).max() ?? 0
    for (slope, difference) in zip(first.gradient, expected) {
      #expect(abs(slope - difference) < 1e-7 * size)
    }
    for threads in [2, 4] {
      let team = KernelContext.test(threads: threads)
      let other = try AdjointGradient(
        program, sum, inputs: inputs, wanted: wanted, precision: .double, team)
      let again = try other.evaluate(inputs, team)
      #expect(again.value == first.value && again.gradient == first.gradient)
    }
    // Another row of a prepared gradient is as good as a new one.
    let shifted = inputs.map { Value.float($0.real + 0.3) }
    let reused = try gradient.evaluate(shifted, context)
    let fresh = try AdjointGradient(
      program, sum, inputs: shifted, wanted: wanted, precision: .double, context
    ).evaluate(shifted, context)
    #expect(reused.value == fresh.value && reused.gradient == fresh.gradient)
    let single = try AdjointGradient(
      program, sum, inputs: inputs, wanted: wanted, precision: .single, context
    ).evaluate(inputs, context)
    for (a, b) in zip(single.gradient, first.gradient) { #expect(abs(a - b) < 2e-5 * size) }
  }

  @Test(
    "use without a derivative is refused",
    arguments: [
      "rx(floor(a)) q[0];", "rx(float[64](int[32](a))) q[0];", "if (a > 0.2) { x q[0]; }",
      "float[64] t = 2*a; rx(t) q[0];", "pow(a) @ x q[0];",
      "bit c; c = measure q[0]; if (c) { rx(a) q[0]; }",
    ])
  func refusals(gates: String) throws {
    let program = try CompiledProgram(
      source: header + "input float[64] a;\nqubit[2] q;\nh q;\n\(gates)\nrx(a) q[1];")
    let context = KernelContext.test()
    let sum = PauliSum(qubitCount: 2, terms: [PauliTerm(x: 0, z: 1, coefficient: 1)])
    let error = #expect(throws: QubusError.self) {
      try AdjointGradient(
        program, sum, inputs: [.float(0.4)], wanted: [true], precision: .double, context
      ).evaluate([.float(0.4)], context)
    }
    #expect(
      error?.code == .unsupportedProgramFeature || error?.code == .invalidOutputs)
  }

  @Test("inputs that are not wanted cost nothing and may be used in any way")
  func unwantedInputs() throws {
    let program = try CompiledProgram(
      source: header
        + "input float[64] a;\ninput int[32] k;\nqubit[1] q;\nrx(a*k) q[0];\n"
        + "if (k > 2) { ry(floor(k/2)) q[0]; }"
    )
    let context = KernelContext.test()
    let sum = PauliSum(qubitCount: 1, terms: [PauliTerm(x: 0, z: 1, coefficient: 1)])
    let inputs: [Value] = [.float(0.4), .int(2, width: 32)]
    let result = try AdjointGradient(
      program, sum, inputs: inputs, wanted: [true, false], precision: .double, context
    ).evaluate(inputs, context)
    #expect(abs(result.value - cos(0.8)) < 1e-14)
    #expect(abs(result.gradient[0] + 2 * sin(0.8)) < 1e-14 && result.gradient[1] == 0)
  }
}
