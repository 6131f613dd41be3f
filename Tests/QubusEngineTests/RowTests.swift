import QubusCore
import QubusDevices
import QubusJobs
import Testing

@testable import QubusEngine

/// Many rows of small circuits: threads take rows of their own.
@Suite struct RowTests {
  private static let source = """
    OPENQASM 3; include "stdgates.inc";
    input float a; input float b;
    qubit[4] q; bit[4] c;
    for int k in [0:3] { ry(a * k + b) q[k]; }
    cx q[0], q[1]; cx q[1], q[2]; crz(b) q[2], q[3]; rx(a) q[3];
    c = measure q;
    """

  @Test("planning's memory counts for each thread that runs rows of its own, and is refused")
  func planningMemory() async throws {
    var source = "OPENQASM 3; include \"stdgates.inc\"; input float a; qubit[4] q; bit[4] c;\n"
    for index in 0..<20_000 { source += "rx(a) q[\(index % 4)];\n" }
    source += "c = measure q;"
    func spec(_ rows: Int) -> JobSpec {
      EngineHarness.spec(source, shots: 10) { spec in
        spec.pubs[0].parameters = [
          ParameterArray(name: "a", shape: [rows], values: [Double](repeating: 0.1, count: rows))
        ]
      }
    }
    let harness = try RealHarness { $0.computeThreads = 2 }
    let one = try harness.engine.preparation.prepare(spec(1))
    let many = try harness.engine.preparation.prepare(spec(50))
    let plan = one.pubs[0].estimate.planBytes
    #expect(plan > 10_000_000)
    #expect(many.memoryBytes - one.memoryBytes >= plan)
    #expect(many.memoryBytes - one.memoryBytes < 2 * plan)
    let limit = many.memoryBytes - 1
    let tight = try RealHarness {
      $0.computeThreads = 2
      $0.memoryBytes = limit
    }
    #expect(throws: Never.self) { try tight.engine.preparation.prepare(spec(1)) }
    let error = #expect(throws: QubusError.self) { try tight.engine.preparation.prepare(spec(50)) }
    #expect(error?.code == .insufficientMemory)
    #expect(error?.message.contains("\(many.memoryBytes) bytes") == true)
    #expect(error?.message.contains("\(limit) bytes") == true)
    await harness.stop()
    await tight.stop()
  }

  private func spec(rows: Range<Int>, precision: NumericPrecision = .double) -> JobSpec {
    EngineHarness.spec(Self.source, shots: 200) { spec in
      spec.execution.seed = 11
      spec.execution.precision = precision
      spec.pubs[0].outputs = [.counts, .memory, .probabilities]
      spec.pubs[0].parameters = ["a", "b"].enumerated().map { index, name in
        ParameterArray(
          name: name, shape: [rows.count],
          values: rows.map { 0.1 + 0.37 * Double($0) + Double(index) })
      }
    }
  }

  private func run(
    _ spec: JobSpec, threads: Int
  ) async throws -> (manifest: ResultManifest, provenance: Provenance) {
    let harness = try RealHarness {
      $0.computeThreads = threads
      $0.interactiveSeconds = 0
      $0.immediateSeconds = 0
      $0.allCoresSeconds = 0
    }
    let report = await withCheckedContinuation { continuation in
      harness.engine.submit(
        spec, request: harness.codec.encode(spec), context: harness.context,
        completion: { continuation.resume(returning: $0) })
    }
    let id = try report.get().job.record.id
    let record = try await harness.finished(id)
    #expect(record.status == .succeeded)
    let (_, manifest, provenance) = try harness.engine.result(id, context: harness.context)
    await harness.stop()
    return (manifest, provenance)
  }

  @Test("rows have the same bits in the same order on one, two and three threads")
  func threads() async throws {
    let one = try await run(spec(rows: 0..<301), threads: 1)
    for threads in [2, 3] {
      let other = try await run(spec(rows: 0..<301), threads: threads)
      #expect(other.manifest.executionHash == one.manifest.executionHash)
      #expect(other.manifest.items.map(\.sha256) == one.manifest.items.map(\.sha256))
      #expect(other.provenance.compileOptions == one.provenance.compileOptions)
    }
    #expect(one.manifest.shotsDone == 301 * 200)
    #expect(one.provenance.compileOptions["plan.0"]?.count == 64)
  }

  @Test("single precision is named, reports its drift, and gives other bits than double")
  func precision() async throws {
    let double = try await run(spec(rows: 0..<5), threads: 1)
    let single = try await run(spec(rows: 0..<5, precision: .single), threads: 1)
    #expect(double.provenance.numericPrecision == "double")
    #expect(single.provenance.numericPrecision == "single")
    #expect(single.provenance.fingerprint != double.provenance.fingerprint)
    #expect(single.manifest.executionHash != double.manifest.executionHash)
    let drift = try #require(single.manifest.pubs[0].normDrift)
    #expect(drift > 1e-12 && drift < 2e-5)
    #expect(try #require(double.manifest.pubs[0].normDrift) < 1e-13)
  }
}
