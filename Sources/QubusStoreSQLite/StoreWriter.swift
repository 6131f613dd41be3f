internal import Dispatch
internal import Foundation
internal import GRDB
internal import QubusCore
internal import QubusJobs

/// The one thread that writes: drains what waits into one transaction, commits, then answers.
final class StoreWriter: Sendable {
  private let database: DatabaseQueue
  /// Held until the last commit, so that no other daemon gets the lock before.
  private let directory: DataDirectory
  private let queue: WriteQueue
  private let codec: any JobCodec
  private let clock: any Clock
  private let daemonID: Identifier
  private let options: StoreOptions
  private let vault: Vault?
  private let hasFailed = Lock(false)
  private let finished = DispatchSemaphore(value: 0)

  init(
    database: DatabaseQueue, directory: DataDirectory, queue: WriteQueue, codec: any JobCodec,
    clock: any Clock, daemonID: Identifier, options: StoreOptions, vault: Vault?
  ) {
    self.database = database
    self.directory = directory
    self.queue = queue
    self.codec = codec
    self.clock = clock
    self.daemonID = daemonID
    self.options = options
    self.vault = vault
  }

  private var path: String { directory.path }

  func start() {
    let thread = Thread { [self] in
      if let processor = options.writerProcessor { ProcessorSet.keepThread(on: [processor]) }
      run()
      finished.signal()
    }
    thread.name = "qubus-store"
    thread.start()
  }

  /// Waits for the thread to end; the queue must refuse by then.
  func join() { finished.wait() }

  /// Stops trusting the disk: refuses everything from now on and tells the daemon, once.
  func fail(_ failure: SQLiteFailure) {
    let isFirst = hasFailed.withLock { failed in
      defer { failed = true }
      return !failed
    }
    guard isFirst else { return }
    let error = failure.error(at: path)
    queue.refuse(QubusError(.storageUnavailable, error.message, cause: error.cause))
    options.onFatal(error)
  }

  private func run() {
    do {
      // The connection stays with this thread until the end.
      try database.writeWithoutTransaction { db in
        let executor = try CommandExecutor(
          db, codec: codec, daemonID: daemonID, clock: clock, vault: vault)
        loop(db, executor, WriteAheadLog(db))
      }
    } catch {
      fail(SQLiteFailure(error))
      refuseRest()
    }
  }

  private func loop(_ db: Database, _ executor: CommandExecutor, _ log: WriteAheadLog) {
    while true {
      let group = queue.take(options.groupLimit)
      guard !group.isEmpty else {
        let isLong = log.pageCount > options.checkpointPages
        let wake = queue.wait(
          milliseconds: isLong ? options.checkpointIdleMilliseconds : nil,
          noteMilliseconds: options.noteMilliseconds)
        guard wake != .work else { continue }
        let notes = queue.takeNotes()
        if !notes.isEmpty {
          write(notes, db, executor, log)
        } else if wake == .idle, isLong {
          checkpoint(log, .passive)
        }
        if wake == .finished { return }
        continue
      }
      write(group, db, executor, log)
    }
  }

  private func write(
    _ group: [WriteTask], _ db: Database, _ executor: CommandExecutor, _ log: WriteAheadLog
  ) {
    guard !hasFailed.withLock({ $0 }) else { return refuse(group) }
    run(group, db, executor)
    if log.pageCount > options.checkpointLimitPages { bound(log) }
  }

  /// Control commands stand between groups; everything else shares a transaction.
  private func run(_ group: [WriteTask], _ db: Database, _ executor: CommandExecutor) {
    var members: [WriteTask] = []
    for task in group {
      guard case .control(let body, _) = task.work else {
        members.append(task)
        continue
      }
      commit(members, executor)
      members = []
      // It may have written anything.
      executor.audit.forgetTail()
      let result = Result { try body(db) }.mapError { error in
        (error as? QubusError) ?? SQLiteFailure(error).error(at: path)
      }
      task.complete(.done(result))
    }
    commit(members, executor)
  }

  /// One transaction; a command whose statement fails unexpectedly is answered alone and the others
  /// are carried out again without it.
  private func commit(_ group: [WriteTask], _ executor: CommandExecutor) {
    var tasks = group
    while !tasks.isEmpty {
      var outcomes: [WriteTask.Outcome] = []
      var hasBegun = false
      do throws(SQLiteFailure) {
        try executor.begin()
        hasBegun = true
        for task in tasks { outcomes.append(try executor.execute(task.work)) }
        try finish(tasks, outcomes, executor)
        return
      } catch {
        executor.rollback()
        guard hasBegun, error.kind == .statement, outcomes.count < tasks.count else {
          if error.kind == .fatal { fail(error) }
          let answer = error.error(at: path)
          for task in tasks { task.fail(answer, keepsFlushes: error.kind == .full) }
          return
        }
        tasks.remove(at: outcomes.count).fail(error.error(at: path))
      }
    }
  }

  /// The order on which every acknowledgement rests: durable first, then answered.
  private func finish(
    _ tasks: [WriteTask], _ outcomes: [WriteTask.Outcome], _ executor: CommandExecutor
  ) throws(SQLiteFailure) {
    #if QUBUS_FAULT_INJECTION
      if FaultPoint.acknowledgesBeforeCommit {
        return try answerBeforeCommit(tasks, outcomes, executor)
      }
      reachFaultPoints(tasks)
    #endif
    try executor.commit()
    for (task, outcome) in zip(tasks, outcomes) { task.complete(outcome) }
  }

  #if QUBUS_FAULT_INJECTION
    /// The wrong order, which the crash harness has to find. Never in a product.
    private func answerBeforeCommit(
      _ tasks: [WriteTask], _ outcomes: [WriteTask.Outcome], _ executor: CommandExecutor
    ) throws(SQLiteFailure) {
      for (task, outcome) in zip(tasks, outcomes) { task.complete(outcome) }
      FaultPoint.widen(microseconds: 2000)
      FaultPoint.acknowledgedUncommitted.reached()
      try executor.commit()
    }

    private func reachFaultPoints(_ tasks: [WriteTask]) {
      for task in tasks {
        switch task.work {
        case .accept: FaultPoint.acceptedUncommitted.reached()
        case .update(let work) where work.update.moves.last?.isTerminal == true:
          FaultPoint.terminalUncommitted.reached()
        case .update, .flush, .session, .tenancy, .cut, .use, .quotes, .control: break
        }
      }
    }
  #endif

  private func refuse(_ tasks: [WriteTask]) {
    let error = QubusError(.storageUnavailable, "\(path): the disk failed; restart the daemon")
    for task in tasks { task.fail(error) }
  }

  private func refuseRest() {
    while true {
      refuse(queue.takeNotes() + queue.take(options.groupLimit))
      if queue.wait(milliseconds: nil) == .finished { return }
    }
  }

  // The log

  private func checkpoint(_ log: WriteAheadLog, _ mode: WriteAheadLog.Mode) {
    do throws(SQLiteFailure) {
      try log.checkpoint(mode)
    } catch {
      // Without space the log stays as it is: nothing is lost, and the next one tries again.
      if error.kind == .fatal { fail(error) }
    }
  }

  /// A busy writer copies beside its readers; only when one of them pins the log far above its
  /// limit does the writer wait for it.
  private func bound(_ log: WriteAheadLog) {
    checkpoint(log, .passive)
    if log.pageCount > 8 * options.checkpointLimitPages { checkpoint(log, .restart) }
  }
}
