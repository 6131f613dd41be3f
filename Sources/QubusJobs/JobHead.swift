package import QubusCore

/// The part of a job that decides whether a change is legal; every store asks it.
package struct JobHead: Sendable, Hashable {
  package var id: Identifier
  package var status: JobStatus
  package var attempt: UInt32
  package var lastSequence: UInt64

  package init(id: Identifier, status: JobStatus, attempt: UInt32, lastSequence: UInt64) {
    self.id = id
    self.status = status
    self.attempt = attempt
    self.lastSequence = lastSequence
  }

  /// The head after `update`, and its events with their sequences.
  /// - Throws: `illegal_transition` for another attempt, a forbidden move, or a place in the queue
  ///   of a job that left it,
  ///   `job_already_finished` for a move or a result after the end, `invariant_violated` when a
  ///   move has no event.
  package func applying(
    _ update: JobUpdate
  ) throws(QubusError) -> (head: JobHead, events: [JobEvent]) {
    guard update.attempt == attempt else {
      throw QubusError(
        .illegalTransition,
        "job \(id) is at attempt \(attempt); a change of attempt \(update.attempt) came too late",
        details: ["attempt": String(attempt)])
    }
    var next = self
    for move in update.moves {
      try next.status.validateMove(to: move)
      next.status = move
    }
    let told = update.events.lazy.filter { $0.kind == .statusChanged }.map(\.status)
    guard told.elementsEqual(update.moves) else {
      throw QubusError(
        .invariantViolated, "job \(id): every move needs its status.changed event, in order")
    }
    // Written by another thread than the moves, it may come after them, even after the end.
    guard !update.isQueueNews || status == .queued else {
      throw QubusError(.illegalTransition, "job \(id) is \(status.word) and has left the queue")
    }
    let isRestored = update.retention?.restoresResult == true
    guard update.result == nil || !status.isTerminal || isRestored else {
      throw QubusError(.jobAlreadyFinished, "job \(id) is \(status.word); its result is final")
    }
    guard update.retention == nil || next.status.isTerminal else {
      throw QubusError(
        .illegalTransition, "job \(id) is \(next.status.word): nothing of it expires before its end"
      )
    }
    if let newAttempt = update.newAttempt {
      guard newAttempt > attempt else {
        throw QubusError(
          .illegalTransition, "job \(id): attempt \(newAttempt) does not follow \(attempt)")
      }
      next.attempt = newAttempt
    }
    let events = next.number(update.events, from: status)
    return (next, events)
  }

  /// Gives events the next sequences of the job. An annotation is made in the state that the job is
  /// in by now; its writer may have known an older one.
  mutating func number(_ events: [NewEvent], from start: JobStatus) -> [JobEvent] {
    var current = start
    return events.map { event in
      lastSequence += 1
      if event.kind == .statusChanged { current = event.status }
      return JobEvent(
        jobID: id, sequence: lastSequence, time: event.time, kind: event.kind,
        status: event.kind == .annotationAdded ? current : event.status, reason: event.reason,
        attempt: event.attempt, body: event.body)
    }
  }
}

extension JobUpdate {
  /// Whether it tells of nothing but a place in the queue.
  package var isQueueNews: Bool {
    moves.isEmpty && !events.isEmpty && events.allSatisfy { $0.kind == .queueMoved }
  }
}

extension JobRecord {
  package var head: JobHead {
    JobHead(id: id, status: status, attempt: attempt, lastSequence: lastSequence)
  }

  /// The record and events of a job at its acceptance. The status is that of the last
  /// `status.changed` event, so that row and history agree.
  /// - Throws: `illegal_transition` when the events do not follow from `accepted`.
  package func accepting(
    _ events: [NewEvent]
  ) throws(QubusError) -> (record: JobRecord, events: [JobEvent]) {
    var head = JobHead(id: id, status: .accepted, attempt: attempt, lastSequence: 0)
    var record = self
    var isFirst = true
    for event in events where event.kind == .statusChanged {
      if !(isFirst && event.status == .accepted) {
        try head.status.validateMove(to: event.status)
      }
      head.status = event.status
      isFirst = false
    }
    if !isFirst { record.status = head.status }
    let numbered = head.number(events, from: .accepted)
    record.lastSequence = head.lastSequence
    return (record, numbered)
  }

  /// Carries out an update that `JobHead.applying` has validated.
  /// - Parameter storedAt: time of the commit, becomes the ledger's when the job ends.
  mutating func apply(_ update: JobUpdate, head: JobHead, storedAt: Microseconds) {
    let ends = head.status.isTerminal && !status.isTerminal
    status = head.status
    attempt = head.attempt
    lastSequence = head.lastSequence
    reason = update.reason ?? reason
    if let phases = update.phases { self.phases.merge(phases) }
    if ends {
      phases.storedAt = storedAt
      if costHeld != nil { cost = update.settlement?.charge ?? 0 }
    }
    device = update.device ?? device
    lane = update.lane ?? lane
    priority = update.priority ?? priority
    shotsDone = update.shotsDone ?? shotsDone
    error = update.error ?? error
    annotations = update.annotations ?? annotations
    cancelRequested = update.cancelRequested ?? cancelRequested
    hasResult = hasResult || update.result != nil
    if let change = update.retention { retention.apply(change) }
    if let change = update.withholding { withheld.apply(change) }
  }
}

extension PhaseLedger {
  /// Takes over every stamp that `newer` has.
  package mutating func merge(_ newer: PhaseLedger) {
    acceptedAt = newer.acceptedAt ?? acceptedAt
    compiledAt = newer.compiledAt ?? compiledAt
    queuedAt = newer.queuedAt ?? queuedAt
    reservedAt = newer.reservedAt ?? reservedAt
    startedAt = newer.startedAt ?? startedAt
    deviceMicroseconds = newer.deviceMicroseconds ?? deviceMicroseconds
    finishedAt = newer.finishedAt ?? finishedAt
    storedAt = newer.storedAt ?? storedAt
  }
}
