import Foundation
import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusStoreSQLite

@Suite("Backup and restore")
struct BackupTests {
  private static func open(_ path: String, _ key: MasterKey?) throws -> SQLiteJobStore {
    var options = StoreOptions.forTests
    options.masterKey = key
    return try SQLiteJobStore(
      directory: path, codec: TestCodec(), clock: ManualClock(), options: options)
  }

  @Test(
    "a backup of a store at work is whole: all that was acknowledged before it is in it",
    arguments: [true, false])
  func online(_ isEncrypted: Bool) async throws {
    let directory = TemporaryDirectory()
    let key = isEncrypted ? MasterKey() : nil
    let store = try SealingTests.open(directory, key)
    let ids = IdentifierSource(clock: ManualClock())
    let id = try await SealingTests.tellSecrets(store, id: ids.next())
    try await store.record(.sample("before"))
    // It goes on writing meanwhile.
    let stop = Lock(false)
    let load = Task {
      while !stop.withLock({ $0 }) {
        let record = JobRecord(
          id: ids.next(), principal: SealingTests.principal("default"), request: [1, 2])
        _ = try await store.accept(
          record, [NewEvent(time: 1, kind: .statusChanged, status: .queued, attempt: 1)],
          audit: .sample("job \(record.id)"))
      }
    }
    let target = TemporaryDirectory()
    var known = 0
    for i in 0..<3 {
      known = try store.jobs(JobFilter()).count
      let report = try Backup().make(of: directory.path, to: target.path + "\(i)")
      #expect(report.jobs >= min(known, 100) && report.files == 1)
      #expect(report.isEncrypted == isEncrypted && report.auditRecords >= 1)
    }
    stop.withLock { $0 = true }
    _ = try await load.value
    try store.close()
    for i in 0..<3 {
      let backup = target.path + "\(i)"
      let restored = TemporaryDirectory()
      _ = try Backup().restore(backup, to: restored.path)
      if isEncrypted { #expect(try SealingTests.leaks(backup).isEmpty) }
      let copy = try Self.open(restored.path, key)
      try SealingTests.expectSecrets(copy, id)
      #expect(try copy.verifyAudit().brokenAt == nil)
      #expect(copy.auditKey.publicKey == store.auditKey.publicKey)
      try copy.close()
      try FileManager.default.removeItem(atPath: backup)
    }
  }

  @Test("a damaged backup is refused, and nothing is put in place")
  func damaged() async throws {
    let directory = TemporaryDirectory()
    let store = try SealingTests.open(directory, nil)
    _ = try await SealingTests.tellSecrets(store)
    for i in 0..<20 { try await store.record(.sample("\(i)")) }
    try store.close()
    let files = FileManager.default
    for damage in ["database", "cut", "file", "missing", "empty"] {
      let (backup, target) = (TemporaryDirectory(), TemporaryDirectory())
      _ = try Backup().make(of: directory.path, to: backup.path)
      let blobs = backup.file("blobs")
      let folder = try #require(try files.contentsOfDirectory(atPath: blobs).first)
      let name = try #require(try files.contentsOfDirectory(atPath: blobs + "/" + folder).first)
      let blob = "\(blobs)/\(folder)/\(name)"
      let database = backup.file("qubus.sqlite")
      switch damage {
      case "database":
        var bytes = try Data(contentsOf: URL(fileURLWithPath: database))
        let place = try #require(bytes.range(of: Data("because".utf8)))
        bytes.replaceSubrange(place, with: Data("becomes".utf8))
        try bytes.write(to: URL(fileURLWithPath: database))
      case "cut":
        let bytes = try Data(contentsOf: URL(fileURLWithPath: database))
        try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: database))
      case "file":
        var bytes = try Data(contentsOf: URL(fileURLWithPath: blob))
        bytes[10] ^= 1
        try bytes.write(to: URL(fileURLWithPath: blob))
      case "missing": try files.removeItem(atPath: blob)
      default: try files.removeItem(atPath: database)
      }
      #expect(
        await code { _ = try Backup().restore(backup.path, to: target.path) } == .backupInvalid,
        "\(damage)")
      #expect(!files.fileExists(atPath: target.path), "\(damage)")
    }
  }

  @Test("neither overwrites anything, and a folder without a store gives no backup")
  func refused() async throws {
    let directory = TemporaryDirectory()
    let store = try SealingTests.open(directory, nil)
    let backup = TemporaryDirectory()
    _ = try Backup().make(of: directory.path, to: backup.path)
    #expect(
      await code { _ = try Backup().make(of: directory.path, to: backup.path) }
        == .dataDirectoryNotWritable)
    #expect(
      await code { _ = try Backup().restore(backup.path, to: directory.path) }
        == .dataDirectoryNotWritable)
    #expect(
      await code { _ = try Backup().make(of: "/nowhere", to: backup.path + "2") }
        == .dataDirectoryCorrupt)
    try store.close()
  }
}
