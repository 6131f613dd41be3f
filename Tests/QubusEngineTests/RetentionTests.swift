import Foundation
import Glibc
import Logging
import QubusCore
import QubusJobs
import QubusStoreSQLite
import QubusTenancy
import QubusWire
import Testing

@testable import QubusEngine

/// Engines over one store on the disk, with a clock that is moved by hand.
final class RetentionHarness: Sendable {
  static let day: Microseconds = 86_400_000_000
  let clock = ManualClock()
  let store: SQLiteJobStore
  let quotas: QuotaKeeper
  let device = FakeDevice()
  let context = CallContext(
    identity: .submitter(EngineHarness.alice), clientVersion: "test/1", traceID: "t")
  let exportPolicies: ExportPolicies
  private let path: String
  private let codec = ProtobufJobCodec(limits: Limits())
  private let current = Lock<Engine?>(nil)

  init(
    _ retention: RetentionConfiguration = RetentionConfiguration(),
    exportPolicies: ExportPolicies = ExportPolicies()
  ) throws {
    self.exportPolicies = exportPolicies
    path = NSTemporaryDirectory() + "qubus-retention-\(UUID().uuidString)"
    var options = StoreOptions()
    options.logReserveBytes = 1 << 20
    store = try SQLiteJobStore(directory: path, codec: codec, clock: clock, options: options)
    quotas = QuotaKeeper(clock: clock)
    try start(retention)
  }

  deinit {
    try? store.close()
    try? FileManager.default.removeItem(atPath: path)
  }

  var engine: Engine {
    guard let engine = current.withLock({ $0 }) else { preconditionFailure("it was started") }
    return engine
  }

  func start(_ retention: RetentionConfiguration) throws {
    var configuration = EngineConfiguration()
    configuration.memoryBytes = 1 << 30
    configuration.retention = retention
    let engine = Engine(
      configuration: configuration, store: store, codec: codec, devices: [device],
      programs: ToyPrograms.cache(), clock: clock, identifiers: IdentifierSource(clock: clock),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, retentionStore: store,
      audit: store, quotas: quotas, exportPolicies: exportPolicies)
    try engine.start()
    current.withLock { $0 = engine }
  }

  /// Another life of the service.
  func restart(_ retention: RetentionConfiguration) async throws {
    await stop()
    try start(retention)
  }

  func stop() async {
    let engine = engine
    await onThread { engine.stop() }
  }

  func finished() async throws -> Identifier {
    let spec = EngineHarness.spec()
    let id = try await withCheckedContinuation { continuation in
      engine.submit(spec, request: codec.encode(spec), context: context) {
        continuation.resume(returning: $0)
      }
    }.get().job.record.id
    try await reached(id) { $0.status.isTerminal }
    return id
  }

  func record(_ id: Identifier) throws -> JobRecord {
    try engine.job(id, context: context).record
  }

  /// Moves the clock and has the engine look at it.
  func pass(_ time: Microseconds) {
    clock.advance(microseconds: time)
    engine.clockMoved()
  }

  /// Resumes when the stored job is as asked; looks after each commit.
  @discardableResult
  func reached(
    _ id: Identifier, _ holds: @escaping @Sendable (JobRecord) -> Bool
  ) async throws -> JobRecord {
    let (store, engine) = (store, engine)
    return try await onThread {
      Result { () throws(QubusError) -> JobRecord in
        while true {
          if let record = try store.job(id), holds(record) { return record }
          engine.flush()
          sched_yield()
        }
      }
    }.get()
  }

  func code(_ body: () throws -> Void) -> ErrorCode? {
    do {
      try body()
      return nil
    } catch { return (error as? QubusError)?.code }
  }

  func resultCode(_ id: Identifier) -> ErrorCode? {
    code { _ = try engine.result(id, context: context) }
  }
}

@Suite("What expires")
struct RetentionTests {
  private static let day = RetentionHarness.day

  private static func times(
    results: Microseconds? = nil, events: Microseconds? = nil, audit: Microseconds? = nil
  ) -> RetentionConfiguration {
    var times = RetentionConfiguration()
    times.results = results
    times.events = events
    times.audit = audit
    return times
  }

  @Test("without retention a job has no end of its data, and its end says nothing of one")
  func off() async throws {
    let harness = try RetentionHarness()
    let id = try await harness.finished()
    #expect(try harness.record(id).retention == JobRetention())
    let last = try #require(
      try harness.engine.events(id, after: 0, limit: 100, context: harness.context).last)
    #expect(last.body.details.isEmpty)
    harness.pass(1000 * Self.day)
    #expect(harness.resultCode(id) == nil)
    await harness.stop()
  }

  @Test("the end of a job announces when its result expires; from then on it is refused")
  func announced() async throws {
    let harness = try RetentionHarness(Self.times(results: Self.day))
    let id = try await harness.finished()
    let expiry = harness.clock.now() + Self.day
    #expect(try harness.record(id).retention.resultsExpireAt == expiry)
    let events = try harness.engine.events(id, after: 0, limit: 100, context: harness.context)
    let last = try #require(events.last)
    #expect(last.status == .succeeded && last.body.details == ["results_expire_at": "\(expiry)"])
    #expect(harness.resultCode(id) == nil)
    #expect(harness.engine.recentResult(id, context: harness.context) != nil)
    // The clock is not looked at by the keeper: what answers is the time itself.
    harness.clock.advance(microseconds: Self.day)
    #expect(harness.engine.recentResult(id, context: harness.context) == nil)
    let error = #expect(throws: QubusError.self) {
      try harness.engine.result(id, context: harness.context)
    }
    #expect(error?.code == .resultExpired)
    #expect(error?.message.contains(TimeText.rfc3339(expiry)) == true)
    #expect(error?.details["results_expired_at"] == "\(expiry)")
    #expect(
      harness.code {
        _ = try harness.engine.resultChunk(id, item: 0, chunk: 0, context: harness.context)
      } == .resultExpired)
    await harness.stop()
  }

  @Test("an expired result goes, with a notice in the job and evidence in the audit")
  func removed() async throws {
    let harness = try RetentionHarness(Self.times(results: Self.day))
    let id = try await harness.finished()
    harness.pass(Self.day)
    let record = try await harness.reached(id) { $0.retention.isResultRemoved }
    #expect(record.status == .succeeded && record.hasResult)
    let last = try #require(try harness.store.events(id, after: 0, limit: 100).last)
    #expect(last.kind == .notice && last.reason == JobReason.retention)
    #expect(last.body.details == ["removed": "results"])
    let entry = try #require(
      try harness.store.auditRecords(after: 0, tenant: "default", limit: 100).last?.entry)
    #expect(entry.method == "Retention" && entry.subject == "results of job \(id)")
    #expect(entry.principal == nil && entry.outcome == .allowed)
    #expect(throws: QubusError.self) {
      try harness.store.resultChunk(id, item: 0, chunk: 0)
    }
    #expect(harness.resultCode(id) == .resultExpired)
    // What is kept is enough to run it again and compare.
    #expect(try harness.store.result(id)?.0.executionHash.isEmpty == false)
    // Nothing is told twice.
    harness.pass(Self.day)
    let next = try await harness.finished()
    harness.pass(Self.day)
    try await harness.reached(next) { $0.retention.isResultRemoved }
    #expect(try harness.record(id).lastSequence == last.sequence)
    await harness.stop()
  }

  @Test("expired events answer events_expired; what comes after them can be followed")
  func events() async throws {
    let harness = try RetentionHarness(Self.times(events: Self.day))
    let id = try await harness.finished()
    let before = try harness.record(id).lastSequence
    #expect(try harness.record(id).retention.eventsExpireAt == harness.clock.now() + Self.day)
    harness.pass(Self.day)
    try await harness.reached(id) { $0.retention.areEventsRemoved }
    let error = #expect(throws: QubusError.self) {
      try harness.engine.events(id, after: 0, limit: 100, context: harness.context)
    }
    #expect(error?.code == .eventsExpired)
    let rest = try harness.engine.events(
      id, after: before, limit: 100, context: harness.context)
    #expect(rest.map(\.body.details) == [["removed": "events"]])
    #expect(try harness.record(id).retention.isResultRemoved == false)
    #expect(harness.resultCode(id) == nil)
    await harness.stop()
  }

  @Test("what ended before retention was turned on has its time from then, and is told")
  func dated() async throws {
    let harness = try RetentionHarness()
    var ids: [Identifier] = []
    for _ in 0..<40 { ids.append(try await harness.finished()) }
    harness.clock.advance(microseconds: 100 * Self.day)
    let now = harness.clock.now()
    try await harness.restart(Self.times(results: Self.day, events: 3 * Self.day))
    for id in ids {
      let record = try await harness.reached(id) { $0.retention.resultsExpireAt != nil }
      #expect(record.retention.resultsExpireAt == now + Self.day)
      #expect(record.retention.eventsExpireAt == now + 3 * Self.day)
      let last = try #require(try harness.store.events(id, after: 0, limit: 100).last)
      #expect(last.kind == .notice)
      #expect(last.body.details == ["results_expire_at": "\(now + Self.day)"])
      #expect(harness.resultCode(id) == nil)
    }
    harness.pass(Self.day)
    for id in ids { try await harness.reached(id) { $0.retention.isResultRemoved } }
    await harness.stop()
  }

  @Test("turned off again, retention leaves what has not gone")
  func turnedOff() async throws {
    let harness = try RetentionHarness(Self.times(results: Self.day))
    let gone = try await harness.finished()
    harness.pass(Self.day)
    try await harness.reached(gone) { $0.retention.isResultRemoved }
    let kept = try await harness.finished()
    try await harness.restart(RetentionConfiguration())
    harness.pass(2 * Self.day)
    #expect(harness.resultCode(kept) == nil)
    #expect(harness.resultCode(gone) == .resultExpired)
    await harness.stop()
  }

  @Test("the audit is cut behind a signed checkpoint, and goes on from there")
  func audit() async throws {
    let harness = try RetentionHarness(Self.times(audit: Self.day))
    for _ in 0..<5 { _ = try await harness.finished() }
    harness.pass(2 * Self.day)
    let store = harness.store
    let engine = harness.engine
    try await onThread {
      Result { () throws(QubusError) in
        while try store.verifyAudit().cutAt == nil {
          engine.flush()
          sched_yield()
        }
      }
    }.get()
    let report = try store.verifyAudit()
    #expect(report.brokenAt == nil && report.first == 6)
    let entry = try #require(
      try store.auditRecords(after: 0, tenant: nil, limit: 100).first?.entry)
    #expect(entry.method == "Retention" && entry.subject == "audit records 1 to 5")
    await harness.stop()
  }

  @Test("submits go on while a store full of results expires")
  func beside() async throws {
    let harness = try RetentionHarness(Self.times(results: Self.day))
    var ids: [Identifier] = []
    for _ in 0..<100 { ids.append(try await harness.finished()) }
    harness.pass(Self.day)
    for _ in 0..<20 { _ = try await harness.finished() }
    for id in ids { try await harness.reached(id) { $0.retention.isResultRemoved } }
    #expect(try harness.store.verifyAudit().brokenAt == nil)
    await harness.stop()
  }

  @Test("an ended job that changes again is not counted again")
  func countedOnce() async throws {
    let harness = try RetentionHarness(Self.times(results: Self.day))
    harness.device.state.signal { $0.deviceMicroseconds = 3_000_000 }
    let id = try await harness.finished()
    let scope = QuotaScope.principal(EngineHarness.alice)
    let used = harness.quotas.status(of: scope, .deviceSecondsPerDay).used
    let done = await withCheckedContinuation { continuation in
      harness.engine.annotate(id, annotations: ["k": "v"], context: harness.context) {
        continuation.resume(returning: $0)
      }
    }
    #expect(throws: Never.self) { try done.get() }
    #expect(used == 3)
    #expect(harness.quotas.status(of: scope, .deviceSecondsPerDay).used == used)
    await harness.stop()
  }
}
