internal import CLogFile
internal import GRDB
internal import GRDBSQLite
internal import QubusCore

/// Opens the writer's connection: version check, WAL, full sync, migrations, a log laid out.
enum DatabaseOpening {
  static func open(
    _ directory: DataDirectory, options: StoreOptions
  ) throws(QubusError) -> DatabaseQueue {
    do {
      let result = qubus_log_file_register()
      guard result == SQLITE_OK else {
        throw SQLiteFailure(code: result, message: "SQLite knows no file system here")
      }
      try refuseNewerVersion(directory)
      var configuration = Configuration()
      configuration.busyMode = .timeout(5)
      configuration.label = "qubus.store.writer"
      let database = try DatabaseQueue(
        path: directory.databasePath, configuration: configuration)
      try database.writeWithoutTransaction { db in
        try configure(db, options: options)
        try migrate(db)
        try WriteAheadLog(db).reserve(
          bytes: options.logReserveBytes, databasePath: directory.databasePath)
      }
      return database
    } catch let error as QubusError {
      throw error
    } catch {
      throw SQLiteFailure(error).error(at: directory.databasePath)
    }
  }

  /// The header said it already, unless a crash left the newer version in the log. A read-only
  /// connection does not checkpoint when it closes, so a newer database stays as it is.
  private static func refuseNewerVersion(_ directory: DataDirectory) throws {
    var configuration = Configuration()
    configuration.readonly = true
    let look = try DatabaseQueue(path: directory.databasePath, configuration: configuration)
    defer { try? look.close() }
    let found = try look.unsafeRead { try Int.fetchOne($0, sql: "PRAGMA user_version") } ?? 0
    guard found <= Schema.version else {
      throw DataDirectory.newerVersion(directory.path, found: found)
    }
  }

  private static func configure(_ db: Database, options: StoreOptions) throws {
    let mode = try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL")
    guard mode == "wal" else {
      throw QubusError(
        .storageUnavailable, "the file system of the data directory does not support WAL")
    }
    // With recursive triggers a REPLACE is a DELETE to the trigger of the audit. Synchronous last,
    // because GRDB and the change of the journal mode may lower it.
    try db.execute(
      sql: """
        PRAGMA wal_autocheckpoint = 0;
        PRAGMA journal_size_limit = -1;
        PRAGMA cache_size = -16000;
        PRAGMA recursive_triggers = ON;
        PRAGMA synchronous = FULL;
        """)
    // What is overwritten or removed leaves nothing in the pages: neither a key nor plain text.
    if options.masterKey != nil { try db.execute(sql: "PRAGMA secure_delete = ON") }
    if let bytes = options.maximumDatabaseBytes {
      let size = try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 4096
      try db.execute(sql: "PRAGMA max_page_count = \(max(1, bytes / size))")
    }
  }

  private static func migrate(_ db: Database) throws {
    let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
    guard found < Schema.version else { return }
    try db.inTransaction(.immediate) {
      for migration in Schema.migrations[found...] { try db.execute(sql: migration) }
      try db.execute(
        sql: """
          PRAGMA application_id = \(Schema.applicationID);
          PRAGMA user_version = \(Schema.version);
          """)
      return .commit
    }
  }
}
