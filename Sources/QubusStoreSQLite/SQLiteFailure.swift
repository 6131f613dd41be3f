internal import GRDB
internal import GRDBSQLite
internal import Glibc
internal import QubusCore

/// What SQLite or the file system answered, before it becomes an error of the registry.
struct SQLiteFailure: Error {
  /// Extended result code.
  var code: Int32
  var message: String
  /// `errno` of the failed call, 0 when there was none.
  var systemError: Int32 = 0

  init(code: Int32, message: String, systemError: Int32 = 0) {
    self.code = code
    self.message = message
    self.systemError = systemError
  }

  init(connection: OpaquePointer?) {
    code = sqlite3_extended_errcode(connection)
    message = String(cString: sqlite3_errmsg(connection))
    systemError = sqlite3_system_errno(connection)
    if code & 0xFF == SQLITE_IOERR, systemError == 0 {
      systemError = Self.lastError(ofFilesOf: connection)
    }
  }

  /// SQLite keeps `errno` of a failed write with the file, and has lost it in the connection by the
  /// time the transaction is rolled back.
  private static func lastError(ofFilesOf connection: OpaquePointer?) -> Int32 {
    var log: UnsafeMutablePointer<sqlite3_file>?
    sqlite3_file_control(connection, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log)
    var code: Int32 = 0
    if let log, let methods = log.pointee.pMethods {
      _ = methods.pointee.xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &code)
    }
    if code == 0 { sqlite3_file_control(connection, "main", SQLITE_FCNTL_LAST_ERRNO, &code) }
    return code
  }

  init(_ error: any Error) {
    switch error {
    case let failure as SQLiteFailure: self = failure
    case let error as DatabaseError:
      self.init(code: error.extendedResultCode.rawValue, message: error.message ?? "\(error)")
    default: self.init(code: SQLITE_ERROR, message: "\(error)")
    }
  }

  static func isNoSpace(_ systemError: Int32) -> Bool {
    systemError == ENOSPC || systemError == EDQUOT || systemError == EFBIG
  }

  enum Kind {
    /// No space; nothing was written, and reading goes on.
    case full
    /// The disk cannot be trusted: what was synced may be lost, so nothing may be acknowledged.
    case fatal
    /// One statement failed; the fault lies in the command, not in the disk.
    case statement
  }

  var kind: Kind {
    switch code & 0xFF {
    case SQLITE_FULL: .full
    case SQLITE_IOERR:
      // After a failed fsync the page cache no longer tells what is on the disk.
      Self.isNoSpace(systemError) && code != Self.fsync && code != Self.directoryFsync
        ? .full : .fatal
    case SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_CANTOPEN, SQLITE_READONLY: .fatal
    default: .statement
    }
  }

  static let corrupt = SQLITE_CORRUPT
  static let constraint = SQLITE_CONSTRAINT

  // Composite macros that Swift does not import.
  static let fsync = SQLITE_IOERR | 4 << 8
  static let directoryFsync = SQLITE_IOERR | 5 << 8

  func error(at path: String) -> QubusError {
    let cause = "SQLite \(code), errno \(systemError): \(message)"
    switch code & 0xFF {
    case SQLITE_CORRUPT, SQLITE_NOTADB:
      return QubusError(.dataDirectoryCorrupt, "\(path) is damaged: \(message)", cause: cause)
    default: break
    }
    switch kind {
    case .full:
      return QubusError(
        .diskFull, "no space for \(path); nothing was written", retryAfterMilliseconds: 5000,
        cause: cause)
    case .fatal, .statement:
      return QubusError(.storageUnavailable, "\(path): \(message)", cause: cause)
    }
  }
}
