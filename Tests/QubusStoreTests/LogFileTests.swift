import CLogFile
import Foundation
import GRDBSQLite
import Testing

/// A write-ahead log opened the way SQLite opens it.
private final class OpenLog {
  let path: String
  private let file: UnsafeMutablePointer<sqlite3_file>
  private var methods: sqlite3_io_methods { file.pointee.pMethods.pointee }

  init(_ path: String) throws {
    self.path = path
    try #require(qubus_log_file_register() == SQLITE_OK)
    let vfs = try #require(sqlite3_vfs_find("qubus"))
    let bytes = Int(vfs.pointee.szOsFile)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    file = memory.assumingMemoryBound(to: sqlite3_file.self)
    let flags = SQLITE_OPEN_WAL | SQLITE_OPEN_CREATE | SQLITE_OPEN_READWRITE
    try #require(vfs.pointee.xOpen(vfs, path, file, flags, nil) == SQLITE_OK)
  }

  deinit {
    if file.pointee.pMethods != nil { _ = methods.xClose(file) }
    UnsafeMutableRawPointer(file).deallocate()
  }

  func write(_ bytes: [UInt8], at offset: Int) -> Int32 {
    methods.xWrite(file, bytes, Int32(bytes.count), sqlite3_int64(offset))
  }

  /// Bytes behind the end are 0, as SQLite has it.
  func read(_ count: Int, at offset: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xEE, count: count)
    _ = methods.xRead(file, &bytes, Int32(count), sqlite3_int64(offset))
    return bytes
  }

  func truncate(_ size: Int) -> Int32 { methods.xTruncate(file, sqlite3_int64(size)) }
  func sync() -> Int32 { methods.xSync(file, SQLITE_SYNC_NORMAL) }
  var size: Int {
    var size: sqlite3_int64 = -1
    _ = methods.xFileSize(file, &size)
    return Int(size)
  }

  /// What another process sees.
  var onDisk: [UInt8] { FileManager.default.contents(atPath: path).map { [UInt8]($0) } ?? [] }
}

@Suite("The log's file") struct LogFileTests {
  private let directory = TemporaryDirectory()

  private func open() throws -> OpenLog {
    try FileManager.default.createDirectory(
      atPath: directory.path, withIntermediateDirectories: true)
    // A log takes over the permissions of its database.
    try Data().write(to: URL(fileURLWithPath: directory.file("x")))
    return try OpenLog(directory.file("x-wal"))
  }

  private func header(databasePages: UInt8, mark: UInt8 = 7) -> [UInt8] {
    [0, 0, 0, 1, 0, 0, 0, databasePages] + [UInt8](repeating: mark, count: 16)
  }

  @Test("frames go to the file together, with the one that commits")
  func together() throws {
    let log = try open()
    let (first, second) = ([UInt8](repeating: 1, count: 4096), [UInt8](repeating: 2, count: 4096))
    #expect(log.write(header(databasePages: 0), at: 32) == SQLITE_OK)
    #expect(log.write(first, at: 56) == SQLITE_OK)
    #expect(log.write(header(databasePages: 9), at: 4152) == SQLITE_OK)
    #expect(log.onDisk.isEmpty)
    #expect(log.write(second, at: 4176) == SQLITE_OK)
    let all = header(databasePages: 0) + first + header(databasePages: 9) + second
    let isTogether = log.onDisk == [UInt8](repeating: 0, count: 32) + all
    #expect(isTogether)
  }

  @Test("whoever asks anything of the file finds what was written")
  func asked() throws {
    let log = try open()
    let page = (0..<4096).map { UInt8(truncatingIfNeeded: $0) }
    _ = log.write(header(databasePages: 0), at: 0)
    _ = log.write(page, at: 24)
    #expect(log.onDisk.isEmpty)
    #expect(log.read(8, at: 26) == [2, 3, 4, 5, 6, 7, 8, 9])
    _ = log.write(header(databasePages: 0), at: 4120)
    #expect(log.size == 4144)
    _ = log.write(page, at: 4144)
    #expect(log.sync() == SQLITE_OK && log.onDisk.count == 8240)
  }

  @Test("a full disk is told by the write that commits, and the log goes on after it")
  func full() throws {
    let log = try open()
    let page = [UInt8](repeating: 3, count: 4096)
    // No file reaches behind the largest offset.
    let far = Int(Int64.max) - 5000
    #expect(log.write(header(databasePages: 1), at: far) == SQLITE_OK)
    #expect(log.write(page, at: far + 24) != SQLITE_OK)
    #expect(log.write(header(databasePages: 1), at: 0) == SQLITE_OK)
    #expect(log.write(page, at: 24) == SQLITE_OK && log.onDisk.count == 4120)
  }

  @Test("any order of calls leaves the file as without it")
  func anyOrder() throws {
    for seed in UInt64(1)...20 {
      var random = StepRandom(state: seed)
      let log = try open()
      _ = log.truncate(0)
      var model: [UInt8] = []
      for _ in 0..<200 {
        let isNext = random.below(3) > 0
        let offset = isNext ? model.count : random.below(model.count + 40)
        switch random.below(12) {
        case 0:
          let size = random.below(model.count + 1)
          #expect(log.truncate(size) == SQLITE_OK)
          model.removeLast(model.count - size)
        case 1:
          // Compared outside of the expectations, which would print megabytes.
          let isSame = log.sync() == SQLITE_OK && log.onDisk == model
          #expect(isSame, "seed \(seed)")
        case 2: #expect(log.size == model.count, "seed \(seed)")
        case 3:
          let count = random.below(600) + 1
          let known = Array(model.dropFirst(offset).prefix(count))
          let read = log.read(count, at: offset)
          let isKnown = read == known + [UInt8](repeating: 0, count: count - known.count)
          #expect(isKnown, "seed \(seed)")
        case 4...7: write(header(databasePages: UInt8(random.below(2))), offset)
        default:
          let count = random.below(50) == 0 ? 100_000 : 512 << random.below(4)
          write([UInt8](repeating: UInt8(random.below(256)), count: count), offset)
        }
        func write(_ bytes: [UInt8], _ offset: Int) {
          #expect(log.write(bytes, at: offset) == SQLITE_OK)
          let end = offset + bytes.count
          if model.count < end { model += [UInt8](repeating: 0, count: end - model.count) }
          model.replaceSubrange(offset..<end, with: bytes)
        }
      }
      let isSame = log.read(model.count + 1, at: 0) == model + [0]
      #expect(isSame, "seed \(seed)")
    }
  }
}

/// A small generator of its own seed, so that a failure can be run again.
private struct StepRandom {
  var state: UInt64

  mutating func below(_ limit: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % max(1, limit)
  }
}
