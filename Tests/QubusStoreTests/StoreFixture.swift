import Foundation
import QubusCore
import QubusJobs
import QubusTenancy
import Synchronization

@testable import QubusStoreSQLite

/// Every implementation of the store's contract.
enum StoreKind: CaseIterable, Sendable {
  case memory
  case sqlite
  /// With a master key.
  case sealed
}

/// A directory of its own that goes away with its owner.
final class TemporaryDirectory: Sendable {
  let path: String

  init() {
    path =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("qubus-store-\(UUID().uuidString)").path
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }
}

/// A store under test with what feeds it.
final class StoreFixture: Sendable {
  let directory = TemporaryDirectory()
  let clock = ManualClock()
  let ids: IdentifierSource
  let store: any JobStore

  init(_ kind: StoreKind, options: StoreOptions = .forTests) throws {
    ids = IdentifierSource(clock: clock)
    store =
      switch kind {
      case .memory: MemoryJobStore(clock: clock)
      case .sqlite:
        try SQLiteJobStore(
          directory: directory.path, codec: TestCodec(), clock: clock, options: options)
      case .sealed: try Self.sealed(directory, clock, options)
      }
  }

  private static func sealed(
    _ directory: TemporaryDirectory, _ clock: ManualClock, _ given: StoreOptions
  ) throws -> SQLiteJobStore {
    var options = given
    if options.masterKey == nil { options.masterKey = MasterKey() }
    let store = try SQLiteJobStore(
      directory: directory.path, codec: TestCodec(), clock: clock, options: options)
    // Of jobs and sessions whose tenant no test makes.
    for tenant in ["t", "other"] {
      store.vault?.set(.open(DataKey(Array(repeating: 9, count: 32))), of: tenant)
    }
    return store
  }

  deinit { try? store.close() }

  /// At the end of a test, which keeps the fixture and its directory until then.
  func close() { try? store.close() }

  var sqlite: SQLiteJobStore {
    guard let store = store as? SQLiteJobStore else { preconditionFailure("not SQLite") }
    return store
  }

  func record(
    key: String = "", fingerprint: UInt8 = 1, tenant: String = "default",
    project: String = "default", name: String = "alice"
  ) -> JobRecord {
    var record = JobRecord(
      id: ids.next(), principal: Principal(tenant: tenant, project: project, name: name),
      request: [0, 1, 2, 255])
    record.idempotencyKey = key
    record.fingerprint = Array(repeating: fingerprint, count: 32)
    record.lane = "interactive"
    record.shotsTotal = 1024
    record.phases.acceptedAt = clock.now()
    return record
  }

  /// What the store under test has in its audit, whole or not.
  func audit() throws -> [AuditEntry] {
    switch store {
    case let store as MemoryJobStore: store.audit.entries
    case let store as SQLiteJobStore:
      try store.auditRecords(after: 0, tenant: nil, limit: .max).map(\.entry)
    default: preconditionFailure("a store without an audit")
    }
  }

  func event(_ status: JobStatus, attempt: UInt32 = 1) -> NewEvent {
    NewEvent(time: clock.now(), kind: .statusChanged, status: status, attempt: attempt)
  }

  /// Accepts a job and brings it to `queued`.
  func accept(_ record: JobRecord) async throws -> JobRecord {
    guard
      case .accepted(let stored, _) = try await store.accept(
        record, [event(.accepted), event(.queued)])
    else { throw QubusError(.invariantViolated, "a new job was taken for a duplicate") }
    return stored
  }

  func move(_ id: Identifier, _ moves: JobStatus..., attempt: UInt32 = 1) -> JobUpdate {
    JobUpdate(
      jobID: id, attempt: attempt, moves: moves,
      events: moves.map { event($0, attempt: attempt) })
  }

  /// A running job.
  func running() async throws -> JobRecord {
    let job = try await accept(record())
    _ = try await store.update(move(job.id, .reserved, .running))
    return job
  }

  /// A result of items with these bytes, cut into chunks of `chunkBytes`.
  func result(_ id: Identifier, _ data: [[UInt8]], chunkBytes: Int = 1 << 16) -> JobResult {
    var manifest = ResultManifest(jobID: id, attempt: 1)
    manifest.executionHash = Checksum.of([])
    manifest.shotsDone = 1024
    for (index, bytes) in data.enumerated() {
      let chunks = stride(from: 0, to: bytes.count, by: chunkBytes).map { start in
        let end = min(bytes.count, start + chunkBytes)
        return ResultChunkInfo(
          offset: UInt64(start), bytes: UInt64(end - start),
          sha256: Checksum.of(Array(bytes[start..<end])))
      }
      manifest.items.append(
        ResultItem(
          name: "item\(index)", pub: 0, dataType: .uint8, shape: [UInt64(bytes.count)],
          bytes: UInt64(bytes.count), sha256: Checksum.of(bytes), chunks: chunks))
    }
    var provenance = Provenance(jobID: id)
    provenance.device = "sim.statevector"
    provenance.seed = .max
    return JobResult(manifest: manifest, provenance: provenance, data: data)
  }

  /// Ends a running job with a result.
  func finish(_ id: Identifier, with data: [[UInt8]]) async throws -> JobResult {
    let result = result(id, data)
    var update = move(id, .processingResults, .succeeded)
    update.result = result
    _ = try await store.update(update)
    return result
  }
}

extension StoreOptions {
  /// A small log, because each test opens a store of its own.
  static var forTests: StoreOptions {
    var options = StoreOptions()
    options.logReserveBytes = 1 << 20
    return options
  }
}

extension JobStore {
  func accept(
    _ record: JobRecord, _ events: [NewEvent], audit: AuditEntry? = nil
  ) async throws -> AcceptOutcome {
    try await withCheckedContinuation { continuation in
      perform(.accept(record, events, audit: audit) { continuation.resume(returning: $0) })
    }.get()
  }

  func update(_ update: JobUpdate) async throws -> [JobEvent] {
    try await withCheckedContinuation { continuation in
      perform(.update(update) { continuation.resume(returning: $0) })
    }.get()
  }

  func flush() async throws {
    try await withCheckedContinuation { continuation in
      perform(.flush { continuation.resume(returning: $0) })
    }.get()
  }
}

extension AuditEntry {
  /// An entry with something in every field.
  static func sample(
    _ subject: String = "job 1", method: String = "SubmitJob", tenant: String = "default",
    time: Microseconds = 17
  ) -> AuditEntry {
    AuditEntry(
      time: time, principal: Principal(tenant: tenant, project: "default", name: "alice"),
      credential: "uid:1000", tokenID: "t-1", method: method, action: "jobs.submit",
      subject: subject, tenant: tenant, outcome: .allowed,
      policy: "submitter of \(tenant)/default", reason: "because", traceID: "trace-1")
  }
}

extension TenancyStore {
  func change(_ changes: TenancyChange..., audit: AuditEntry = .sample()) async throws {
    try await change(all: changes, audit: audit)
  }

  func change(all changes: [TenancyChange], audit: AuditEntry = .sample()) async throws {
    try await withCheckedContinuation { continuation in
      change(changes, audit: audit) { continuation.resume(returning: $0) }
    }.get()
  }

  func record(_ audit: AuditEntry) async throws {
    try await withCheckedContinuation { continuation in
      record(audit) { continuation.resume(returning: $0) }
    }.get()
  }

  func entries() throws -> [AuditEntry] {
    try auditRecords(after: 0, tenant: nil, limit: .max).map(\.entry)
  }
}

/// The registry code of the error that `body` throws; nil when it throws none.
func code(_ body: () async throws -> Void) async -> ErrorCode? {
  do {
    try await body()
    return nil
  } catch { return (error as? QubusError)?.code }
}

/// Bytes that no compressor shortens, from a seed.
func noise(_ count: Int, seed: UInt64) -> [UInt8] {
  var state = seed
  return (0..<count).map { _ in
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return UInt8(truncatingIfNeeded: state >> 56)
  }
}
