internal import GRDB
internal import QubusCore

/// Read-only connections, used from any thread; each serves one caller at a time.
final class ReaderPool: Sendable {
  private struct State {
    /// Callers at each connection, the one inside and those that wait.
    var callers: [Int]
    var isClosed = false
  }
  private let readers: [DatabaseQueue]
  private let path: String
  private let state: Lock<State>

  init(path: String, count: Int) throws(QubusError) {
    self.path = path
    var configuration = Configuration()
    configuration.readonly = true
    configuration.busyMode = .timeout(5)
    configuration.label = "qubus.store.reader"
    // The writer alone checkpoints (SQLite's WAL-reset bug, fixed in 3.51.3, needs two).
    configuration.prepareDatabase { try $0.execute(sql: "PRAGMA wal_autocheckpoint = 0") }
    do {
      readers = try (0..<max(1, count)).map { _ in
        try DatabaseQueue(path: path, configuration: configuration)
      }
    } catch { throw SQLiteFailure(error).error(at: path) }
    state = Lock(State(callers: Array(repeating: 0, count: readers.count)))
  }

  /// Runs `body` on the connection with the fewest callers.
  func read<Value>(
    _ body: (Database) throws -> Value
  ) throws(QubusError) -> Value {
    let index: Int? = state.withLock { state in
      guard !state.isClosed else { return nil }
      var best = 0
      for i in state.callers.indices where state.callers[i] < state.callers[best] { best = i }
      state.callers[best] += 1
      return best
    }
    guard let index else { throw QubusError(.storageUnavailable, "the store is closed") }
    defer { state.withLock { $0.callers[index] -= 1 } }
    do {
      return try readers[index].unsafeRead(body)
    } catch let error as QubusError {
      throw error
    } catch {
      throw SQLiteFailure(error).error(at: path)
    }
  }

  /// Waits for the reads in progress and closes every connection.
  func close() {
    state.withLock { $0.isClosed = true }
    for reader in readers { try? reader.close() }
  }
}

extension Database {
  /// A statement of this connection, prepared once per connection.
  func ready(_ sql: String) throws -> SQLStatement {
    let statement = SQLStatement(try cachedStatement(sql: sql), of: self)
    statement.rewind()
    return statement
  }
}
