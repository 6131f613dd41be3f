import QubusCore
import QubusJobs
import QubusStoreSQLite
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("Archives")
struct ArchiveTests {
  private static let day = RetentionHarness.day

  private static func harness(
    _ policies: ExportPolicies = ExportPolicies()
  ) throws -> RetentionHarness {
    var times = RetentionConfiguration()
    times.results = day
    return try RetentionHarness(times, exportPolicies: policies)
  }

  /// Somebody else, with roles in the project of the harness's jobs.
  private static func context(_ name: String, _ roles: Role..., in tenant: String = "default")
    -> CallContext
  {
    let scope = Scope(tenant: tenant, project: "default")
    return CallContext(
      identity: Identity(
        principal: Principal(tenant: tenant, project: "default", name: name),
        credential: .localUser(uid: 7), grants: roles.map { Grant($0, scope) }),
      clientVersion: "test/1", traceID: "t")
  }

  /// The data of a result that is there.
  private static func chunks(
    _ harness: RetentionHarness, _ id: Identifier
  ) throws -> [ArchivedChunk] {
    let report = try harness.engine.archive(id, to: "", reason: "", context: harness.context)
    var chunks: [ArchivedChunk] = []
    for (item, entry) in report.manifest.items.enumerated() {
      for chunk in entry.chunks.indices {
        chunks.append(
          ArchivedChunk(
            jobID: id, executionHash: report.manifest.executionHash, item: item, chunk: chunk,
            data: try harness.engine.resultChunk(
              id, item: item, chunk: chunk, context: harness.context)))
      }
    }
    return chunks
  }

  private static func restore(
    _ harness: RetentionHarness, _ chunk: ArchivedChunk, as context: CallContext? = nil
  ) async throws -> RestoreReport {
    let (engine, caller) = (harness.engine, context ?? harness.context)
    return try await withCheckedContinuation { continuation in
      engine.restore(chunk, reason: "for the paper", context: caller) {
        continuation.resume(returning: $0)
      }
    }.get()
  }

  private static func refusal(
    _ harness: RetentionHarness, _ chunk: ArchivedChunk, as context: CallContext? = nil
  ) async -> ErrorCode? {
    do {
      _ = try await restore(harness, chunk, as: context)
      return nil
    } catch { return (error as? QubusError)?.code }
  }

  /// A job whose result has gone, and what it was.
  private static func expired(
    _ harness: RetentionHarness
  ) async throws -> (id: Identifier, chunks: [ArchivedChunk]) {
    let id = try await harness.finished()
    let chunks = try Self.chunks(harness, id)
    harness.pass(day)
    try await harness.reached(id) { $0.retention.isResultRemoved }
    return (id, chunks)
  }

  @Test("an archive has programs, manifest and provenance, and leaves evidence")
  func archives() async throws {
    let harness = try Self.harness()
    let id = try await harness.finished()
    let report = try harness.engine.archive(
      id, to: "vault", reason: "contract 17", context: harness.context)
    #expect(report.programs == [Array("2 2".utf8)])
    let (_, manifest, provenance) = try harness.engine.result(id, context: harness.context)
    #expect(report.manifest == manifest && report.provenance == provenance)
    #expect(report.archivedBy == EngineHarness.alice && report.archivedAt == harness.clock.now())
    // What is only read is evidenced with the next change at the latest.
    _ = try await harness.finished()
    let entry = try #require(
      try harness.store.auditRecords(after: 0, tenant: "default", limit: 100).map(\.entry)
        .last { $0.method == "ArchiveJob" })
    #expect(entry.subject == "job \(id) to vault" && entry.reason == "contract 17")
    #expect(entry.action == "results.read" && entry.policy == "submitter of default/default")
    harness.clock.advance(microseconds: Self.day)
    #expect(
      harness.code {
        _ = try harness.engine.archive(id, to: "", reason: "", context: harness.context)
      } == .resultExpired)
    await harness.stop()
  }

  @Test("an expired result comes back chunk by chunk, is announced, and expires once more")
  func restores() async throws {
    let harness = try Self.harness()
    let (id, chunks) = try await Self.expired(harness)
    #expect(chunks.count > 1)
    for (index, chunk) in chunks.reversed().enumerated() {
      #expect(harness.resultCode(id) == .resultExpired)
      let report = try await Self.restore(harness, chunk)
      #expect(report.chunksMissing == chunks.count - 1 - index && !report.wasThere)
      if report.chunksMissing > 0 {
        // Sent again it is not counted again.
        #expect(try await Self.restore(harness, chunk).chunksMissing == report.chunksMissing)
      }
    }
    #expect(try Self.chunks(harness, id) == chunks)
    let expiry = harness.clock.now() + Self.day
    let retention = try #require(try harness.store.job(id)).retention
    #expect(retention.isArchivedCopy && retention.resultsExpireAt == expiry)
    let last = try #require(try harness.store.events(id, after: 0, limit: 100).last)
    #expect(last.kind == .notice && last.reason == JobReason.retention)
    #expect(
      last.body.details == ["restored": "results", "results_expire_at": String(expiry)])
    let entry = try #require(
      try harness.store.auditRecords(after: 0, tenant: "default", limit: 100).map(\.entry)
        .last { $0.method == "RestoreJob" })
    #expect(entry.subject == "job \(id)" && entry.outcome == .allowed)
    #expect(entry.reason == "for the paper" && entry.action == "results.restore")
    harness.pass(Self.day)
    let gone = try await harness.reached(id) { $0.retention.isResultRemoved }
    #expect(!gone.retention.isArchivedCopy)
    #expect(harness.resultCode(id) == .resultExpired)
    await harness.stop()
  }

  @Test("a result that is there is left alone")
  func there() async throws {
    let harness = try Self.harness()
    let id = try await harness.finished()
    let before = try harness.record(id)
    for chunk in try Self.chunks(harness, id) {
      let report = try await Self.restore(harness, chunk)
      #expect(report.wasThere && report.chunksMissing == 0)
    }
    #expect(try harness.record(id) == before)
    await harness.stop()
  }

  @Test("damaged data, another result and chunks that are none are refused; nothing comes back")
  func damaged() async throws {
    let harness = try Self.harness()
    let (id, chunks) = try await Self.expired(harness)
    let good = try #require(chunks.first)
    var flipped = good
    flipped.data[0] ^= 1
    var short = good
    short.data.removeLast()
    var (other, outside, beyond) = (good, good, good)
    other.executionHash[0] ^= 1
    outside.item = 99
    beyond.chunk = 99
    let cases: [(ArchivedChunk, ErrorCode)] = [
      (flipped, .archiveDamaged), (short, .archiveDamaged), (outside, .archiveDamaged),
      (beyond, .archiveDamaged), (other, .archiveConflict),
    ]
    for (chunk, expected) in cases {
      #expect(await Self.refusal(harness, chunk) == expected)
    }
    var unknown = good
    unknown.jobID = IdentifierSource(clock: harness.clock).next()
    #expect(await Self.refusal(harness, unknown) == .jobNotFound)
    #expect(harness.resultCode(id) == .resultExpired)
    await harness.stop()
  }

  @Test("results come back by their owner or a manager; another tenant's job is not there")
  func rights() async throws {
    let harness = try Self.harness()
    let (_, chunks) = try await Self.expired(harness)
    let chunk = try #require(chunks.first)
    let foreigner = Self.context("alice", .tenantAdmin, in: "acme")
    #expect(await Self.refusal(harness, chunk, as: foreigner) == .jobNotFound)
    for role in [Role.viewer, .submitter, .reviewer, .approver] {
      #expect(
        await Self.refusal(harness, chunk, as: Self.context("bob", role)) == .permissionDenied)
    }
    for role in [Role.projectAdmin, .operator] {
      let report = try await Self.restore(harness, chunk, as: Self.context("pia", role))
      #expect(!report.wasThere)
    }
    await harness.stop()
  }

  @Test("under a policy of the project only its reviewers archive, to its destinations alone")
  func policy() async throws {
    let policies = ExportPolicies()
    let harness = try Self.harness(policies)
    let id = try await harness.finished()
    let engine = harness.engine
    func archive(_ context: CallContext, _ destination: String) -> QubusError? {
      do throws(QubusError) {
        _ = try engine.archive(id, to: destination, reason: "", context: context)
        return nil
      } catch { return error }
    }
    let reviewer = Self.context("rita", .reviewer)
    #expect(archive(harness.context, "") == nil && archive(reviewer, "home") == nil)
    let key = ExportPolicy.Key(tenant: "default", project: "default")
    policies.apply([.setExportPolicy(ExportPolicy(key: key, destinations: ["vault"]))])
    #expect(archive(reviewer, "vault") == nil)
    for destination in ["", "home"] {
      let refused = archive(reviewer, destination)
      #expect(refused?.code == .permissionDenied)
      #expect(refused?.details["destinations"] == "vault")
    }
    for context in [harness.context, Self.context("pia", .projectAdmin)] {
      let refused = archive(context, "vault")
      #expect(refused?.code == .permissionDenied)
      #expect(refused?.details["policy"] == "export policy of default/default")
      #expect(refused?.details["remedy"]?.contains("reviewer") == true)
    }
    #expect(archive(Self.context("vic", .viewer), "vault")?.details["policy"] == nil)
    #expect(
      archive(Self.context("rita", .reviewer, in: "acme"), "vault")?.code == .jobNotFound)
    _ = try await harness.finished()
    let entry = try #require(
      try harness.store.auditRecords(after: 0, tenant: "default", limit: 100).map(\.entry)
        .last { $0.method == "ArchiveJob" })
    #expect(entry.action == "results.export")
    #expect(
      entry.policy == "reviewer of default/default, export policy of default/default")
    policies.apply([.removeExportPolicy(key)])
    #expect(archive(harness.context, "home") == nil)
    await harness.stop()
  }

  @Test("two results of a tenant and eight of all wait for their chunks; the idle make room")
  func desk() throws {
    let desk = RestorationDesk()
    let ids = IdentifierSource(clock: ManualClock())
    var manifest = ResultManifest(jobID: ids.next(), attempt: 1)
    let infos = (0..<2).map { ResultChunkInfo(offset: $0, bytes: 1, sha256: []) }
    manifest.items = [
      ResultItem(
        name: "memory", pub: 0, dataType: .uint8, shape: [2], bytes: 2, sha256: [], chunks: infos)
    ]
    func add(
      _ id: Identifier, _ chunk: Int, of tenant: String, at now: Microseconds
    ) throws -> [[UInt8]]? {
      let part = ArchivedChunk(
        jobID: id, executionHash: [], item: 0, chunk: chunk, data: [UInt8(chunk)])
      switch try desk.add(part, of: manifest, tenant: tenant, now: now) {
      case .missing(let count):
        #expect(count == 1)
        return nil
      case .whole(let data): return data
      }
    }
    let jobs = (0..<10).map { (id: ids.next(), tenant: "t\($0 / 2)") }
    func refusal(_ index: Int, of tenant: String) -> ErrorCode? {
      #expect(throws: QubusError.self) { try add(jobs[index].id, 1, of: tenant, at: 1) }?.code
    }
    for job in jobs.prefix(2) { #expect(try add(job.id, 1, of: job.tenant, at: 0) == nil) }
    // The tenant has its two; others are not in its way, nor it in theirs.
    #expect(refusal(8, of: "t0") == .serverOverloaded)
    for job in jobs[2..<8] { #expect(try add(job.id, 1, of: job.tenant, at: 0) == nil) }
    #expect(refusal(8, of: "t4") == .serverOverloaded)
    #expect(try add(jobs[0].id, 0, of: "t0", at: 1) == [[0, 1]])
    #expect(try add(jobs[8].id, 1, of: "t4", at: 2) == nil)
    // A chunk that is there already keeps nothing waiting.
    let late = RestorationDesk.idleMicroseconds
    #expect(try add(jobs[1].id, 1, of: "t0", at: late - 1) == nil)
    #expect(try add(jobs[0].id, 1, of: "t0", at: late) == nil)
    // What had waited too long is forgotten; what came later is not.
    #expect(try add(jobs[1].id, 0, of: "t0", at: late) == nil)
    #expect(try add(jobs[8].id, 0, of: "t4", at: late) == [[0, 1]])
  }
}
