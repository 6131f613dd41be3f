import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import QubusSimulator
import Testing

@Suite("Measurement on the way and classical control")
struct ClassicalControlTests {
  private static let angle = 0.9

  private static var teleportation: Circuit {
    Circuit(
      qubits: 3, bits: 3,
      [
        .apply(.ry, 0, [angle]), .apply(.h, 1), .apply(.x, 2, control: 1),
        .apply(.x, 1, control: 0), .apply(.h, 0), .measure(0), .measure(1),
        .when(1, [.apply(.x, 2)]), .when(0, [.apply(.z, 2)]), .measure(2),
      ])
  }

  /// Prepares |1⟩ with probability 1/4 a try, tries until it is there.
  private static var repeatUntilSuccess: Circuit {
    Circuit(
      qubits: 1, bits: 1,
      [
        .whileLoop(
          condition: .unary(.not, .bit(0)),
          body: [.reset(qubit: 0), .apply(.ry, 0, [.pi / 3]), .measure(0)])
      ])
  }

  @Test("teleportation moves the state (false alarm 2e-9)")
  func teleportation() throws {
    let counts = try #require(try Workbench(threads: 2).shots(Self.teleportation, 20_000).counts)
    let ones = counts.table.filter { $0.key.first == "1" }.values.reduce(0, +)
    let probability = (1 - Double.cosine(Self.angle)) / 2
    #expect(isPlausible(ones, of: 20_000, probability: probability))
  }

  @Test("exact probabilities follow every branch of teleportation")
  func teleportationExactly() throws {
    let result = try Workbench().exact(Self.teleportation, ExactOutputs(probabilities: true))
    let probabilities = try #require(result.probabilities)
    let one = (1 - Double.cosine(Self.angle)) / 2
    for outcome in 0..<8 {
      let expected = (outcome & 4 == 0 ? 1 - one : one) / 4
      #expect(abs(probabilities[outcome] - expected) < 1e-14)
    }
  }

  @Test("repeat until success ends with success in every shot, and exactly")
  func repeatUntilSuccess() throws {
    let result = try Workbench(threads: 2).shots(Self.repeatUntilSuccess, 2000)
    #expect(result.counts?.table == ["1": 2000])
    let exact = try Workbench().exact(Self.repeatUntilSuccess, ExactOutputs(probabilities: true))
    let probabilities = try #require(exact.probabilities)
    #expect(abs(probabilities[1] - 1) < 1e-12 && probabilities[0] == 0)
  }

  @Test("a loop that cannot end is refused by the limit of iterations")
  func endlessLoop() throws {
    let circuit = Circuit(
      qubits: 1, bits: 1,
      [
        .apply(.h, 0), .measure(0),
        .whileLoop(condition: .constant(.bool(true)), body: [.assignBit(.bit(0), .bit(0))]),
      ])
    let error = #expect(throws: QubusError.self) { try Workbench().shots(circuit, 1) }
    #expect(error?.code == .loopLimitExceeded)
    #expect(error?.message.contains("\(Limits().whileIterations)") == true)
  }

  @Test("a static endless loop is refused when the row is bound")
  func endlessStaticLoop() throws {
    let circuit = Circuit(
      qubits: 1, [.whileLoop(condition: .constant(.bool(true)), body: [])])
    let error = #expect(throws: QubusError.self) { try Workbench().open(circuit) }
    #expect(error?.code == .loopLimitExceeded)
  }

  @Test("reset frees a qubit from its partner, which keeps its outcome (false alarm 2e-9)")
  func reset() throws {
    let circuit = Circuit(
      qubits: 2, bits: 2,
      [.apply(.h, 0), .apply(.x, 1, control: 0), .reset(qubit: 0), .measure(0), .measure(1)])
    let counts = try #require(try Workbench().shots(circuit, 10_000).counts)
    #expect(Set(counts.table.keys) == ["00", "10"])
    #expect(isPlausible(counts["10"], of: 10_000, probability: 0.5))
  }

  @Test("a discarded measurement still destroys interference (false alarm 2e-9)")
  func discardedMeasurement() throws {
    let circuit = Circuit(
      qubits: 1, bits: 1,
      [.apply(.h, 0), .measure(qubit: 0, into: nil), .apply(.h, 0), .measure(0)])
    let counts = try #require(try Workbench().shots(circuit, 10_000).counts)
    #expect(isPlausible(counts["1"], of: 10_000, probability: 0.5))
    let exact = try Workbench().exact(circuit, ExactOutputs(probabilities: true)).probabilities
    #expect(abs((exact?[1] ?? 0) - 0.5) < 1e-15)
  }

  @Test("control that reads no outcome is resolved: one evolution, exact state allowed")
  func staticControl() throws {
    var circuit = Circuit(
      qubits: 2, bits: 2,
      [
        .reset(qubit: 0), .reset(qubit: 1), .assignBit(.bit(1), .constant(.bool(true))),
        .branch(condition: .bit(1), then: [.apply(.x, 0)], otherwise: [.apply(.x, 1)]),
        .forLoop(
          variable: 0, first: .constant(.int(0, width: 32)), step: .constant(.int(2, width: 32)),
          last: .constant(.int(6, width: 32)),
          body: [
            .select(
              .variable(0),
              cases: [
                SwitchCase(values: [2], body: [.continueLoop]),
                SwitchCase(values: [6], body: [.breakLoop]),
              ], otherwise: []),
            .apply(.x, 1),
          ]),
        .measure(0, 0), .end, .apply(.x, 0),
      ])
    circuit.variables = [
      ClassicalVariable(name: "i", type: .int(width: 32), initial: .int(0, width: 32))
    ]
    // i = 0 and 4 flip qubit 1, 2 continues, 6 breaks.
    let state = try Workbench().state(circuit)
    #expect(state == [.zero, .one, .zero, .zero])
    #expect(try Workbench().shots(circuit, 10).counts?.table == ["11": 10])
  }

  @Test("inputs bind angles, and an angle that is not a number is refused by its place")
  func inputs() throws {
    var circuit = Circuit(
      qubits: 1, bits: 1,
      [.gate(GateApplication(.rx, [.input(0)], targets: [0])), .measure(0)])
    circuit.inputs = [InputParameter(name: "theta", type: .float(width: 64))]
    let counts = try Workbench().shots(circuit, 10, inputs: [.float(.pi)]).counts
    #expect(counts?.table == ["1": 10])
    for bad in [Double.nan, .infinity] {
      let error = #expect(throws: QubusError.self) {
        try Workbench().shots(circuit, 10, inputs: [.float(bad)])
      }
      #expect(error?.code == .invalidParameterValue)
      #expect(error?.message.contains("parameter 1 of gate rx") == true)
    }
    let missing = #expect(throws: QubusError.self) { try Workbench().shots(circuit, 10) }
    #expect(missing?.code == .parameterCountMismatch)
  }

  @Test("exact state and expectation values of a program that measures on its way are refused")
  func refusedOutputs() throws {
    let observable = PauliSum(qubitCount: 3, terms: [PauliTerm(x: 0, z: 1, coefficient: 1)])
    for outputs in [ExactOutputs(stateVector: true), ExactOutputs(observables: [observable])] {
      let error = #expect(throws: QubusError.self) {
        try Workbench().exact(Self.teleportation, outputs)
      }
      #expect(error?.code == .invalidOutputs)
    }
  }

  @Test("a program that branches too often is refused exact probabilities, naming the limit")
  func tooManyBranches() throws {
    let circuit = Circuit(
      qubits: 1, bits: 1,
      (0..<40).flatMap { _ -> [Operation] in [.apply(.h, 0), .measure(0)] })
    let error = #expect(throws: QubusError.self) {
      try Workbench().exact(circuit, ExactOutputs(probabilities: true))
    }
    #expect(error?.code == .invalidOutputs)
    #expect(error?.violations.first?.limit.contains("branches") == true)
  }

  @Test(
    "exact branching agrees with sampling on random programs (false alarm 1e-7)",
    arguments: 0..<8)
  func exactAgainstSampled(seed: Int) throws {
    var generator = SeededGenerator(seed: 77 + UInt64(seed))
    var circuit = Circuit.random(qubits: 3, gates: 8, &generator)
    circuit.bitCount = 3
    circuit.operations += [.measure(0), .when(0, [.apply(.h, 1)]), .reset(qubit: 2)]
    circuit.operations += Circuit.random(qubits: 3, gates: 6, &generator).operations
    circuit.operations += [.measure(1), .measure(2)]
    let exact = try #require(
      try Workbench().exact(circuit, ExactOutputs(probabilities: true)).probabilities)
    #expect(abs(exact.reduce(0, +) - 1) < 1e-12)
    let counts = try #require(try Workbench(threads: 2).shots(circuit, 20_000).counts)
    for (index, key) in counts.keys.enumerated() {
      #expect(
        isPlausible(counts.values[index], of: 20_000, probability: exact[Int(key)]), "seed \(seed)")
    }
  }
}

extension Double {
  fileprivate static func cosine(_ angle: Double) -> Double {
    Gate.ry.matrix([2 * angle])[0, 0].re
  }
}
