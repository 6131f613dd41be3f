import Logging
import QubusCore
import QubusDevices
import QubusJobs
import Testing

@testable import QubusEngine

/// Cost of the engine itself, with a store that does not wait for a disk. Run alone:
/// `QUBUS_MEASURE=1 swift test --filter LatencyTests`.
@Suite(.enabled(if: isMeasuring), .serialized) struct LatencyTests {
  @Test("a Bell job takes 30 µs to submit on the caller's thread and 400 µs to its counts")
  func bell() async throws {
    let bell = """
      OPENQASM 3; include "stdgates.inc"; qubit[2] q; bit[2] c;
      h q[0]; cx q[0], q[1]; c = measure q;
      """
    let harness = try RealHarness()
    let spec = EngineHarness.spec(bell, shots: 1024)
    let request = harness.codec.encode(spec)
    let times = await onThread { () -> (submit: [Microseconds], counts: [Microseconds]) in
      var submit: [Microseconds] = []
      var counts: [Microseconds] = []
      for _ in 0..<2000 {
        let ended = Monitor(false)
        let start = harness.clock.monotonic()
        harness.engine.submit(spec, request: request, context: harness.context) { result in
          guard let id = try? result.get().job.record.id else { return }
          let watch = try? harness.engine.observe(id, context: harness.context) { _, status in
            if status.isTerminal { ended.signal { $0 = true } }
          }
          harness.keep(watch)
        }
        submit.append(harness.clock.monotonic() - start)
        ended.wait { $0 ? () : nil }
        counts.append(harness.clock.monotonic() - start)
      }
      return (submit.sorted(), counts.sorted())
    }
    print(
      "submit call p50 \(times.submit[1000]) p99 \(times.submit[1980]) µs;",
      "submit to counts p50 \(times.counts[1000]) p99 \(times.counts[1980]) µs")
    #expect(times.submit[1000] <= 30)
    #expect(times.counts[1000] <= 400)
    await harness.stop()
  }

  @Test("a job of 24 qubits stops within 100 ms of its cancel, and a Bell job passes it by")
  func large() async throws {
    let harness = try RealHarness()
    let id = try await harness.submitted(RealDeviceTests.layers(24, 40), shots: 100)
    let observed = Monitor(false)
    let watch = try harness.engine.observe(id, context: harness.context) { _, status in
      if status == .running { observed.signal { $0 = true } }
    }
    await onThread { observed.wait { $0 ? () : nil } }
    watch.end()
    let bell = RealDeviceTests.layers(2, 1)
    _ = try await harness.finished(harness.submitted(bell, shots: 1024))
    let start = harness.clock.monotonic()
    _ = try await harness.finished(harness.submitted(bell, shots: 1024))
    let bellTime = harness.clock.monotonic() - start
    let cancelStart = harness.clock.monotonic()
    let report = await withCheckedContinuation { continuation in
      harness.engine.cancel(
        id, reason: "", context: harness.context,
        completion: { continuation.resume(returning: $0) })
    }
    let cancelTime = harness.clock.monotonic() - cancelStart
    print("bell beside 24 qubits \(bellTime) µs; cancel \(cancelTime) µs")
    #expect(try report.get().outcome == .duringRun)
    #expect(bellTime < 100_000)
    #expect(cancelTime < 100_000)
    await harness.stop()
  }
}
