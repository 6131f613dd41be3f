import Foundation
import Logging
import QubusCore
import QubusDevices
import QubusJobs
import QubusTenancy

@testable import QubusEngine

let isMeasuring = ProcessInfo.processInfo.environment["QUBUS_MEASURE"] != nil

/// An engine with the state vector and the OpenQASM front end.
final class RealHarness: Sendable {
  let engine: Engine
  let codec = FakeCodec()
  let clock = SystemClock()
  let context = CallContext(
    identity: .submitter(EngineHarness.alice), clientVersion: "test/1", traceID: "t")
  private let kept = Monitor<(any Observation)?>(nil)

  init(_ configure: (inout EngineConfiguration) -> Void = { _ in }) throws {
    var configuration = EngineConfiguration()
    configure(&configuration)
    engine = Engine(
      configuration: configuration, store: FakeStore(clock: clock), codec: codec,
      devices: [StateVectorDevice()],
      programs: .openQASM(bytes: 1 << 24, limits: configuration.limits), clock: clock,
      identifiers: IdentifierSource(clock: clock),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try engine.start()
  }

  /// Keeps one observation alive until the next.
  func keep(_ observation: (any Observation)?) { kept.signal { $0 = observation } }

  func submitted(_ source: String, shots: Int64, seed: UInt64? = nil) async throws -> Identifier {
    let spec = EngineHarness.spec(source, shots: shots) { $0.execution.seed = seed }
    let report = await withCheckedContinuation { continuation in
      engine.submit(
        spec, request: codec.encode(spec), context: context,
        completion: { continuation.resume(returning: $0) })
    }
    return try report.get().job.record.id
  }

  @discardableResult
  func finished(_ id: Identifier) async throws -> JobRecord {
    let ended = Monitor(false)
    let watch = try engine.observe(id, context: context) { _, status in
      if status.isTerminal { ended.signal { $0 = true } }
    }
    await onThread { ended.wait { $0 ? () : nil } }
    watch.end()
    return try engine.job(id, context: context).record
  }

  func words(_ id: Identifier, _ name: String) throws -> [UInt64] {
    let (_, manifest, _) = try engine.result(id, context: context)
    guard let index = manifest.items.firstIndex(where: { $0.name == name }) else { return [] }
    var bytes: [UInt8] = []
    for chunk in manifest.items[index].chunks.indices {
      bytes += try engine.resultChunk(id, item: index, chunk: chunk, context: context)
    }
    return stride(from: 0, to: bytes.count, by: 8).map { start in
      (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[start + $1]) << UInt64(8 * $1) }
    }
  }

  func stop() async {
    let engine = self.engine
    await onThread { engine.stop() }
  }
}
