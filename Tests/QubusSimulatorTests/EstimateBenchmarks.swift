import Foundation
import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import QubusSimulator
import Testing

/// Predicted against actual times: printed for people, since no test may depend on time.
@Suite(
  "Measured: estimates against times", .serialized,
  .enabled(if: ProcessInfo.processInfo.environment["QUBUS_MEASURE"] != nil))
struct EstimateBenchmarks {
  private static func ghz(_ qubits: Int) -> Circuit {
    var circuit = Circuit(qubits: qubits, bits: qubits, [.apply(.h, 0)])
    for qubit in 1..<qubits { circuit.operations.append(.apply(.x, qubit, control: qubit - 1)) }
    for qubit in 0..<qubits { circuit.operations.append(.measure(qubit)) }
    return circuit
  }

  private static func qft(_ qubits: Int) -> Circuit {
    var circuit = Circuit(qubits: qubits, bits: qubits)
    for qubit in (0..<qubits).reversed() {
      circuit.operations.append(.apply(.h, qubit))
      for other in 0..<qubit {
        let angle = Double.pi / Double(1 << (qubit - other))
        circuit.operations.append(
          .gate(
            GateApplication(
              .phase, [.radians(angle)], targets: [qubit], controls: [Control(other)])))
      }
    }
    for qubit in 0..<qubits { circuit.operations.append(.measure(qubit)) }
    return circuit
  }

  private static func midCircuit(_ qubits: Int) -> Circuit {
    var circuit = Circuit.layered(qubits: qubits, depth: 4, measured: false)
    circuit = Circuit(qubits: qubits, bits: 3, circuit.operations)
    for bit in 0..<3 {
      circuit.operations.append(.measure(bit))
      circuit.operations.append(.apply(.h, bit))
      circuit.operations.append(.apply(.x, bit + 1, control: bit))
    }
    return circuit
  }

  private func measure(
    _ name: String, _ circuit: Circuit, _ precision: Precision, shots: UInt64
  ) throws {
    let device = StateVectorDevice()
    let program = ProgramCompiler.compile(circuit, source: [UInt8]())
    let estimate = try device.estimate(
      program, precision: precision, outputs: ExactOutputs(), wantsShots: true,
      memoryLimitBytes: 8 << 30)
    let predicted = estimate.seconds(rows: 1, shots: shots)
    let team = ComputeTeam(threadCount: predicted > 0.05 ? 2 : 1)
    var best = Double.infinity
    for _ in 0..<(predicted > 0.2 ? 2 : 5) {
      let start = ContinuousClock.now
      let execution = try StateVectorDevice().open(
        program, inputs: [], precision: precision, seed: 1, team: team,
        cancellation: CancellationFlag())
      var first: UInt64 = 0
      while first < shots {
        let count = min(estimate.shotsPerChunk, shots - first)
        _ = try execution.run(.shots(first: first, count: count, memory: false))
        first += count
      }
      best = min(best, (ContinuousClock.now - start) / .seconds(1))
    }
    print(
      "estimate \(name) \(circuit.qubitCount) \(precision) shots \(shots): gates",
      program.analysis.gateCount, String(format: "predicted %.3g actual %.3g", predicted, best),
      String(format: "ratio %.2f", predicted / best))
  }

  @Test(arguments: [4, 8, 12, 16, 20, 22, 24, 26])
  func states(qubits: Int) throws {
    for precision in [Precision.double, .single] {
      try measure("ghz", Self.ghz(qubits), precision, shots: 1)
      try measure("qft", Self.qft(qubits), precision, shots: 1)
      try measure("layered20", .layered(qubits: qubits, depth: 20), precision, shots: 1)
    }
    if qubits <= 24 {
      try measure("layered4", .layered(qubits: qubits, depth: 4), .double, shots: 1_000_000)
    }
    if qubits >= 4, qubits <= 22 {
      try measure("mid", Self.midCircuit(qubits), .double, shots: 1)
      try measure("mid", Self.midCircuit(qubits), .double, shots: 1000)
      try measure("mid", Self.midCircuit(qubits), .double, shots: 100_000)
    }
  }
}
