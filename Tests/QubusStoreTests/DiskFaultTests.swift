import Foundation
import GRDB
import Glibc
import QubusCore
import QubusJobs
import Testing

@testable import QubusStoreSQLite

/// The disk says no: out of space, not writable, broken.
@Suite("SQLiteJobStore on a failing disk")
struct DiskFaultTests {
  @Test("a full database fails the whole group, serves reads and recovers")
  func fullDatabase() async throws {
    let fixture = try StoreFixture(.sqlite)
    let store = fixture.sqlite
    let kept = try await fixture.running()
    let before = try store.jobs(JobFilter())
    try store.control { db in
      let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
      try db.execute(sql: "PRAGMA max_page_count = \(pages)")
    }
    let gate = Gate.hold(store)
    let full = Tally()
    for i in 0..<20 {
      var record = fixture.record()
      record.request = Array(repeating: 7, count: i == 10 ? 100_000 : 10)
      store.perform(
        .accept(record, [fixture.event(.accepted)]) { result in
          guard case .failure(let error) = result else { return }
          #expect(error.code == .diskFull)
          full.add()
        })
    }
    gate.open()
    try await store.flush()
    #expect(full.count == 20)
    #expect(try store.jobs(JobFilter()) == before)
    #expect(try store.events(kept.id, after: 0, limit: 100).count == 4)
    try store.control { db in
      try db.execute(sql: "PRAGMA max_page_count = 1000000")
      let check = try String.fetchOne(db, sql: "PRAGMA integrity_check")
      #expect(check == "ok")
    }
    _ = try await fixture.accept(fixture.record())
    #expect(try store.jobs(JobFilter()).count == 2)
  }

  // In a process of its own: the limit on file sizes holds for the whole process.
  @Test("no space for log or result files is disk_full until there is space again")
  func fullVolume() async {
    await #expect(processExitsWith: .success) {
      signal(SIGXFSZ, SIG_IGN)
      var options = StoreOptions.forTests
      options.logReserveBytes = 0
      let fixture = try StoreFixture(.sqlite, options: options)
      let store = fixture.sqlite
      let job = try await fixture.running()
      let before = try store.jobs(JobFilter())
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      let whole = limit
      limit.rlim_cur = 512 << 10
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      var large = fixture.record()
      large.request = Array(repeating: 1, count: 1 << 20)
      let record = large
      let logCode = await code { _ = try await fixture.accept(record) }
      var update = fixture.move(job.id, .processingResults, .succeeded)
      update.result = fixture.result(job.id, [noise(2 << 20, seed: 9)])
      let end = update
      let fileCode = await code { _ = try await store.update(end) }
      let during = try store.jobs(JobFilter())
      var restored = whole
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &restored)
      expect(logCode == .diskFull, "log: \(String(describing: logCode))")
      expect(fileCode == .diskFull, "file: \(String(describing: fileCode))")
      expect(during == before, "reads during the fault")
      _ = try await fixture.accept(record)
      _ = try await store.update(end)
      let status = try store.job(job.id)?.status
      expect(status == .succeeded, "status afterwards")
      try store.control { db in
        let check = try String.fetchOne(db, sql: "PRAGMA integrity_check")
        expect(check == "ok", "integrity_check")
      }
      try store.close()
    }
  }

  // As another user, which takes root and a process of its own.
  @Test("a directory of another user is not writable", .enabled(if: getuid() == 0))
  func notWritable() async {
    await #expect(processExitsWith: .success) {
      let directory = TemporaryDirectory()
      expect(mkdir(directory.path, 0o755) == 0, "mkdir")
      expect(setgid(65534) == 0 && setuid(65534) == 0, "setuid")
      for path in [directory.path, directory.file("below")] {
        let found = await code {
          _ = try SQLiteJobStore(directory: path, codec: TestCodec(), clock: ManualClock())
        }
        expect(found == .dataDirectoryNotWritable, "\(String(describing: found))")
      }
    }
  }

  @Test("an I/O error is fatal: told once, nothing is acknowledged any more")
  func fatal() async throws {
    let fatal = Tally()
    var options = StoreOptions.forTests
    options.onFatal = { error in
      #expect(error.code == .storageUnavailable)
      fatal.add()
    }
    let fixture = try StoreFixture(.sqlite, options: options)
    _ = try await fixture.accept(fixture.record())
    let store = fixture.sqlite
    let failure = SQLiteFailure(code: SQLiteFailure.fsync, message: "fsync", systemError: EIO)
    store.failDisk(failure)
    store.failDisk(failure)
    #expect(fatal.count == 1)
    let record = fixture.record()
    #expect(await code { _ = try await fixture.accept(record) } == .storageUnavailable)
    #expect(try store.jobs(JobFilter()).count == 1)
  }

  @Test(
    "errors of the disk are told apart",
    arguments: [
      (13, 0, SQLiteFailure.Kind.full),
      (10 | 3 << 8, ENOSPC, .full),
      (10 | 3 << 8, EDQUOT, .full),
      (10 | 3 << 8, EIO, .fatal),
      (10 | 4 << 8, EIO, .fatal),
      (10 | 4 << 8, ENOSPC, .fatal),
      (10 | 5 << 8, EIO, .fatal),
      (11, 0, .fatal),
      (19, 0, .statement),
    ] as [(Int32, Int32, SQLiteFailure.Kind)])
  func kinds(_ code: Int32, _ systemError: Int32, _ kind: SQLiteFailure.Kind) {
    #expect(SQLiteFailure(code: code, message: "", systemError: systemError).kind == kind)
  }
}

/// An expectation in a process of its own: says on stderr what failed, and fails the process.
private func expect(_ condition: Bool, _ what: String) {
  guard !condition else { return }
  FileHandle.standardError.write(Data("failed: \(what)\n".utf8))
  exit(1)
}
