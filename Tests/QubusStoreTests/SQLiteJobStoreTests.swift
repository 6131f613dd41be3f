import Foundation
import GRDB
import QubusCore
import QubusJobs
import Synchronization
import Testing

@testable import QubusStoreSQLite

/// What only a store on a disk can get right or wrong.
@Suite("SQLiteJobStore")
struct SQLiteJobStoreTests {
  private func open(
    _ directory: TemporaryDirectory, options: StoreOptions = .forTests
  ) throws -> SQLiteJobStore {
    try SQLiteJobStore(
      directory: directory.path, codec: TestCodec(), clock: ManualClock(), options: options)
  }

  @Test("the writer syncs fully, uses the log and checkpoints by itself only")
  func pragmas() throws {
    let fixture = try StoreFixture(.sqlite)
    try fixture.sqlite.control { db in
      let synchronous = try Int.fetchOne(db, sql: "PRAGMA synchronous")
      let mode = try String.fetchOne(db, sql: "PRAGMA journal_mode")
      let automatic = try Int.fetchOne(db, sql: "PRAGMA wal_autocheckpoint")
      #expect(synchronous == 2)
      #expect(mode == "wal")
      #expect(automatic == 0)
    }
    for _ in 0..<8 {
      try fixture.sqlite.readers.read { db in
        let automatic = try Int.fetchOne(db, sql: "PRAGMA wal_autocheckpoint")
        #expect(automatic == 0)
        #expect(throws: DatabaseError.self) { try db.execute(sql: "DELETE FROM jobs") }
      }
    }
  }

  @Test("directories are 0700 and files 0600")
  func permissions() async throws {
    let fixture = try StoreFixture(.sqlite)
    let job = try await fixture.running()
    _ = try await fixture.finish(job.id, with: [noise(2 << 20, seed: 3)])
    let files = FileManager.default
    let names = try files.subpathsOfDirectory(atPath: fixture.directory.path)
    #expect(names.contains("qubus.sqlite-wal"))
    #expect(names.contains { $0.hasPrefix("blobs/") && $0.count == 6 + 2 + 1 + 64 })
    for name in [""] + names {
      let attributes = try files.attributesOfItem(atPath: fixture.directory.file(name))
      let isFolder = attributes[.type] as? FileAttributeType == .typeDirectory
      let mode = attributes[.posixPermissions] as? Int
      #expect(mode == (isFolder ? 0o700 : 0o600), "\(name)")
    }
  }

  @Test("what was acknowledged is there after close, and after a crash")
  func durability() async throws {
    let fixture = try StoreFixture(.sqlite)
    let job = try await fixture.running()
    let result = try await fixture.finish(
      job.id, with: [noise(2 << 20, seed: 4), noise(100, seed: 5)])
    let open = try await fixture.accept(fixture.record(key: "k"))
    let expected = try fixture.store.jobs(JobFilter())
    let crashed = TemporaryDirectory()
    try FileManager.default.copyItem(atPath: fixture.directory.path, toPath: crashed.path)
    try FileManager.default.removeItem(atPath: crashed.file("qubus.sqlite-shm"))
    try fixture.store.close()
    #expect(!FileManager.default.fileExists(atPath: fixture.directory.file("qubus.sqlite-wal")))
    for directory in [fixture.directory, crashed] {
      let store = try self.open(directory)
      #expect(try store.jobs(JobFilter()) == expected)
      #expect(try store.unfinishedJobs().map(\.id) == [open.id])
      #expect(try store.result(job.id)?.0 == result.manifest)
      #expect(try store.resultChunk(job.id, item: 0, chunk: 31).count == 1 << 16)
      #expect(try store.events(job.id, after: 0, limit: 100).map(\.sequence) == Array(1...6))
      try store.control { db in
        let check = try String.fetchOne(db, sql: "PRAGMA integrity_check")
        #expect(check == "ok")
      }
      try store.close()
    }
  }

  @Test("a second daemon is locked out until the first closes")
  func locked() async throws {
    let fixture = try StoreFixture(.sqlite)
    do {
      _ = try open(fixture.directory)
      Issue.record("two daemons opened one directory")
    } catch let error as QubusError {
      #expect(error.code == .dataDirectoryLocked)
      #expect(error.details["pid"] == String(getpid()))
    }
    try fixture.store.close()
    try open(fixture.directory).close()
  }

  @Test("a newer data directory is refused and left as it is", arguments: [true, false])
  func newerVersion(_ isInLog: Bool) async throws {
    let directory = TemporaryDirectory()
    let store = try open(directory)
    try store.control { try $0.execute(sql: "PRAGMA user_version = 99") }
    let crashed = TemporaryDirectory()
    try FileManager.default.copyItem(atPath: directory.path, toPath: crashed.path)
    try store.close()
    let subject = isInLog ? crashed : directory
    let database = URL(fileURLWithPath: subject.file("qubus.sqlite"))
    let before = try Data(contentsOf: database)
    do {
      _ = try open(subject)
      Issue.record("a newer version was opened")
    } catch let error as QubusError {
      #expect(error.code == .dataDirectoryNewerVersion)
      #expect(error.details == ["found": "99", "known": "\(Schema.version)"])
    }
    #expect(try Data(contentsOf: database) == before)
  }

  @Test("a foreign or damaged file is refused", arguments: ["not a database", "SQLite format 3\0"])
  func foreignFile(_ content: String) async throws {
    let directory = TemporaryDirectory()
    try open(directory).close()
    try Data(content.utf8).write(to: URL(fileURLWithPath: directory.file("qubus.sqlite")))
    #expect(await code { _ = try open(directory) } == .dataDirectoryCorrupt)
  }

  @Test("a path below a file cannot be a data directory")
  func parentIsFile() async throws {
    let directory = TemporaryDirectory()
    try Data().write(to: URL(fileURLWithPath: directory.path))
    let below = directory.file("data")
    #expect(
      await code {
        _ = try SQLiteJobStore(directory: below, codec: TestCodec(), clock: ManualClock())
      } == .dataDirectoryNotWritable)
  }

  @Test("a flipped bit is told, in a row, in a file and in a manifest")
  func flippedBit() async throws {
    let fixture = try StoreFixture(.sqlite)
    let small = try await fixture.running()
    _ = try await fixture.finish(
      small.id, with: [noise(1000, seed: 6), Array(repeating: 1, count: 5000)])
    let large = try await fixture.running()
    let result = try await fixture.finish(large.id, with: [noise(2 << 20, seed: 7)])
    let store = fixture.sqlite
    try store.control { db in
      try db.execute(
        sql: """
          UPDATE result_chunks SET content =
            CAST(substr(content, 1, 19) || x'FF' || substr(content, 21) AS BLOB)
          WHERE content IS NOT NULL
          """)
      #expect(db.changesCount == 2)
    }
    let tiny = try await fixture.running()
    _ = try await fixture.finish(tiny.id, with: [[1, 2, 3], [4, 5]])
    try store.control { db in
      try db.execute(
        sql: """
          UPDATE results SET chunks = CAST(substr(chunks, 1, length(chunks) - 1) || x'FF' AS BLOB)
          WHERE chunks IS NOT NULL
          """)
      #expect(db.changesCount == 1)
    }
    #expect(try store.resultChunk(tiny.id, item: 0, chunk: 0) == [1, 2, 3])
    #expect(await code { _ = try store.resultChunk(tiny.id, item: 1, chunk: 0) } == .resultCorrupt)
    try store.control {
      try $0.execute(sql: "UPDATE results SET chunks = x'00' WHERE chunks IS NOT NULL")
    }
    #expect(await code { _ = try store.resultChunk(tiny.id, item: 0, chunk: 0) } == .resultCorrupt)
    for item in 0..<2 {
      #expect(
        await code { _ = try store.resultChunk(small.id, item: item, chunk: 0) }
          == .resultCorrupt)
    }
    let path = store.blobs.path(of: result.manifest.items[0].sha256)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes[70_000] ^= 0x10
    try bytes.write(to: URL(fileURLWithPath: path))
    _ = try store.resultChunk(large.id, item: 0, chunk: 0)
    #expect(
      await code { _ = try store.resultChunk(large.id, item: 0, chunk: 1) } == .resultCorrupt)
    try FileManager.default.removeItem(atPath: path)
    #expect(
      await code { _ = try store.resultChunk(large.id, item: 0, chunk: 0) } == .resultCorrupt)
    try store.control { try $0.execute(sql: "UPDATE results SET provenance = x'00'") }
    #expect(await code { _ = try store.result(large.id) } == .resultCorrupt)
  }

  @Test("ids that share a number are jobs of their own, up to the slots of a number")
  func sharedNumbers() async throws {
    let fixture = try StoreFixture(.sqlite)
    let store = fixture.sqlite
    let first = fixture.ids.next()
    let ids = (0..<17).map { Identifier(high: first.high, low: first.low ^ UInt64($0)) }
    func record(_ id: Identifier) -> JobRecord {
      var record = JobRecord(
        id: id, principal: Principal(tenant: "t", project: "p", name: "n"), request: [1])
      record.name = "\(id)"
      return record
    }
    for id in ids[..<16] { _ = try await fixture.accept(record(id)) }
    let again = record(ids[3])
    #expect(await code { _ = try await fixture.accept(again) } == .invariantViolated)
    let late = record(ids[16])
    #expect(await code { _ = try await fixture.accept(late) } == .storageUnavailable)
    let later = try await fixture.accept(fixture.record())
    for id in ids[..<16] {
      _ = try await store.update(fixture.move(id, .canceled))
      #expect(try store.job(id)?.name == "\(id)")
      #expect(try store.events(id, after: 0, limit: 10).map(\.sequence) == [1, 2, 3])
    }
    #expect(try store.job(ids[16]) == nil)
    #expect(try store.jobs(JobFilter()).count == 17)
    #expect(try store.unfinishedJobs().map(\.id) == [later.id])
    var page = JobFilter()
    page.before = later.id
    #expect(Set(try store.jobs(page).map(\.id)) == Set(ids[..<16]))
  }

  @Test("requests around the length that leaves the row come back as they were")
  func requestLengths() async throws {
    let fixture = try StoreFixture(.sqlite)
    for count in [0, 1, 1023, 1024, 1025, 100_000] {
      var record = fixture.record()
      record.request = noise(count, seed: UInt64(count))
      let id = try await fixture.accept(record).id
      #expect(try fixture.store.job(id)?.request == record.request)
      #expect(try fixture.store.jobs(JobFilter()).first?.request == record.request)
    }
  }

  @Test("the queue is bounded: submits are shed first, and everything else goes on")
  func queueBound() async throws {
    var options = StoreOptions.forTests
    options.queueCapacity = 4
    let fixture = try StoreFixture(.sqlite, options: options)
    let job = try await fixture.running()
    let gate = Gate.hold(fixture.sqlite)
    let shed = Tally()
    let done = Tally()
    for _ in 0..<6 {
      fixture.store.perform(
        .accept(fixture.record(), [fixture.event(.accepted)]) { result in
          switch result {
          case .success: done.add()
          case .failure(let error):
            #expect(error.code == .serverOverloaded)
            #expect(error.retryAfterMilliseconds != nil)
            shed.add()
          }
        })
    }
    #expect(shed.count == 2)
    #expect(done.count == 0)
    var progress = JobUpdate(jobID: job.id, attempt: 1)
    progress.shotsDone = 1
    fixture.store.perform(.update(progress) { _ in done.add() })
    gate.open()
    try await fixture.store.flush()
    #expect(done.count == 5)
    #expect(shed.count == 2)
  }

  @Test("a command that fails does not spoil its group")
  func groupIsolation() async throws {
    let fixture = try StoreFixture(.sqlite)
    let job = try await fixture.running()
    let gate = Gate.hold(fixture.sqlite)
    let good = Tally()
    let bad = Tally()
    for i in 0..<40 {
      let isBad = i % 4 == 3
      fixture.store.perform(
        .accept(
          fixture.record(key: isBad ? "k0" : "k\(i)", fingerprint: isBad ? 9 : 1),
          [fixture.event(.accepted), fixture.event(.queued)]
        ) { result in
          if case .success = result { good.add() } else { bad.add() }
        })
      fixture.store.perform(
        .update(fixture.move(job.id, .reserved)) { result in
          if case .failure = result { bad.add() }
        })
    }
    gate.open()
    try await fixture.store.flush()
    #expect(good.count == 30)
    #expect(bad.count == 50)
    #expect(try fixture.store.jobs(JobFilter()).count == 31)
    #expect(try fixture.store.job(job.id)?.status == .running)
  }

  @Test("a statement that fails unexpectedly is answered alone")
  func statementFailure() async throws {
    let fixture = try StoreFixture(.sqlite)
    try fixture.sqlite.control { db in
      try db.execute(
        sql: """
          CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.reason = 'poison'
          BEGIN SELECT RAISE(ABORT, 'poisoned'); END
          """)
    }
    let gate = Gate.hold(fixture.sqlite)
    let good = Tally()
    let bad = Tally()
    for i in 0..<10 {
      var event = fixture.event(.accepted)
      event.reason = i == 5 ? "poison" : ""
      fixture.store.perform(
        .accept(fixture.record(), [event]) { result in
          if case .success = result { good.add() } else { bad.add() }
        })
    }
    gate.open()
    try await fixture.store.flush()
    #expect(good.count == 9)
    #expect(bad.count == 1)
    #expect(try fixture.store.jobs(JobFilter()).count == 9)
  }

  @Test("a flush waits for a large result, other jobs do not")
  func flushFollowsPreparation() async throws {
    let fixture = try StoreFixture(.sqlite)
    let job = try await fixture.running()
    var update = fixture.move(job.id, .processingResults, .succeeded)
    update.result = fixture.result(job.id, [noise(8 << 20, seed: 8)])
    let isStored = Tally()
    fixture.store.perform(.update(update) { if case .success = $0 { isStored.add() } })
    var note = JobUpdate(jobID: job.id, attempt: 1)
    note.annotations = ["after": "result"]
    note.events = [
      NewEvent(time: 1, kind: .annotationAdded, status: .succeeded, attempt: 1)
    ]
    let noted = try await fixture.store.update(note)
    #expect(isStored.count == 1, "commands of one job keep their order")
    #expect(noted.map(\.sequence) == [7])
    try await fixture.store.flush()
  }

  @Test("an idle writer brings the log back into the database")
  func checkpoint() async throws {
    var options = StoreOptions.forTests
    options.checkpointPages = 0
    options.checkpointLimitPages = 20
    options.checkpointIdleMilliseconds = 0
    let fixture = try StoreFixture(.sqlite, options: options)
    for _ in 0..<200 { _ = try await fixture.accept(fixture.record()) }
    let log = URL(fileURLWithPath: fixture.directory.file("qubus.sqlite-wal"))
    #expect(try Data(contentsOf: log).count == options.logReserveBytes, "the log did not grow")
    let database = URL(fileURLWithPath: fixture.directory.file("qubus.sqlite"))
    #expect(try Data(contentsOf: database).count > 100 << 10)
    #expect(try fixture.store.jobs(JobFilter()).count == 100)
  }
}
