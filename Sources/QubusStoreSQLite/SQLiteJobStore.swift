internal import Dispatch
internal import Foundation
internal import GRDB
package import QubusCore
package import QubusJobs
internal import QubusTenancy

/// The durable home of jobs: one SQLite database in WAL mode and files for large results.
///
/// One thread writes, in groups: whatever waits shares one transaction and one fsync, and nothing
/// waits for company. A completion runs after the commit, on that thread. Commands of one job keep
/// their order; a result above 16 KiB is prepared beside the writer, and commands of other jobs may
/// overtake it, flushes not.
package final class SQLiteJobStore: JobStore {
  let directory: DataDirectory
  private let database: DatabaseQueue
  let queue: WriteQueue
  private let writer: StoreWriter
  let codec: any JobCodec
  let options: StoreOptions
  private let isClosed = Lock(false)
  private let preparerFinished = DispatchSemaphore(value: 0)
  let readers: ReaderPool
  let clock: any Clock
  let auditKey: AuditKey
  /// Nil: nothing is encrypted.
  let vault: Vault?
  let owners = JobOwners()
  /// Files that no row named at the last look.
  let unnamedFiles = Lock<Set<[UInt8]>>([])
  package let serviceID: Identifier
  var blobs: BlobFiles { directory.blobs }

  package var schemaVersion: Int { Schema.version }

  /// Tenants whose wrapped data keys are damaged: what they have cannot be read, and nothing new of
  /// theirs is taken.
  package var tenantsWithBrokenKeys: [String] { vault?.broken ?? [] }

  /// Opens a data directory, making or migrating it where needed.
  /// - Throws: `data_directory_not_writable`, `data_directory_locked`,
  ///   `data_directory_newer_version`, `data_directory_corrupt`, `disk_full`,
  ///   `storage_unavailable`; `invalid_key` when others may read `audit.key`.
  package init(
    directory path: String, codec: any JobCodec, clock: any Clock,
    options: StoreOptions = StoreOptions()
  ) throws(QubusError) {
    let directory = try DataDirectory(path: path)
    self.directory = directory
    self.codec = codec
    self.options = options
    self.clock = clock
    database = try DatabaseOpening.open(directory, options: options)
    vault = try VaultOpening(database, directory, options).open(clock)
    readers = try ReaderPool(path: directory.databasePath, count: options.readerCount)
    serviceID = try Self.serviceID(readers)
    auditKey = try AuditKey(directory: path)
    queue = WriteQueue(capacity: options.queueCapacity, byteCapacity: options.queueBytes)
    writer = StoreWriter(
      database: database, directory: directory, queue: queue, codec: codec, clock: clock,
      daemonID: options.daemonID ?? IdentifierSource(clock: clock).next(), options: options,
      vault: vault)
    writer.start()
    startPreparer()
  }

  private static func serviceID(_ readers: ReaderPool) throws(QubusError) -> Identifier {
    try readers.read { db in
      let select = try db.ready("SELECT id FROM service")
      defer { select.rewind() }
      guard try select.step(), case var row = select.row, let id = row.identifier() else {
        throw QubusError(.dataDirectoryCorrupt, "the database is damaged: it has no service id")
      }
      return id
    }
  }

  /// Lets the threads end; only `close` waits for them.
  deinit { queue.refuse(QubusError(.storageUnavailable, "the store is gone")) }

  private func startPreparer() {
    let preparer = ResultPreparer(
      queue: queue, codec: codec, blobs: directory.blobs, inlineLimit: options.inlineResultBytes,
      onFatal: { [writer] in writer.fail($0) })
    let finished = preparerFinished
    let thread = Thread {
      preparer.run()
      finished.signal()
    }
    thread.name = "qubus-results"
    thread.start()
  }

  package func perform(_ command: StoreCommand) {
    do throws(QubusError) {
      enqueue(try task(command))
    } catch {
      Self.refuse(command, error)
    }
  }

  package func expectCommand() { queue.expect() }

  func enqueue(_ task: WriteTask) {
    if let refusal = queue.enqueue(task) { task.fail(refusal) }
  }

  private static func refuse(_ command: StoreCommand, _ error: QubusError) {
    switch command {
    case .accept(_, _, _, let completion): completion(.failure(error))
    case .update(_, let completion): completion(.failure(error))
    case .flush(let completion): completion(.failure(error))
    }
  }

  /// Runs `body` on the writer's connection between transactions and waits for it.
  func control(_ body: @escaping @Sendable (Database) throws -> Void) throws(QubusError) {
    let done = DispatchSemaphore(value: 0)
    let answer = Lock<Result<Void, QubusError>?>(nil)
    let task = WriteTask(
      .control(body) { result in
        answer.withLock { $0 = result }
        done.signal()
      })
    if let refusal = queue.enqueue(task) { throw refusal }
    done.wait()
    try answer.withLock { $0 }?.get()
  }

  /// What the writer does when an fsync fails.
  func failDisk(_ failure: SQLiteFailure) { writer.fail(failure) }

  package func close() throws(QubusError) {
    let wasClosed = isClosed.withLock { closed in
      defer { closed = true }
      return closed
    }
    guard !wasClosed else { return }
    queue.refuse(QubusError(.storageUnavailable, "the store is closed"))
    preparerFinished.wait()
    writer.join()
    // Readers first: the last connection to close checkpoints, and that has to be the writer.
    readers.close()
    defer { directory.release() }
    do {
      try database.close()
    } catch { throw SQLiteFailure(error).error(at: directory.path) }
  }
}
