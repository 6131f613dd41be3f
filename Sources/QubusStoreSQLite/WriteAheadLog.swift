internal import GRDB
internal import GRDBSQLite
internal import Glibc
internal import QubusCore

/// The write-ahead log as the writer keeps it: laid out in advance, checkpointed by it alone.
///
/// A commit that overwrites existing blocks needs no journal entry of the file system, which halves
/// the time of its fsync. A log of zeros is an empty log: no frame carries the salt of its header.
/// - Source: SQLite, "WAL-mode File Format" §4; `walIndexRecover` ignores a header without magic.
final class WriteAheadLog {
  private let db: Database
  /// Pages in the log, kept up to date by SQLite's hook after every commit.
  private let pages: UnsafeMutablePointer<Int32>

  init(_ db: Database) {
    self.db = db
    pages = .allocate(capacity: 1)
    pages.initialize(to: 0)
    sqlite3_wal_hook(
      db.sqliteConnection,
      { context, _, _, pages in
        context?.assumingMemoryBound(to: Int32.self).pointee = pages
        return SQLITE_OK
      }, pages)
  }

  deinit {
    sqlite3_wal_hook(db.sqliteConnection, nil, nil)
    pages.deallocate()
  }

  var pageCount: Int { Int(pages.pointee) }

  enum Mode { case passive, restart, truncate }

  /// Copies the log into the database file; the next commit starts it anew when all was copied.
  /// - Throws: what SQLite answers, except for a busy reader, which only means "later".
  func checkpoint(_ mode: Mode) throws(SQLiteFailure) {
    var inLog: Int32 = 0
    var copied: Int32 = 0
    let number =
      switch mode {
      case .passive: SQLITE_CHECKPOINT_PASSIVE
      case .restart: SQLITE_CHECKPOINT_RESTART
      case .truncate: SQLITE_CHECKPOINT_TRUNCATE
      }
    let result = sqlite3_wal_checkpoint_v2(
      db.sqliteConnection, nil, number, &inLog, &copied)
    switch result & 0xFF {
    case SQLITE_OK: pages.pointee = copied == inLog ? 0 : inLog - copied
    case SQLITE_BUSY, SQLITE_LOCKED: break
    default: throw SQLiteFailure(connection: db.sqliteConnection)
    }
  }

  /// Empties the log and fills it with zeros, before the first reader opens. Best effort: without
  /// space the log grows as it is used.
  func reserve(bytes: Int, databasePath: String) throws(SQLiteFailure) {
    try checkpoint(.truncate)
    guard bytes > 0 else { return }
    let file = open(databasePath + "-wal", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    defer { close(file) }
    let zeros = [UInt8](repeating: 0, count: 1 << 20)
    var left = bytes
    while left > 0 {
      let wrote = write(file, zeros, min(left, zeros.count))
      guard wrote > 0 else { break }
      left -= wrote
    }
    guard left == 0, fsync(file) == 0 else {
      ftruncate(file, 0)
      return
    }
  }
}
