import Logging
import QubusCore
import QubusDevices
import QubusJobs
import QubusSimulator
import QubusTenancy
import Testing

@testable import QubusEngine

/// Keeps specs in a table; a request's bytes are the index of its spec.
final class FakeSessionCodec: SessionCodec {
  private let specs = Monitor<[SessionSpec]>([])

  /// The same spec gives the same bytes.
  func encode(_ spec: SessionSpec) -> [UInt8] {
    let index = specs.signal { specs -> UInt64 in
      if let index = specs.firstIndex(of: spec) { return UInt64(index) }
      specs.append(spec)
      return UInt64(specs.count - 1)
    }
    return withUnsafeBytes(of: index.littleEndian) { Array($0) }
  }

  func decodeSession(_ bytes: [UInt8]) throws(QubusError) -> SessionSpec {
    let index = bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
    let spec = specs.withLock { $0.indices.contains(index) ? $0[index] : nil }
    guard let spec else { throw QubusError(.malformedFrame, "no such request") }
    return spec
  }
}

/// What a step answered, taken out of its result.
struct Answered: Sendable, Equatable {
  var sequence: UInt64
  var values: [Double]
  var gradients: [Double]
  var deviceNanoseconds: UInt64
  var wasRepeated: Bool
  var wasRebuilt: Bool

  init(_ result: StepResult) {
    sequence = result.sequence
    values = Array(result.answer.values)
    gradients = Array(result.answer.gradients)
    deviceNanoseconds = result.deviceNanoseconds
    wasRepeated = result.wasRepeated
    wasRebuilt = result.wasRebuilt
  }
}

/// Collects what did not run in place, by serial of its tag.
final class FakeSink: StepSink {
  typealias Outcome = Result<Answered, QubusError>
  private let outcomes = Monitor<[UInt64: Outcome]>([:])

  func stepAnswered(_ tag: StepTag, _ result: StepResult) {
    let answered = Answered(result)
    outcomes.signal { $0[tag.serial] = .success(answered) }
  }
  func stepFailed(_ tag: StepTag, _ error: QubusError) {
    outcomes.signal { $0[tag.serial] = .failure(error) }
  }
  func outcome(_ serial: UInt64) async -> Outcome {
    let outcomes = self.outcomes
    return await onThread { outcomes.wait { $0[serial] } }
  }
  func waitForOutcome(_ serial: UInt64) -> Outcome { outcomes.wait { $0[serial] } }
  var serials: Set<UInt64> { outcomes.withLock { Set($0.keys) } }
}

/// What a step became, with the serial of its tag when it waits.
enum Disposition: Equatable {
  case answered(Answered)
  case pending(UInt64)
  case refused(QubusError)

  var error: QubusError? { if case .refused(let error) = self { error } else { nil } }
  var code: ErrorCode? { error?.code }
  var answer: Answered? { if case .answered(let answer) = self { answer } else { nil } }
  var serial: UInt64? { if case .pending(let serial) = self { serial } else { nil } }
}

/// An engine with sessions, without sockets, on a clock that moves by hand. The test plays the
/// transport thread.
final class SessionHarness: @unchecked Sendable {
  let engine: Engine
  let sessions: SessionEngine
  let device: FakeDevice
  let store: any SessionStore
  let codec: FakeSessionCodec
  let clock: ManualClock
  let sink = FakeSink()
  private var serial: UInt64 = 0

  static let alice = Principal(tenant: "default", project: "default", name: "alice")
  static let bob = Principal(tenant: "default", project: "default", name: "bob")
  /// Of another tenant, under a name that is known.
  static let stranger = Principal(tenant: "other", project: "default", name: "alice")

  init(
    device: FakeDevice = FakeDevice(), store: any SessionStore = MemorySessionStore(),
    codec: FakeSessionCodec = FakeSessionCodec(), clock: ManualClock = ManualClock(),
    jobStore: FakeStore? = nil, ledger: LedgerBook? = nil, quotas: QuotaKeeper = QuotaKeeper(),
    drains: DeviceDrains = DeviceDrains(),
    configure: (inout EngineConfiguration) -> Void = { _ in }
  ) throws {
    var configuration = EngineConfiguration()
    configuration.memoryBytes = 1 << 30
    configure(&configuration)
    self.device = device
    self.store = store
    self.codec = codec
    self.clock = clock
    let time = device.time
    engine = Engine(
      configuration: configuration, store: jobStore ?? FakeStore(clock: clock),
      codec: FakeCodec(), devices: [device], programs: ToyPrograms.cache(), clock: clock,
      identifiers: IdentifierSource(clock: clock),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, sessionStore: store,
      sessionCodec: codec, audit: (store as? MemorySessionStore)?.audit, ledger: ledger,
      quotas: quotas, drains: drains,
      nanoseconds: { time.read() })
    sessions = try #require(engine.sessions)
    try engine.start()
  }

  static func spec(
    _ program: String = "2 0 a:float b:float", _ edit: (inout SessionSpec) -> Void = { _ in }
  ) -> SessionSpec {
    var spec = SessionSpec(program: Array(program.utf8))
    spec.observables = [ObservableSpec(terms: [.init(pauli: "ZZ", coefficient: 1)])]
    edit(&spec)
    return spec
  }

  static func context(_ principal: Principal = alice) -> CallContext {
    CallContext(identity: .submitter(principal), clientVersion: "test/1", traceID: "trace")
  }

  func open(
    _ spec: SessionSpec = SessionHarness.spec(), holder: UInt64 = 1,
    as principal: Principal = SessionHarness.alice
  ) async throws -> OpenedSession {
    let result = await withCheckedContinuation { continuation in
      sessions.openSession(
        spec, request: codec.encode(spec), holder: holder, context: Self.context(principal)
      ) { continuation.resume(returning: $0) }
    }
    return try result.get()
  }

  func opened(
    _ spec: SessionSpec = SessionHarness.spec(), as principal: Principal = SessionHarness.alice
  ) async throws -> Identifier {
    try await open(spec, as: principal).session.record.id
  }

  /// The code that opening fails with.
  func refusal(_ spec: SessionSpec) async -> QubusError? {
    do {
      _ = try await open(spec)
      return nil
    } catch { return error as? QubusError }
  }

  func resume(
    _ id: Identifier, _ secret: [UInt8], last: UInt64 = 0, holder: UInt64 = 2,
    as principal: Principal = SessionHarness.alice, by context: CallContext? = nil
  ) async throws -> ResumedSession {
    let result = await withCheckedContinuation { continuation in
      sessions.resumeSession(
        id, secret: secret, lastSequence: last, holder: holder,
        context: context ?? Self.context(principal)
      ) { continuation.resume(returning: $0) }
    }
    return try result.get()
  }

  func close(
    _ id: Identifier, as principal: Principal = SessionHarness.alice,
    by context: CallContext? = nil
  ) async throws -> SessionView {
    let result = await withCheckedContinuation { continuation in
      sessions.closeSession(id, context: context ?? Self.context(principal)) {
        continuation.resume(returning: $0)
      }
    }
    return try result.get()
  }

  func step(
    _ id: Identifier, _ sequence: UInt64, _ numbers: [Double] = [1, 2], rows: Int = 1,
    columns: Int? = nil, holder: UInt64 = 1, as principal: Principal = SessionHarness.alice,
    by identity: Identity? = nil, _ edit: (inout StepOrder) -> Void = { _ in }
  ) -> Disposition {
    serial += 1
    var order = StepOrder(sequence: sequence, rows: rows, outputs: [])
    edit(&order)
    let checksum = numbers.reduce(UInt32(7)) {
      $0 &* 31 &+ UInt32(truncatingIfNeeded: $1.bitPattern >> 32)
    }
    let call = StepCall(
      session: id, order: order, columns: columns ?? (rows > 0 ? numbers.count / rows : 0),
      checksum: checksum, tag: StepTag(connection: holder, callID: sequence, serial: serial))
    let disposition = numbers.withUnsafeBytes {
      sessions.step(
        call, parameters: $0, identity: identity ?? .submitter(principal), holder: holder,
        sink: sink)
    }
    switch disposition {
    case .answered(let result): return .answered(Answered(result))
    case .pending: return .pending(serial)
    case .refused(let error): return .refused(error)
    }
  }

  func abandon(_ id: Identifier, sequence: UInt64, serial: UInt64) {
    sessions.abandonStep(id, StepTag(connection: 1, callID: sequence, serial: serial))
  }

  func view(_ id: Identifier) throws -> SessionView {
    try sessions.session(id, context: Self.context())
  }

  /// Moves the clock and lets what is due happen.
  func advance(seconds: Double) async {
    clock.advance(microseconds: Microseconds(seconds * 1e6))
    engine.clockMoved()
    // The timer thread handles timers in order: one set after the move is reached after them.
    let reached = Monitor(false)
    engine.scheduler.schedule(at: clock.now()) { reached.signal { $0 = true } }
    await onThread { reached.wait { $0 ? () : nil } }
  }

  func stop() async {
    let engine = self.engine
    await onThread { engine.stop() }
  }
}
