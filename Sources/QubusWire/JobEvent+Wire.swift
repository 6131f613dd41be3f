package import CQubusProto
internal import QubusCore
package import QubusJobs

extension MessageBuilder {
  package func event(_ event: JobEvent) -> UnsafeMutablePointer<Qubus__V1__JobEvent> {
    let message = eventBody(event.body)
    message.pointee.job_id = text(event.jobID.description)
    message.pointee.sequence = event.sequence
    message.pointee.time = event.time
    message.pointee.type = text(event.kind.rawValue)
    message.pointee.status = .init(rawValue: UInt32(event.status.rawValue))
    message.pointee.reason = text(event.reason)
    message.pointee.attempt = event.attempt
    return message
  }

  /// A `JobEvent` with nothing set but what its body holds: how the store keeps it.
  func eventBody(_ body: JobEventBody) -> UnsafeMutablePointer<Qubus__V1__JobEvent> {
    let message = make(qubus__v1__job_event__init)
    if let progress = body.progress {
      let entry = make(qubus__v1__progress__init)
      entry.pointee.shots_done = progress.shotsDone
      entry.pointee.shots_total = progress.shotsTotal
      entry.pointee.rows_done = progress.rowsDone
      entry.pointee.rows_total = progress.rowsTotal
      entry.pointee.evolution = progress.evolution
      message.pointee.progress = entry
    }
    if let counts = body.counts { message.pointee.counts = partialCounts(counts) }
    if let position = body.queuePosition {
      message.pointee.queue_position_choice_case =
        QUBUS__V1__JOB_EVENT__QUEUE_POSITION_CHOICE_QUEUE_POSITION
      message.pointee.queue_position = position
    }
    message.pointee.device = text(body.device)
    if let error = body.error { message.pointee.error = errorDetail(error) }
    (message.pointee.n_details, message.pointee.details) = pairs(body.details)
    return message
  }

  private func partialCounts(
    _ counts: PartialCounts
  ) -> UnsafeMutablePointer<Qubus__V1__PartialCounts> {
    let message = make(qubus__v1__partial_counts__init)
    message.pointee.pub = counts.pub
    message.pointee.row = counts.row
    message.pointee.shots_done = counts.shotsDone
    message.pointee.truncated = counts.isTruncated ? 1 : 0
    (message.pointee.n_counts, message.pointee.counts) = list(counts.entries) {
      let entry = make(qubus__v1__counts_entry__init)
      entry.pointee.bits = text($0.bits)
      entry.pointee.count = $0.count
      return entry
    }
    return message
  }
}

extension JobEventBody {
  init(wire message: Qubus__V1__JobEvent) throws(QubusError) {
    self.init()
    if let entry = message.progress?.pointee {
      progress = JobProgress(
        shotsDone: entry.shots_done, shotsTotal: entry.shots_total, rowsDone: entry.rows_done,
        rowsTotal: entry.rows_total, evolution: entry.evolution)
    }
    if let partial = message.counts?.pointee {
      counts = PartialCounts(
        pub: partial.pub, row: partial.row, shotsDone: partial.shots_done,
        entries: try readList(partial.n_counts, partial.counts) { (entry, _) in
          (bits: String(wire: entry.bits), count: entry.count)
        },
        isTruncated: partial.truncated != 0)
    }
    if message.queue_position_choice_case
      == QUBUS__V1__JOB_EVENT__QUEUE_POSITION_CHOICE_QUEUE_POSITION
    {
      queuePosition = message.queue_position
    }
    device = String(wire: message.device)
    error = message.error.map { QubusError(wire: $0.pointee) }
    details = readPairs(message.n_details, message.details)
  }
}

extension JobEvent {
  init(wire message: Qubus__V1__JobEvent) throws(QubusError) {
    guard let kind = JobEventKind(rawValue: String(wire: message.type)) else {
      throw .field(.invalidEnumValue, "type", "\"\(String(wire: message.type))\" is no event type")
    }
    self.init(
      jobID: try readIdentifier(message.job_id, field: "job_id"), sequence: message.sequence,
      time: message.time, kind: kind,
      status: try readEnum(message.status.rawValue, field: "status"),
      reason: String(wire: message.reason), attempt: message.attempt,
      body: try JobEventBody(wire: message))
  }
}
