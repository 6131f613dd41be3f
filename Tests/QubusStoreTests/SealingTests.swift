import Foundation
import GRDB
import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusStoreSQLite

/// What lies in an encrypted store, and what happens to its keys.
@Suite("Encryption at rest")
struct SealingTests {
  static let secret = Array("whisper of the lab".utf8)
  static var text: String { String(decoding: secret, as: UTF8.self) }

  /// A store of its own in a directory that outlives it.
  static func open(
    _ directory: TemporaryDirectory, _ key: MasterKey?,
    _ change: (inout StoreOptions) -> Void = { _ in }
  ) throws -> SQLiteJobStore {
    var options = StoreOptions.forTests
    options.masterKey = key
    change(&options)
    return try SQLiteJobStore(
      directory: directory.path, codec: TestCodec(), clock: ManualClock(), options: options)
  }

  static func principal(_ tenant: String) -> Principal {
    Principal(tenant: tenant, project: "default", name: "alice")
  }

  /// A job that says the secret wherever a client can, ended with two results of it.
  static func tellSecrets(
    _ store: SQLiteJobStore, tenant: String = "default", id: Identifier? = nil
  ) async throws -> Identifier {
    let ids = IdentifierSource(clock: ManualClock())
    var record = JobRecord(
      id: id ?? ids.next(), principal: principal(tenant), request: secret)
    (record.name, record.tags) = (text, [text, "other"])
    (record.annotations, record.notices) = ([text: text], [text])
    let hold = CostHold(
      price: Price(perJob: 1), experimentClass: text, experiment: text, heldAt: 1,
      parts: [CostPart(entitlement: 0, amount: 1)])
    (record.costAcceptance, record.costHeld) = (.held(hold), 1)
    let time: Microseconds = 17
    let start = [JobStatus.accepted, .queued, .reserved, .running].map {
      NewEvent(time: time, kind: .statusChanged, status: $0, attempt: 1)
    }
    _ = try await store.accept(record, start)
    var told = JobUpdate(jobID: record.id, attempt: 1)
    var body = JobEventBody()
    body.device = text
    told.events = [NewEvent(time: 18, kind: .notice, status: .running, attempt: 1, body: body)]
    told.annotations = ["again": text]
    _ = try await store.update(told)
    var end = JobUpdate(jobID: record.id, attempt: 1, moves: [.processingResults, .succeeded])
    end.events = end.moves.map {
      NewEvent(time: 19, kind: .statusChanged, status: $0, attempt: 1)
    }
    end.error = QubusError(.executionFailed, text)
    end.result = result(record.id)
    _ = try await store.update(end)
    return record.id
  }

  /// One item that goes to a file, and one of the rows.
  static func result(_ id: Identifier) -> JobResult {
    let large = Array(repeatElement(secret, count: 100_000).joined())
    var manifest = ResultManifest(jobID: id, attempt: 1)
    var data: [[UInt8]] = []
    for (name, bytes) in [(text, secret), ("large", large)] {
      let half = bytes.count / 2
      let chunks = [0..<half, half..<bytes.count].map { range in
        ResultChunkInfo(
          offset: UInt64(range.lowerBound), bytes: UInt64(range.count),
          sha256: Checksum.of(Array(bytes[range])))
      }
      manifest.items.append(
        ResultItem(
          name: name, pub: 0, dataType: .uint8, shape: [UInt64(bytes.count)],
          bytes: UInt64(bytes.count), sha256: Checksum.of(bytes), chunks: chunks))
      data.append(bytes)
    }
    return JobResult(manifest: manifest, provenance: Provenance(jobID: id), data: data)
  }

  static func expectSecrets(_ store: SQLiteJobStore, _ id: Identifier) throws {
    let job = try #require(try store.job(id))
    #expect(job.request == secret && job.name == text && job.tags == [text, "other"])
    #expect(job.annotations == ["again": text] && job.notices == [text])
    #expect(job.error?.message == text)
    let told = try store.events(id, after: 0, limit: 100).filter { $0.kind == .notice }
    #expect(told.map(\.body.device) == [text])
    let (manifest, _) = try #require(try store.result(id))
    let expected = result(id).data
    for (item, bytes) in expected.enumerated() {
      let found = try manifest.items[item].chunks.indices.map {
        try store.resultChunk(id, item: item, chunk: $0)
      }
      #expect(Array(found.joined()) == bytes)
    }
    var filter = JobFilter()
    (filter.name, filter.tags) = (text, [text])
    #expect(try store.jobs(filter).map(\.id) == [id])
    filter.principal = principal(job.principal.tenant)
    #expect(try store.jobs(filter).map(\.id) == [id])
    filter.tags = ["none"]
    #expect(try store.jobs(filter).isEmpty)
    var usage = UsageQuery(group: .tag)
    #expect(try store.usage(usage).rows.map(\.key).sorted() == ["other", text])
    (usage.tag, usage.tenant) = (text, job.principal.tenant)
    let report = try store.usage(usage)
    #expect(report.total.jobs == 1 && report.denominators.successfulExperiments == 1)
  }

  /// Files of the directory that hold the secret as it is.
  static func leaks(_ path: String) throws -> [String] {
    let files = FileManager.default
    let names = files.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
    return try names.filter { name in
      var isFolder: ObjCBool = false
      _ = files.fileExists(atPath: path + "/" + name, isDirectory: &isFolder)
      guard !isFolder.boolValue else { return false }
      let data = try Data(contentsOf: URL(fileURLWithPath: path + "/" + name))
      return data.range(of: Data(secret)) != nil
    }
  }

  @Test("nothing that a client said lies in database, log or files, and all of it reads back")
  func sealed() async throws {
    let directory = TemporaryDirectory()
    let key = MasterKey()
    let store = try Self.open(directory, key)
    let id = try await Self.tellSecrets(store)
    try Self.expectSecrets(store, id)
    #expect(try Self.leaks(directory.path).isEmpty)
    try store.close()
    #expect(try Self.leaks(directory.path).isEmpty)
    let again = try Self.open(directory, key)
    try Self.expectSecrets(again, id)
    try again.close()
  }

  @Test("a result that comes back from an archive is encrypted as it was")
  func restored() async throws {
    let directory = TemporaryDirectory()
    let key = MasterKey()
    let store = try Self.open(directory, key)
    let id = try await Self.tellSecrets(store)
    var gone = JobUpdate(jobID: id, attempt: 1)
    var change = RetentionChange()
    change.removesResult = true
    gone.retention = change
    _ = try await store.update(gone)
    #expect(throws: QubusError.self) { try store.resultChunk(id, item: 0, chunk: 0) }
    var back = JobUpdate(jobID: id, attempt: 1)
    back.result = Self.result(id)
    var restoration = RetentionChange()
    restoration.restoresResult = true
    back.retention = restoration
    _ = try await store.update(back)
    try Self.expectSecrets(store, id)
    #expect(try Self.leaks(directory.path).isEmpty)
    try store.close()
    #expect(try Self.leaks(directory.path).isEmpty)
  }

  @Test("without a master key the same store holds it plainly, and sealing leaves nothing of it")
  func sealedAfterwards() async throws {
    let directory = TemporaryDirectory()
    let plain = try Self.open(directory, nil)
    let id = try await Self.tellSecrets(plain)
    let session = SessionRecord(
      id: Identifier(high: 1, low: 2), principal: Self.principal("default"),
      request: Self.secret, seed: 1, openedAt: 1)
    plain.perform(.open(session) { _ in })
    try await plain.flush()
    #expect(try Self.leaks(directory.path).count >= 2)
    try plain.close()
    let sealedValues = Lock(0)
    let key = MasterKey()
    let store = try Self.open(directory, key) {
      $0.onSealed = { values in sealedValues.withLock { $0 = values } }
    }
    #expect(sealedValues.withLock { $0 } > 3)
    try Self.expectSecrets(store, id)
    #expect(try store.session(session.id)?.request == Self.secret)
    #expect(try Self.leaks(directory.path).isEmpty)
    try store.close()
    let again = try Self.open(directory, key) { $0.onSealed = { _ in Issue.record("twice") } }
    try Self.expectSecrets(again, id)
    try again.close()
  }

  @Test("a seal that runs out of space is gone on with at the next start")
  func interrupted() async throws {
    let directory = TemporaryDirectory()
    let plain = try Self.open(directory, nil)
    let id = try await Self.tellSecrets(plain)
    let ids = IdentifierSource(clock: ManualClock(1_000_000_000))
    for _ in 0..<300 {
      let record = JobRecord(
        id: ids.next(), principal: Self.principal("default"),
        request: Array(repeating: 1, count: 900))
      _ = try await plain.accept(
        record, [NewEvent(time: 1, kind: .statusChanged, status: .queued, attempt: 1)])
    }
    let count = Lock(0)
    try plain.control { db in
      let found = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
      count.withLock { $0 = found }
    }
    let pages = count.withLock { $0 }
    try plain.close()
    let key = MasterKey()
    let failure = await code {
      _ = try Self.open(directory, key) { $0.maximumDatabaseBytes = pages * 4096 }
    }
    #expect(failure == .diskFull)
    let store = try Self.open(directory, key)
    try Self.expectSecrets(store, id)
    #expect(try Self.leaks(directory.path).isEmpty)
    try store.close()
  }

  @Test("an encrypted store opens with its master key only")
  func masterKeys() async throws {
    let directory = TemporaryDirectory()
    let key = MasterKey()
    try Self.open(directory, key).close()
    #expect(await code { _ = try Self.open(directory, nil) } == .masterKeyRequired)
    do {
      _ = try Self.open(directory, MasterKey())
      Issue.record("another key opens it")
    } catch let error as QubusError {
      #expect(error.code == .wrongMasterKey && error.details["expected"] == key.idText)
    }
    try Self.open(directory, key).close()
  }

  @Test("a corrupt data key stops its tenant only, by name")
  func corruptKey() async throws {
    let directory = TemporaryDirectory()
    let key = MasterKey()
    let store = try Self.open(directory, key)
    try await store.change(.createTenant(TenantRecord(name: "lab", createdAt: 1)))
    let ids = IdentifierSource(clock: ManualClock())
    let own = try await Self.tellSecrets(store, tenant: "lab", id: ids.next())
    let other = try await Self.tellSecrets(store, id: ids.next())
    try store.control {
      try $0.execute(
        sql: "UPDATE tenant_keys SET wrapped = zeroblob(60) WHERE tenant = 'lab'")
    }
    try store.close()
    let again = try Self.open(directory, key)
    #expect(again.tenantsWithBrokenKeys == ["lab"])
    let job = try #require(try again.job(other))
    #expect(job.request == Self.secret)
    do {
      _ = try again.resultChunk(own, item: 0, chunk: 0)
      Issue.record("it reads")
    } catch {
      #expect(error.code == .tenantKeyCorrupt && error.message.contains("lab"))
    }
    let record = JobRecord(id: ids.next(), principal: Self.principal("lab"), request: [1])
    #expect(await code { _ = try await again.accept(record, []) } == .tenantKeyCorrupt)
    // Whoever lists all jobs sees that it is there.
    #expect(try again.jobs(JobFilter()).count == 2)
    #expect(try again.job(own)?.error?.code == .tenantKeyCorrupt)
    try again.close()
  }

  @Test("a destroyed key leaves ids, times and states of the tenant's jobs, for ever")
  func erased() async throws {
    let directory = TemporaryDirectory()
    let key = MasterKey()
    let store = try Self.open(directory, key)
    try await store.change(.createTenant(TenantRecord(name: "lab", createdAt: 1)))
    let ids = IdentifierSource(clock: ManualClock())
    let own = try await Self.tellSecrets(store, tenant: "lab", id: ids.next())
    var queued = JobRecord(id: ids.next(), principal: Self.principal("lab"), request: [1])
    queued.name = "late"
    _ = try await store.accept(
      queued, [NewEvent(time: 1, kind: .statusChanged, status: .queued, attempt: 1)])
    let wrapped = Lock<[UInt8]>([])
    try store.control { db in
      let rows = try KeyRows(db: db).all().filter { $0.tenant == "lab" }
      wrapped.withLock { $0 = rows.first?.wrapped ?? [] }
    }
    try await store.change(
      .eraseTenant("lab", at: 5), audit: .sample("tenant lab", method: "EraseTenant"))
    #expect(await code { _ = try store.result(own) } == .tenantErased)
    #expect(try store.entries().last?.method == "EraseTenant")
    let job = try #require(try store.job(own))
    #expect(job.status == .succeeded && job.request == [] && job.name == "")
    #expect(job.error?.code == .tenantErased)
    var end = JobUpdate(jobID: queued.id, attempt: 1, moves: [.failed])
    end.events = [NewEvent(time: 6, kind: .statusChanged, status: .failed, attempt: 1)]
    end.error = QubusError(.tenantErased, Self.text)
    _ = try await store.update(end)
    #expect(try store.job(queued.id)?.status == .failed)
    try store.close()
    let bytes = Data(wrapped.withLock { $0 })
    #expect(bytes.count == 60)
    for name in ["qubus.sqlite", "qubus.sqlite-wal"] {
      let file = FileManager.default.contents(atPath: directory.file(name)) ?? Data()
      #expect(file.range(of: bytes) == nil, "\(name)")
    }
    let again = try Self.open(directory, key)
    #expect(await code { _ = try again.result(own) } == .tenantErased)
    #expect(try again.jobs(JobFilter()).count == 2)
    try again.close()
  }

  @Test("a plain store has no key to destroy")
  func eraseOfPlain() async throws {
    let fixture = try StoreFixture(.sqlite)
    let erase = TenancyChange.eraseTenant("default", at: 5)
    #expect(await code { try await fixture.sqlite.change(erase) } == .invalidRequest)
    #expect(try fixture.sqlite.entries().isEmpty)
    fixture.close()
  }

  @Test("a value that was changed or moved to another row is refused")
  func moved() async throws {
    let directory = TemporaryDirectory()
    let store = try Self.open(directory, MasterKey())
    let ids = IdentifierSource(clock: ManualClock())
    let first = try await Self.tellSecrets(store, id: ids.next())
    let second = try await Self.tellSecrets(store, id: ids.next())
    try store.control {
      try $0.execute(
        sql: """
          UPDATE jobs SET request = (SELECT request FROM jobs ORDER BY job DESC LIMIT 1)
          WHERE job = (SELECT MIN(job) FROM jobs);
          UPDATE results SET manifest = (SELECT manifest FROM results ORDER BY job DESC LIMIT 1)
          WHERE job = (SELECT MIN(job) FROM results);
          """)
    }
    #expect(await code { _ = try store.job(first) } == .dataDirectoryCorrupt)
    #expect(await code { _ = try store.result(first) } == .resultCorrupt)
    #expect(try store.job(second)?.request == Self.secret)
    let blobs = store.blobs
    for folder in BlobFiles.entries(blobs.root) {
      for name in BlobFiles.entries("\(blobs.root)/\(folder)") {
        let path = "\(blobs.root)/\(folder)/\(name)"
        var bytes = [UInt8](try #require(FileManager.default.contents(atPath: path)))
        bytes[bytes.count / 4] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: path))
      }
    }
    #expect(
      await code { _ = try store.resultChunk(second, item: 1, chunk: 0) } == .resultCorrupt)
    try store.close()
  }

  @Test("every value has a nonce and a key of its own, and opens in its place only")
  func values() throws {
    let key = DataKey(Array(repeating: 3, count: 32))
    let other = DataKey(Array(repeating: 4, count: 32))
    let id = Identifier(high: 1, low: 2)
    var heads: Set<[UInt8]> = []
    for count in [0, 1, 15, 16, 1000] {
      let bytes = Array(repeating: UInt8(7), count: count)
      let sealed = try key.seal(bytes, at: .request(id))
      #expect(sealed.count == count + DataKey.overhead)
      #expect(key.open(sealed, at: .request(id)) == bytes)
      #expect(key.open(sealed, at: .request(Identifier(high: 1, low: 3))) == nil)
      #expect(key.open(sealed, at: .manifest(id)) == nil)
      #expect(other.open(sealed, at: .request(id)) == nil)
      #expect(key.open(Array(sealed.dropLast()), at: .request(id)) == nil)
      for i in stride(from: 8, to: sealed.count, by: 7) {
        var changed = sealed
        changed[i] ^= 1
        #expect(key.open(changed, at: .request(id)) == nil)
      }
      for _ in 0..<1000 { heads.insert(Array(try key.seal(bytes, at: .request(id))[8..<36])) }
    }
    #expect(heads.count == 5000)
    #expect(key.mark("a", of: "x") == key.mark("a", of: "x"))
    #expect(key.mark("a", of: "x") != key.mark("a", of: "y"))
    #expect(key.mark("a", of: "x") != other.mark("a", of: "x"))
  }
}
