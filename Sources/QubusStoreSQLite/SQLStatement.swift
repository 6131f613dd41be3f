internal import GRDB
internal import GRDBSQLite
internal import QubusCore

/// A prepared statement that is bound and read by position, without boxing values.
///
/// GRDB owns connection and statement; the hot path goes to SQLite itself, because an accept binds
/// some 70 values.
final class SQLStatement {
  private let statement: Statement
  private let handle: OpaquePointer
  private let connection: OpaquePointer?
  private var index: Int32 = 0
  private static let copies = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

  init(_ statement: Statement, of db: Database) {
    self.statement = statement
    handle = statement.sqliteStatement
    connection = db.sqliteConnection
  }

  /// Makes ready for the first value.
  func rewind() {
    sqlite3_reset(handle)
    index = 0
  }

  func add(_ value: Int64) {
    index += 1
    check(sqlite3_bind_int64(handle, index, value))
  }
  func add(_ value: Int64?) {
    guard let value else { return addNull() }
    add(value)
  }
  func add(_ value: UInt64) { add(Int64(bitPattern: value)) }
  func add(_ value: Int) { add(Int64(value)) }
  func add(_ value: UInt32) { add(Int64(value)) }
  func add(_ value: Bool) { add(Int64(value ? 1 : 0)) }

  func add(_ value: Double) {
    index += 1
    check(sqlite3_bind_double(handle, index, value))
  }

  func addNull() {
    index += 1
    check(sqlite3_bind_null(handle, index))
  }

  func add(_ text: String) {
    index += 1
    var text = text
    let result = text.withUTF8 { utf8 in
      // A nil pointer would bind NULL.
      utf8.isEmpty
        ? sqlite3_bind_text(handle, index, "", 0, Self.copies)
        : utf8.withMemoryRebound(to: CChar.self) {
          sqlite3_bind_text64(
            handle, index, $0.baseAddress, UInt64($0.count), Self.copies, UInt8(SQLITE_UTF8))
        }
    }
    check(result)
  }
  func add(_ text: String?) {
    guard let text else { return addNull() }
    add(text)
  }

  func add(_ bytes: [UInt8]) {
    index += 1
    holdsLargeValue = holdsLargeValue || bytes.count > 1 << 16
    let result = bytes.withUnsafeBytes { raw in
      raw.isEmpty
        ? sqlite3_bind_zeroblob(handle, index, 0)
        : sqlite3_bind_blob64(handle, index, raw.baseAddress, UInt64(raw.count), Self.copies)
    }
    check(result)
  }
  func add(_ bytes: [UInt8]?) {
    guard let bytes else { return addNull() }
    add(bytes)
  }

  func add(_ id: Identifier) {
    index += 1
    let words = (id.high.bigEndian, id.low.bigEndian)
    check(
      withUnsafeBytes(of: words) {
        sqlite3_bind_blob64(handle, index, $0.baseAddress, 16, Self.copies)
      })
  }
  func add(_ id: Identifier?) {
    guard let id else { return addNull() }
    add(id)
  }

  /// SQLite keeps its copies until the next binding; large ones are let go at once.
  private var holdsLargeValue = false
  private var bindFailure: Int32 = SQLITE_OK
  private func check(_ result: Int32) {
    // Reported by the next step: binding fails only on memory or a value above SQLite's limit.
    if result != SQLITE_OK { bindFailure = result }
  }

  /// Advances to the next row; false at the end.
  func step() throws(SQLiteFailure) -> Bool {
    if bindFailure != SQLITE_OK {
      defer { bindFailure = SQLITE_OK }
      throw SQLiteFailure(
        code: bindFailure, message: "a value cannot be bound: it is too large for a row")
    }
    switch sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE:
      sqlite3_reset(handle)
      if holdsLargeValue {
        sqlite3_clear_bindings(handle)
        holdsLargeValue = false
      }
      return false
    default:
      let failure = SQLiteFailure(connection: connection)
      sqlite3_reset(handle)
      throw failure
    }
  }

  /// Runs a statement that answers no rows.
  func run() throws(SQLiteFailure) {
    while try step() {}
  }

  /// Rows that the last statement of the connection wrote or removed.
  var changedRows: Int { Int(sqlite3_changes64(connection)) }

  /// The columns of the present row, to be read in order.
  var row: SQLRow { SQLRow(handle: handle) }
}

/// Reads the columns of a row from left to right.
struct SQLRow {
  private let handle: OpaquePointer
  private var index: Int32 = 0

  init(handle: OpaquePointer) { self.handle = handle }

  mutating func integer() -> Int64 {
    defer { index += 1 }
    return sqlite3_column_int64(handle, index)
  }

  mutating func optionalInteger() -> Int64? {
    guard sqlite3_column_type(handle, index) != SQLITE_NULL else {
      index += 1
      return nil
    }
    return integer()
  }

  mutating func real() -> Double {
    defer { index += 1 }
    return sqlite3_column_double(handle, index)
  }

  mutating func unsigned() -> UInt64 { UInt64(bitPattern: integer()) }
  mutating func boolean() -> Bool { integer() != 0 }

  mutating func text() -> String {
    defer { index += 1 }
    guard let bytes = sqlite3_column_text(handle, index) else { return "" }
    let count = Int(sqlite3_column_bytes(handle, index))
    return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
  }

  mutating func optionalText() -> String? {
    guard sqlite3_column_type(handle, index) != SQLITE_NULL else {
      index += 1
      return nil
    }
    return text()
  }

  mutating func blob() -> [UInt8] {
    defer { index += 1 }
    guard let bytes = sqlite3_column_blob(handle, index) else { return [] }
    let count = Int(sqlite3_column_bytes(handle, index))
    return Array(UnsafeRawBufferPointer(start: bytes, count: count))
  }

  mutating func optionalBlob() -> [UInt8]? {
    guard sqlite3_column_type(handle, index) != SQLITE_NULL else {
      index += 1
      return nil
    }
    return blob()
  }

  mutating func identifier() -> Identifier? {
    defer { index += 1 }
    guard sqlite3_column_bytes(handle, index) == 16,
      let bytes = sqlite3_column_blob(handle, index)
    else { return nil }
    return Identifier(
      high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
      low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
  }
}
