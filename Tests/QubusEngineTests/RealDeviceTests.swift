import QubusCore
import QubusJobs
import Testing

@testable import QubusEngine

/// The engine with the state vector and the OpenQASM front end.
@Suite struct RealDeviceTests {
  struct Outcome: Equatable {
    var keys: [UInt64]
    var values: [UInt64]
    var hash: [UInt8]
  }

  func outcome(_ source: String, shots: Int64, threads: Int) async throws -> Outcome {
    // Everything is large, so that all threads work on it.
    let harness = try RealHarness {
      $0.computeThreads = threads
      $0.interactiveSeconds = 0
      $0.allCoresSeconds = 0
    }
    let id = try await harness.submitted(source, shots: shots, seed: 42)
    try await harness.finished(id)
    let (_, manifest, _) = try harness.engine.result(id, context: harness.context)
    let outcome = Outcome(
      keys: try harness.words(id, "counts.keys"), values: try harness.words(id, "counts.values"),
      hash: manifest.executionHash)
    await harness.stop()
    return outcome
  }

  static func layers(_ qubits: Int, _ depth: Int) -> String {
    var source = "OPENQASM 3;\ninclude \"stdgates.inc\";\nqubit[\(qubits)] q;\nbit[\(qubits)] c;\n"
    for layer in 0..<depth {
      for qubit in 0..<qubits {
        let angle = 0.1 + 0.37 * Double(layer) + 0.0137 * Double(qubit)
        source += "u3(\(angle), \(angle * 0.7), \(angle * 0.3)) q[\(qubit)];\n"
      }
      for qubit in stride(from: layer % 2, to: qubits - 1, by: 2) {
        source += "cx q[\(qubit)], q[\(qubit + 1)];\n"
      }
    }
    return source + "c = measure q;\n"
  }

  @Test("18 qubits with angles of no dyadic fraction give the same bits on one and two threads")
  func threads() async throws {
    let source = Self.layers(18, 4)
    let one = try await outcome(source, shots: 100_003, threads: 1)
    let two = try await outcome(source, shots: 100_003, threads: 2)
    #expect(one == two)
    #expect(one.values.reduce(0, +) == 100_003)
    #expect(one.keys.count > 1000)
  }

  @Test("mid-circuit measurement and feedback give the same bits on one and two threads")
  func midCircuit() async throws {
    let source = """
      OPENQASM 3; include "stdgates.inc";
      qubit[3] q; bit[3] c; bit m;
      ry(1.234) q[0]; cx q[0], q[1];
      m = measure q[0];
      if (m) { rx(0.77) q[1]; h q[2]; } else { ry(0.31) q[2]; }
      reset q[0]; h q[0];
      c = measure q;
      """
    let one = try await outcome(source, shots: 20_011, threads: 1)
    let two = try await outcome(source, shots: 20_011, threads: 2)
    #expect(one == two)
    #expect(one.values.reduce(0, +) == 20_011)
    #expect(one.keys.count >= 8)
  }
}
