internal import GRDB
internal import QubusCore

/// A data directory that no daemon has open, for commands that change it.
struct OfflineStore {
  let directory: DataDirectory

  /// - Throws: `data_directory_locked` while a daemon runs; `data_directory_corrupt` when there is
  ///   no store.
  init(_ path: String) throws(QubusError) {
    try Self.mustExist(path)
    directory = try DataDirectory(path: path)
  }

  static func mustExist(_ path: String) throws(QubusError) {
    guard BlobFiles.entries(path).contains("qubus.sqlite") else {
      throw QubusError(.dataDirectoryCorrupt, "\(path) holds no store")
    }
  }

  /// One transaction on the database, of the present schema.
  func change<Value: Sendable>(
    _ options: StoreOptions, _ body: @Sendable (Database) throws -> Value
  ) throws(QubusError) -> Value {
    let database = try DatabaseOpening.open(directory, options: options)
    defer { try? database.close() }
    do {
      return try database.writeWithoutTransaction { db in
        var value: Value?
        try db.inTransaction(.immediate) {
          value = try body(db)
          return .commit
        }
        // What was overwritten shall not stay in the log.
        try db.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
        guard let value else { throw QubusError(.internalError, "a transaction gave nothing") }
        return value
      }
    } catch let error as QubusError {
      throw error
    } catch {
      throw SQLiteFailure(error).error(at: directory.databasePath)
    }
  }
}
