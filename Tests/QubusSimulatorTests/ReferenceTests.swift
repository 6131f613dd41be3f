import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import QubusSimulator
import Testing

@Suite("State vector against the dense reference")
struct ReferenceTests {
  @Test("random circuits over the whole gate table agree to 1e-12", arguments: 0..<60)
  func randomCircuits(seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    let qubits = 1 + seed % 6
    let circuit = Circuit.random(qubits: qubits, gates: 40, &generator)
    let state = try Workbench().state(circuit)
    let reference = DenseReference.run(circuit)
    let distance = zip(state, reference).map { ($0 - $1).squaredMagnitude }.max() ?? 1
    #expect(distance.squareRoot() < 1e-12, "seed \(seed)")
  }

  @Test("every gate agrees on every placement of targets and one control", arguments: Gate.allCases)
  func placements(gate: Gate) throws {
    let qubits = 4
    var generator = SeededGenerator(seed: UInt64(gate.rawValue))
    let preparation = Circuit.layered(qubits: qubits, depth: 2, measured: false)
    for control in [nil, Control(0), Control(3, isPositive: false)] as [Control?] {
      for first in 0..<qubits {
        for second in 0..<qubits where second != first {
          let targets = Array([first, second].prefix(gate.targetCount))
          if let control, targets.contains(control.qubit) { continue }
          let angles = (0..<gate.parameterCount).map { _ in
            Double.random(in: -4...4, using: &generator)
          }
          var circuit = preparation
          circuit.operations.append(
            .gate(
              GateApplication(
                gate, angles.map { .radians($0) }, targets: targets,
                controls: control.map { [$0] } ?? [])))
          let state = try Workbench().state(circuit)
          let reference = DenseReference.run(circuit)
          let distance = zip(state, reference).map { ($0 - $1).squaredMagnitude }.max() ?? 1
          #expect(distance < 1e-24, "targets \(targets), control \(String(describing: control))")
        }
      }
    }
  }

  @Test("expectation values of random Pauli sums agree to 1e-12", arguments: 0..<20)
  func expectations(seed: Int) throws {
    var generator = SeededGenerator(seed: 1000 + UInt64(seed))
    let qubits = 1 + seed % 5
    let circuit = Circuit.random(qubits: qubits, gates: 20, &generator)
    let terms = (0..<12).map { _ in
      PauliTerm(
        x: UInt64.random(in: 0..<1 << UInt64(qubits), using: &generator),
        z: UInt64.random(in: 0..<1 << UInt64(qubits), using: &generator),
        coefficient: Double.random(in: -2...2, using: &generator))
    }
    let observable = PauliSum(qubitCount: qubits, terms: terms)
    let result = try Workbench().exact(circuit, ExactOutputs(observables: [observable]))
    let reference = DenseReference.run(circuit)
    let expected = terms.reduce(0) {
      $0 + $1.coefficient * DenseReference.expectation($1, reference)
    }
    let value = try #require(result.expectationValues?.first)
    #expect(abs(value - expected) < 1e-12, "seed \(seed)")
  }

  @Test("1 and 2 threads give the same bits on 18 qubits: state, energy, samples")
  func threadParity() throws {
    let circuit = Circuit.layered(qubits: 18, depth: 3)
    let observable = PauliSum(
      qubitCount: 18,
      terms: (0..<18).map { PauliTerm(x: 1 << $0, z: 3 << $0 & 0x3FFFF, coefficient: 0.3) })
    let outputs = ExactOutputs(probabilities: true, stateVector: true, observables: [observable])
    var results: [(exact: ChunkResult, shots: ChunkResult)] = []
    for threads in [1, 2, 3] {
      let bench = Workbench(threads: threads)
      results.append(
        (try bench.exact(circuit, outputs), try bench.shots(circuit, 50_000, memory: true)))
    }
    for other in results.dropFirst() {
      #expect(other.exact.stateVector == results[0].exact.stateVector)
      #expect(other.exact.probabilities == results[0].exact.probabilities)
      #expect(other.exact.expectationValues == results[0].exact.expectationValues)
      #expect(other.exact.normDrift == results[0].exact.normDrift)
      #expect(other.shots.counts == results[0].shots.counts)
      #expect(other.shots.memory == results[0].shots.memory)
    }
  }
}
