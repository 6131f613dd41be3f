import Logging
import QubusCore
import QubusDevices
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
    let clock = SystemClock()
    var configuration = EngineConfiguration()
    configuration.computeThreads = threads
    // Everything is large, so that all threads work on it.
    configuration.interactiveSeconds = 0
    configuration.allCoresSeconds = 0
    let codec = FakeCodec()
    let store = FakeStore(clock: clock)
    let engine = Engine(
      configuration: configuration, store: store, codec: codec, devices: [StateVectorDevice()],
      programs: .openQASM(bytes: 1 << 20, limits: configuration.limits), clock: clock,
      identifiers: IdentifierSource(clock: clock),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try engine.start()
    let context = CallContext(
      principal: EngineHarness.alice, clientVersion: "test/1", traceID: "t")
    let spec = EngineHarness.spec(source, shots: shots) { $0.execution.seed = 42 }
    let report = await withCheckedContinuation { continuation in
      engine.submit(
        spec, request: codec.encode(spec), context: context,
        completion: { continuation.resume(returning: $0) })
    }
    let id = try report.get().job.record.id
    let ended = Monitor(false)
    let watch = try engine.observe(id, context: context) { _, status in
      if status.isTerminal { ended.signal { $0 = true } }
    }
    await onThread { ended.wait { $0 ? () : nil } }
    watch.end()
    let (_, manifest, _) = try engine.result(id, context: context)
    func words(_ name: String) throws -> [UInt64] {
      let index = try #require(manifest.items.firstIndex { $0.name == name })
      var bytes: [UInt8] = []
      for chunk in manifest.items[index].chunks.indices {
        bytes += try engine.resultChunk(id, item: index, chunk: chunk, context: context)
      }
      return stride(from: 0, to: bytes.count, by: 8).map { start in
        (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[start + $1]) << UInt64(8 * $1) }
      }
    }
    let outcome = Outcome(
      keys: try words("counts.keys"), values: try words("counts.values"),
      hash: manifest.executionHash)
    await onThread { engine.stop() }
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
