package import CQubusProto
package import QubusCore
package import QubusJobs

extension MessageBuilder {
  /// A job as its owner sees it; `queuePosition`, `estimatedStartAt` and `forecast` only the
  /// running service knows.
  package func job(
    _ record: JobRecord, queuePosition: UInt64?, estimatedStartAt: Microseconds?,
    forecast: JobForecast? = nil
  ) -> UnsafeMutablePointer<Qubus__V1__Job> {
    let message = make(qubus__v1__job__init)
    let id = text(record.id.description)
    message.pointee.job_id = id
    message.pointee.client_job_id = text(record.clientJobID)
    message.pointee.status = .init(rawValue: UInt32(record.status.rawValue))
    message.pointee.reason = text(record.reason)
    message.pointee.attempt = record.attempt
    message.pointee.submitted_at = record.phases.acceptedAt ?? 0
    if let queuePosition {
      message.pointee.queue_position_choice_case =
        QUBUS__V1__JOB__QUEUE_POSITION_CHOICE_QUEUE_POSITION
      message.pointee.queue_position = queuePosition
    }
    if let estimatedStartAt {
      message.pointee.estimated_start_choice_case =
        QUBUS__V1__JOB__ESTIMATED_START_CHOICE_ESTIMATED_START_AT
      message.pointee.estimated_start_at = estimatedStartAt
    }
    if let forecast { add(forecast, to: message) }
    message.pointee.lane = text(record.lane)
    message.pointee.device = text(record.device)
    if let held = record.costHeld {
      message.pointee.cost_held_choice_case = QUBUS__V1__JOB__COST_HELD_CHOICE_COST_HELD
      message.pointee.cost_held = held
    }
    if let cost = record.cost {
      message.pointee.cost_choice_case = QUBUS__V1__JOB__COST_CHOICE_COST
      message.pointee.cost = cost
    }
    message.pointee.fallback_used = record.fallbackUsed ? 1 : 0
    message.pointee.phases = phases(record.phases)
    (message.pointee.n_links, message.pointee.links) = list(Self.links) {
      let link = make(qubus__v1__link__init)
      link.pointee.name = text($0.name)
      link.pointee.method = text($0.method.rawValue)
      link.pointee.job_id = id
      return link
    }
    if let error = record.error {
      message.pointee.error = errorDetail(error, traceID: record.traceID)
    }
    identity(of: record, into: message)
    message.pointee.shots_done_choice_case = QUBUS__V1__JOB__SHOTS_DONE_CHOICE_SHOTS_DONE
    message.pointee.shots_done = record.shotsDone
    message.pointee.shots_total_choice_case = QUBUS__V1__JOB__SHOTS_TOTAL_CHOICE_SHOTS_TOTAL
    message.pointee.shots_total = record.shotsTotal
    message.pointee.last_sequence = record.lastSequence
    add(record.retention, to: message)
    return message
  }

  private func add(
    _ retention: JobRetention, to message: UnsafeMutablePointer<Qubus__V1__Job>
  ) {
    if let time = retention.resultsExpireAt {
      message.pointee.results_expiry_choice_case =
        QUBUS__V1__JOB__RESULTS_EXPIRY_CHOICE_RESULTS_EXPIRE_AT
      message.pointee.results_expire_at = time
    }
    if let time = retention.eventsExpireAt {
      message.pointee.events_expiry_choice_case =
        QUBUS__V1__JOB__EVENTS_EXPIRY_CHOICE_EVENTS_EXPIRE_AT
      message.pointee.events_expire_at = time
    }
    message.pointee.results_removed = retention.isResultRemoved ? 1 : 0
    message.pointee.events_removed = retention.areEventsRemoved ? 1 : 0
    message.pointee.is_archived_copy = retention.isArchivedCopy ? 1 : 0
  }

  private func identity(
    of record: JobRecord, into message: UnsafeMutablePointer<Qubus__V1__Job>
  ) {
    message.pointee.tenant = text(record.principal.tenant)
    message.pointee.project = text(record.principal.project)
    message.pointee.principal = text(record.principal.name)
    message.pointee.name = text(record.name)
    (message.pointee.n_tags, message.pointee.tags) = texts(record.tags)
    message.pointee.idempotency_key = text(record.idempotencyKey)
    message.pointee.replay_of = text(record.replayOf?.description ?? "")
    message.pointee.resubmit_of = text(record.resubmitOf?.description ?? "")
    message.pointee.batch_id = text(record.batch?.description ?? "")
    message.pointee.priority = Int32(clamping: record.priority)
    message.pointee.seed = record.seed
    (message.pointee.n_annotations, message.pointee.annotations) = pairs(record.annotations)
    (message.pointee.n_notices, message.pointee.notices) = texts(record.notices)
    message.pointee.fingerprint = text(hexadecimal(record.fingerprint))
    message.pointee.fingerprint_version = record.fingerprintVersion
  }

  private static var links: [(name: String, method: Method)] {
    [("events", .watchJob), ("result", .getResult), ("cancel", .cancelJob)]
  }
}

/// Lower-case hexadecimal.
package func hexadecimal(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
    for (index, byte) in bytes.enumerated() {
      buffer[2 * index] = digits[Int(byte >> 4)]
      buffer[2 * index + 1] = digits[Int(byte & 15)]
    }
    return bytes.count * 2
  }
}

extension MessageBuilder {
  private func add(
    _ forecast: JobForecast, to message: UnsafeMutablePointer<Qubus__V1__Job>
  ) {
    message.pointee.estimated_start_p10_choice_case =
      QUBUS__V1__JOB__ESTIMATED_START_P10_CHOICE_ESTIMATED_START_P10_AT
    message.pointee.estimated_start_p10_at = forecast.start.p10
    message.pointee.estimated_start_p90_choice_case =
      QUBUS__V1__JOB__ESTIMATED_START_P90_CHOICE_ESTIMATED_START_P90_AT
    message.pointee.estimated_start_p90_at = forecast.start.p90
    message.pointee.estimate_confidence_choice_case =
      QUBUS__V1__JOB__ESTIMATE_CONFIDENCE_CHOICE_ESTIMATE_CONFIDENCE
    message.pointee.estimate_confidence = forecast.confidence
    message.pointee.estimated_end_p10_choice_case =
      QUBUS__V1__JOB__ESTIMATED_END_P10_CHOICE_ESTIMATED_END_P10_AT
    message.pointee.estimated_end_p10_at = forecast.end.p10
    message.pointee.estimated_end_choice_case =
      QUBUS__V1__JOB__ESTIMATED_END_CHOICE_ESTIMATED_END_AT
    message.pointee.estimated_end_at = forecast.end.p50
    message.pointee.estimated_end_p90_choice_case =
      QUBUS__V1__JOB__ESTIMATED_END_P90_CHOICE_ESTIMATED_END_P90_AT
    message.pointee.estimated_end_p90_at = forecast.end.p90
  }
}
