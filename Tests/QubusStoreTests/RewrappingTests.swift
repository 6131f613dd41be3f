import Foundation
import GRDB
import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusStoreSQLite

/// Another master key for the same data.
@Suite("Rewrapping")
struct RewrappingTests {
  private static func rewrap(
    _ directory: TemporaryDirectory, _ old: MasterKey, _ new: MasterKey,
    _ options: StoreOptions = .forTests
  ) throws -> Rewrapping.Report {
    try Rewrapping(directory: directory.path).run(
      from: old, to: new, by: "uid:0", at: 7, options: options)
  }

  @Test("after it the new master key opens everything, the old one nothing, and the audit knows")
  func rewraps() async throws {
    let directory = TemporaryDirectory()
    let (old, new) = (MasterKey(), MasterKey())
    let store = try SealingTests.open(directory, old)
    let id = try await SealingTests.tellSecrets(store)
    #expect(
      await code { _ = try Self.rewrap(directory, old, new) } == .dataDirectoryLocked)
    try store.close()
    let report = try Self.rewrap(directory, old, new)
    #expect(report.rewrapped == 1 && report.broken.isEmpty)
    #expect(await code { _ = try SealingTests.open(directory, old) } == .wrongMasterKey)
    let again = try SealingTests.open(directory, new)
    try SealingTests.expectSecrets(again, id)
    #expect(try again.entries().last?.method == "rewrap")
    #expect(try again.verifyAudit().brokenAt == nil)
    try again.close()
  }

  @Test("with a wrong old key, or without space, everything stays as it was")
  func refused() async throws {
    let directory = TemporaryDirectory()
    let (old, new) = (MasterKey(), MasterKey())
    let store = try SealingTests.open(directory, old)
    let id = try await SealingTests.tellSecrets(store)
    for i in 0..<200 {
      try await store.change(.createTenant(TenantRecord(name: "t\(i)", createdAt: 1)))
    }
    try store.close()
    #expect(await code { _ = try Self.rewrap(directory, new, old) } == .wrongMasterKey)
    let before = try Data(contentsOf: URL(fileURLWithPath: directory.file("qubus.sqlite")))
    // A trigger stands for a disk that fails in the middle of the transaction.
    let database = try DatabaseQueue(path: directory.file("qubus.sqlite"))
    try await database.writeWithoutTransaction {
      try $0.execute(
        sql: """
          CREATE TRIGGER broken BEFORE UPDATE ON tenant_keys WHEN NEW.tenant = 't57'
          BEGIN SELECT RAISE(ABORT, 'the disk is gone'); END
          """)
    }
    try database.close()
    #expect(await code { _ = try Self.rewrap(directory, old, new) } == .storageUnavailable)
    let repaired = try DatabaseQueue(path: directory.file("qubus.sqlite"))
    try await repaired.writeWithoutTransaction { try $0.execute(sql: "DROP TRIGGER broken") }
    try repaired.close()
    #expect(!before.isEmpty)
    let again = try SealingTests.open(directory, old)
    #expect(again.tenantsWithBrokenKeys == [])
    try SealingTests.expectSecrets(again, id)
    try again.close()
  }

  @Test("a key that cannot be opened is told and left; the others are wrapped anew")
  func broken() async throws {
    let directory = TemporaryDirectory()
    let (old, new) = (MasterKey(), MasterKey())
    let store = try SealingTests.open(directory, old)
    let id = try await SealingTests.tellSecrets(store)
    try await store.change(.createTenant(TenantRecord(name: "lab", createdAt: 1)))
    try store.control {
      try $0.execute(sql: "UPDATE tenant_keys SET wrapped = x'00' WHERE tenant = 'lab'")
    }
    try store.close()
    let report = try Self.rewrap(directory, old, new)
    #expect(report.rewrapped == 1 && report.broken == ["lab"])
    let again = try SealingTests.open(directory, new)
    #expect(again.tenantsWithBrokenKeys == ["lab"])
    try SealingTests.expectSecrets(again, id)
    try again.close()
  }

  @Test("a key file is 64 hexadecimal digits that nobody else can read")
  func files() async throws {
    let directory = TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: directory.path, withIntermediateDirectories: true)
    let path = directory.file("master.key")
    #expect(await code { _ = try MasterKey(file: path) } == .invalidKey)
    let key = MasterKey()
    try Data((key.text + "\n").utf8).write(to: URL(fileURLWithPath: path))
    chmod(path, 0o640)
    #expect(await code { _ = try MasterKey(file: path) } == .invalidKey)
    chmod(path, 0o600)
    #expect(try MasterKey(file: path).id == key.id)
    for wrong in ["", "00", key.text + "0", String(key.text.dropLast()) + "g", key.text + " x"] {
      try Data(wrong.utf8).write(to: URL(fileURLWithPath: path))
      chmod(path, 0o600)
      #expect(await code { _ = try MasterKey(file: path) } == .invalidKey, "\(wrong.count)")
    }
  }
}
