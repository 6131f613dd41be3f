import Logging
import QubusCompiler
import QubusCore
import QubusDevices
import QubusJobs
import QubusScheduler
import QubusTenancy
import Testing

@testable import QubusEngine

/// An engine without sockets, with fakes around it.
final class EngineHarness: Sendable {
  let engine: Engine
  let store: FakeStore
  let codec: FakeCodec
  let device: FakeDevice
  let clock: any Clock
  let context: CallContext

  static let alice = Principal(tenant: "default", project: "default", name: "alice")

  init(
    device: FakeDevice = FakeDevice(), store: FakeStore? = nil, codec: FakeCodec = FakeCodec(),
    clock: any Clock = SystemClock(), start: Bool = true,
    programs: ProgramCache = ToyPrograms.cache(), ledger: LedgerBook? = nil,
    quotas: QuotaKeeper = QuotaKeeper(),
    approvalPolicies: ApprovalPolicies = ApprovalPolicies(),
    weights: ShareWeights = ShareWeights(), drains: DeviceDrains = DeviceDrains(),
    useStore: (any UsedServiceStore)? = nil,
    quoteStore: (any StartQuoteStore)? = nil,
    moreDevices: [FakeDevice] = [], reservations: ReservationBook = ReservationBook(),
    configure: (inout EngineConfiguration) -> Void = { _ in }
  ) throws {
    var configuration = EngineConfiguration()
    configuration.memoryBytes = 1 << 30
    configure(&configuration)
    self.device = device
    self.store = store ?? FakeStore(clock: clock)
    self.codec = codec
    self.clock = clock
    context = CallContext(
      identity: .submitter(Self.alice), clientVersion: "test/1", traceID: "trace")
    engine = Engine(
      configuration: configuration, store: self.store, codec: codec,
      devices: [device] + moreDevices,
      programs: programs, clock: clock, identifiers: IdentifierSource(clock: clock),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
      useStore: useStore, quoteStore: quoteStore, audit: self.store.memory.audit, ledger: ledger,
      quotas: quotas,
      approvalPolicies: approvalPolicies, weights: weights, drains: drains,
      reservations: reservations)
    if start { try engine.start() }
  }

  static func spec(
    _ program: String = "2 2", shots: Int64? = 1000, _ edit: (inout JobSpec) -> Void = { _ in }
  ) -> JobSpec {
    var spec = JobSpec()
    var pub = PubSpec(program: Array(program.utf8))
    pub.shots = shots
    spec.pubs = [pub]
    edit(&spec)
    return spec
  }

  func submit(_ spec: JobSpec, as context: CallContext? = nil) async throws -> SubmitReport {
    let result = await withCheckedContinuation { continuation in
      engine.submit(
        spec, request: codec.encode(spec), context: context ?? self.context,
        completion: { continuation.resume(returning: $0) })
    }
    return try result.get()
  }

  func submitted(_ spec: JobSpec = EngineHarness.spec()) async throws -> Identifier {
    try await submit(spec).job.record.id
  }

  func cancel(_ id: Identifier, as context: CallContext? = nil) async throws -> CancelReport {
    let result = await withCheckedContinuation { continuation in
      engine.cancel(
        id, reason: "enough", context: context ?? self.context,
        completion: { continuation.resume(returning: $0) })
    }
    return try result.get()
  }

  func replay(
    _ id: Identifier, as context: CallContext? = nil
  ) async throws -> SubmitReport {
    let result = await withCheckedContinuation { continuation in
      engine.replay(
        id, context: context ?? self.context, completion: { continuation.resume(returning: $0) })
    }
    return try result.get()
  }

  func annotate(
    _ id: Identifier, _ annotations: [String: String], as context: CallContext? = nil
  ) async throws -> JobView {
    let result = await withCheckedContinuation { continuation in
      engine.annotate(
        id, annotations: annotations, context: context ?? self.context,
        completion: { continuation.resume(returning: $0) })
    }
    return try result.get()
  }

  /// Resumes when the job's status is as asked.
  @discardableResult
  func reached(
    _ id: Identifier, _ holds: @escaping @Sendable (JobStatus) -> Bool
  ) async throws -> JobRecord {
    let seen = Monitor(false)
    let observation = try engine.observe(id, context: context) { _, status in
      if holds(status) { seen.signal { $0 = true } }
    }
    await onThread { seen.wait { $0 ? () : nil } }
    observation.end()
    return try engine.job(id, context: context).record
  }

  /// What binds a job now.
  func constraintKinds(_ id: Identifier) throws -> [WaitConstraint.Kind] {
    try engine.explain(id, context: context).constraints.map(\.kind)
  }

  @discardableResult
  func finished(_ id: Identifier) async throws -> JobRecord {
    try await reached(id) { $0.isTerminal }
  }

  /// Every durable event, checked for order and gaps.
  func events(_ id: Identifier) throws -> [JobEvent] {
    let events = try store.events(id, after: 0, limit: .max)
    #expect(events.map(\.sequence) == (0..<events.count).map { UInt64($0) + 1 })
    #expect(events.filter { $0.kind == .statusChanged && $0.status.isTerminal }.count <= 1)
    return events
  }

  func statuses(_ id: Identifier) throws -> [JobStatus] {
    try events(id).filter { $0.kind == .statusChanged }.map(\.status)
  }

  func words(_ id: Identifier, _ name: String) throws -> [UInt64] {
    let (_, manifest, _) = try engine.result(id, context: context)
    let index = try #require(manifest.items.firstIndex { $0.name == name })
    var bytes: [UInt8] = []
    for chunk in manifest.items[index].chunks.indices {
      bytes += try engine.resultChunk(id, item: index, chunk: chunk, context: context)
    }
    return stride(from: 0, to: bytes.count, by: 8).map { start in
      (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[start + $1]) << UInt64(8 * $1) }
    }
  }

  func stop(graceMicroseconds: Microseconds = 2_000_000) async {
    let engine = self.engine
    await onThread { engine.stop(graceMicroseconds: graceMicroseconds) }
  }
}
