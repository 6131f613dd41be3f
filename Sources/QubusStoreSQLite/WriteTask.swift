internal import GRDB
internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// A command on its way to the writer, encoded on the caller's thread. A class, so that moving a
/// queue moves pointers.
final class WriteTask: Sendable {
  struct Accept: Sendable {
    var record: JobRecord
    var events: [NewEvent]
    var bodies: [[UInt8]]
    var columns: JobColumns
    var audit: AuditEntry?
    var completion: @Sendable (Result<AcceptOutcome, QubusError>) -> Void
  }
  struct Update: Sendable {
    var update: JobUpdate
    var bodies: [[UInt8]]
    var error: [UInt8]?
    var annotations: [UInt8]?
    /// Seals the result; nil: it is stored plain.
    var key: DataKey?
    /// Nil when there is no result, or none prepared yet.
    var result: StoredResult?
    var completion: @Sendable (Result<[JobEvent], QubusError>) -> Void
  }
  enum Work: Sendable {
    case accept(Accept)
    case update(Update)
    case flush(@Sendable (Result<Void, QubusError>) -> Void)
    case session(SessionCommand)
    /// All changes with one entry, or none; without changes the entry alone.
    case tenancy(
      [TenancyChange], AuditEntry, @Sendable (Result<Void, QubusError>) -> Void)
    /// Removes the audit up to a record that is kept as a signed checkpoint.
    case cut(AuditCheckpoint, AuditEntry, @Sendable (Result<Void, QubusError>) -> Void)
    /// Replaces what principals used.
    case use([UsedService], @Sendable (Result<Void, QubusError>) -> Void)
    /// Writes what was told of starts, and when they were.
    case quotes([StartQuoteRecord], @Sendable (Result<Void, QubusError>) -> Void)
    /// Runs between transactions, on the writer's connection.
    case control(@Sendable (Database) throws -> Void, @Sendable (Result<Void, QubusError>) -> Void)
  }

  /// What a command came to within its group; delivered once the group is committed.
  enum Outcome {
    case accepted(Result<AcceptOutcome, QubusError>)
    case updated(Result<[JobEvent], QubusError>)
    case opened(Result<SessionRecord, QubusError>)
    case done(Result<Void, QubusError>)
  }

  let work: Work
  /// Bytes held while waiting, for the bound of the queue.
  let bytes: Int
  /// True when the result has to be compressed or written to files first.
  let needsPreparation: Bool

  init(_ work: Work, bytes: Int = 0, needsPreparation: Bool = false) {
    self.work = work
    self.bytes = bytes
    self.needsPreparation = needsPreparation
  }

  var updatedJob: Identifier? {
    if case .update(let work) = work { work.update.jobID } else { nil }
  }

  func complete(_ outcome: Outcome) {
    switch (work, outcome) {
    case (.accept(let work), .accepted(let result)): work.completion(result)
    case (.update(let work), .updated(let result)): work.completion(result)
    case (.flush(let completion), .done(let result)): completion(result)
    case (.control(_, let completion), .done(let result)): completion(result)
    case (.tenancy(_, _, let completion), .done(let result)): completion(result)
    case (.cut(_, _, let completion), .done(let result)): completion(result)
    case (.use(_, let completion), .done(let result)): completion(result)
    case (.quotes(_, let completion), .done(let result)): completion(result)
    case (.session(.open(_, _, let completion)), .opened(let result)): completion(result)
    case (.session(let command), .done(let result)): command.done(result)
    case (.accept, _), (.update, _), (.flush, _), (.control, _), (.session, _), (.tenancy, _),
      (.cut, _), (.use, _), (.quotes, _):
      preconditionFailure("an outcome of another kind of command")
    }
  }

  /// - Parameter keepsFlushes: true when the disk still is what it was: everything before a flush
  ///   then is durable or has been refused, which is all that a flush waits for.
  func fail(_ error: QubusError, keepsFlushes: Bool = false) {
    if keepsFlushes, case .flush = work { return complete(.done(.success(()))) }
    complete(failure(error))
  }

  func failure(_ error: QubusError) -> Outcome {
    switch work {
    case .accept: .accepted(.failure(error))
    case .update: .updated(.failure(error))
    case .session(.open): .opened(.failure(error))
    case .flush, .control, .session, .tenancy, .cut, .use, .quotes: .done(.failure(error))
    }
  }
}

extension SessionCommand {
  /// Answers a command that gives nothing but its success.
  func done(_ result: Result<Void, QubusError>) {
    switch self {
    case .open: preconditionFailure("an open answers with its session")
    case .journal(_, let completion), .charge(_, let completion),
      .end(_, _, _, _, _, _, let completion),
      .startOptimization(_, let completion), .checkpoint(_, let completion),
      .endOptimization(_, _, _, let completion):
      completion(result)
    }
  }
}
