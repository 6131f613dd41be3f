internal import QubusCore
internal import QubusJobs

extension CommandExecutor {
  func update(
    _ work: WriteTask.Update
  ) throws(SQLiteFailure) -> Result<[JobEvent], QubusError> {
    let update = work.update
    guard let row = try head(of: update.jobID) else {
      return .failure(QubusError(.jobNotFound, "no job \(update.jobID)"))
    }
    let head: JobHead
    let events: [JobEvent]
    do throws(QubusError) {
      (head, events) = try row.head.applying(update)
    } catch {
      return .failure(error)
    }
    if let time = update.retention?.removedExpiry, try !expires(row.job, at: time) {
      return .failure(.restoredMeanwhile(update.jobID))
    }
    let storedAt: Microseconds? =
      head.status.isTerminal && !row.head.status.isTerminal ? clock.now() : nil
    try write(work, from: row, to: head, storedAt: storedAt)
    try insertEvents(events, bodies: work.bodies, job: row.job, owner: row.owner)
    if let result = work.result {
      if update.retention?.restoresResult == true { try restore(row.job) }
      try insertResult(result, job: row.job, owner: row.owner)
    }
    if let change = update.retention { try apply(change, to: row.job) }
    if let change = update.withholding { try apply(change, to: row.job) }
    if update.lane != nil || update.priority != nil { try place(update, row.job) }
    if row.isPriced, let storedAt {
      try ledger.settle(update, row, as: head.status, at: storedAt)
    }
    for entry in update.audit { try audit.append(entry) }
    return .success(events)
  }

  private func apply(_ change: WithholdingChange, to job: Int64) throws(SQLiteFailure) {
    _ = try write("UPDATE jobs SET withheld = (withheld | ?1) & ~?2 WHERE job = ?3") {
      $0.add(Int64(change.adds.rawValue))
      $0.add(Int64(change.removes.rawValue))
      $0.add(job)
    }
  }

  private func place(_ update: JobUpdate, _ job: Int64) throws(SQLiteFailure) {
    _ = try write(
      "UPDATE jobs SET lane = COALESCE(?, lane), priority = COALESCE(?, priority) WHERE job = ?"
    ) {
      $0.add(update.lane)
      $0.add(update.priority.map { Int64($0) })
      $0.add(job)
    }
  }

  private func write(
    _ work: WriteTask.Update, from row: HeadRow, to head: JobHead, storedAt: Microseconds?
  ) throws(SQLiteFailure) {
    let update = work.update
    let statement =
      update.moves.isEmpty && head.attempt == row.head.attempt
      ? sql.updateJob : sql.moveJob
    statement.rewind()
    statement.add(head.lastSequence)
    statement.add(update.reason)
    statement.add(head.attempt)
    add(update.phases ?? PhaseLedger(), storedAt: storedAt, to: statement)
    statement.add(update.device)
    statement.add(update.shotsDone.map { Int64(bitPattern: $0) })
    statement.add(work.error)
    statement.add(work.annotations)
    statement.add(update.cancelRequested.map { $0 ? Int64(1) : 0 })
    statement.add(work.result != nil)
    if statement === sql.moveJob {
      statement.add(UInt32(head.status.rawValue))
      let isClaimed =
        switch head.status {
        case .reserved, .running, .processingResults: true
        case .accepted, .queued, .succeeded, .failed, .canceled, .expired: false
        }
      statement.add(isClaimed ? daemonID : nil)
      statement.add(isClaimed ? Int64(head.attempt) : nil)
    }
    statement.add(row.job)
    try statement.run()
  }
}
