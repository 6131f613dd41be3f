internal import CQubusProto
internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusTenancy
internal import QubusWire

/// Bodies of the answers about jobs. `Responses+Service.swift` has those about the service.
enum Responses {
  /// Of Submit, and of ResubmitJob, whose fields have the same numbers.
  static func submit(_ report: SubmitReport) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__submit_response__init)
    message.pointee.job = builder.job(report.job)
    message.pointee.is_duplicate = report.isDuplicate ? 1 : 0
    return MessageBuilder.pack(message)
  }

  static func batch(
    _ id: Identifier, _ outcomes: [BatchAnswer.Outcome], traceID: String
  ) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__submit_batch_response__init)
    message.pointee.batch_id = builder.text(id.description)
    (message.pointee.n_items, message.pointee.items) = builder.list(outcomes) { outcome in
      let item = builder.make(qubus__v1__submit_batch_item__init)
      switch outcome {
      case .success(let report):
        item.pointee.status = builder.status(.ok)
        item.pointee.job = builder.job(report.job)
        item.pointee.is_duplicate = report.isDuplicate ? 1 : 0
      case .failure(let error):
        item.pointee.status = builder.status(WireStatus(error, traceID: traceID))
      }
      return item
    }
    return MessageBuilder.pack(message)
  }

  static func plan(_ report: PlanReport) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__plan_response__init)
    message.pointee.device = builder.text(report.device)
    message.pointee.lane = builder.text(report.lane)
    (message.pointee.n_pubs, message.pointee.pubs) = builder.list(report.pubs) {
      let pub = builder.make(qubus__v1__plan_pub__init)
      pub.pointee.qubit_count = $0.qubitCount
      pub.pointee.bit_count = $0.bitCount
      pub.pointee.operation_count = $0.operationCount
      pub.pointee.rows = $0.rows
      pub.pointee.memory_bytes = $0.memoryBytes
      pub.pointee.estimated_seconds = $0.estimatedSeconds
      pub.pointee.is_per_shot = $0.isPerShot ? 1 : 0
      pub.pointee.shots_per_chunk = $0.shotsPerChunk
      (pub.pointee.n_notices, pub.pointee.notices) = builder.texts($0.notices)
      pub.pointee.execution = $0.execution.map { builder.execution($0) }
      return pub
    }
    message.pointee.memory_bytes = report.memoryBytes
    message.pointee.memory_limit_bytes = report.memoryLimitBytes
    message.pointee.estimated_seconds = report.estimatedSeconds
    if let cost = report.cost {
      message.pointee.cost_choice_case = QUBUS__V1__PLAN_RESPONSE__COST_CHOICE_COST
      message.pointee.cost = cost.expected
      message.pointee.cost_held_choice_case =
        QUBUS__V1__PLAN_RESPONSE__COST_HELD_CHOICE_COST_HELD
      message.pointee.cost_held = cost.held
    }
    message.pointee.fingerprint = builder.text(hexadecimal(report.fingerprint))
    message.pointee.jobs_ahead = report.jobsAhead
    (message.pointee.n_quota, message.pointee.quota) = builder.pairs(
      report.quotas.map { ($0.name, "\($0.used) of \($0.limit ?? 0)") })
    (message.pointee.n_approval_causes, message.pointee.approval_causes) = builder.texts(
      report.approvalCauses)
    if let forecast = report.forecast { add(forecast, to: message) }
    return MessageBuilder.pack(message)
  }

  static func job(_ view: JobView) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__get_job_response__init)
    message.pointee.job = builder.job(view)
    return MessageBuilder.pack(message)
  }

  static func watch(_ view: JobView) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__watch_job_response__init)
    message.pointee.job = builder.job(view)
    return MessageBuilder.pack(message)
  }

  static func annotate(_ view: JobView) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__annotate_job_response__init)
    message.pointee.job = builder.job(view)
    return MessageBuilder.pack(message)
  }

  /// Of PauseJob, and of ResumeJob, HoldJob, ReleaseJob and ChangeJob, whose one field has the same
  /// number.
  static func paused(_ view: JobView) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__pause_job_response__init)
    message.pointee.job = builder.job(view)
    return MessageBuilder.pack(message)
  }

  /// - Parameter views: up to one more than `limit`, which tells that there is a next page.
  static func jobs(_ views: [JobView], limit: Int) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__list_jobs_response__init)
    let page = Array(views.prefix(limit))
    (message.pointee.n_jobs, message.pointee.jobs) = builder.list(page) { builder.job($0) }
    if views.count > limit, let last = page.last {
      message.pointee.next_page_token = builder.text(last.record.id.description)
    }
    return MessageBuilder.pack(message)
  }

  static func event(_ event: JobEvent) -> [UInt8] {
    let builder = MessageBuilder()
    return MessageBuilder.pack(builder.event(event))
  }

  static func cancel(_ report: CancelReport) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__cancel_job_response__init)
    message.pointee.outcome = .init(rawValue: UInt32(report.outcome.rawValue))
    message.pointee.shots_done = report.shotsDone
    message.pointee.job = builder.job(report.job)
    return MessageBuilder.pack(message)
  }

  static func canceled(_ report: BatchCancelReport) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__cancel_batch_response__init)
    message.pointee.before_start = UInt64(report.beforeStart)
    message.pointee.during_run = UInt64(report.duringRun)
    message.pointee.too_late = UInt64(report.tooLate)
    return MessageBuilder.pack(message)
  }

  static func replay(started view: JobView) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__replay_job_response__init)
    message.pointee.replay = builder.job(view)
    return MessageBuilder.pack(message)
  }

  static func replay(_ report: ReplayReport) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__replay_job_response__init)
    message.pointee.replay = builder.job(report.replay)
    message.pointee.outcome = .init(rawValue: UInt32(report.outcome.rawValue))
    message.pointee.original_hash = builder.data(report.originalHash)
    message.pointee.replay_hash = builder.data(report.replayHash)
    message.pointee.explanation = builder.text(report.explanation)
    if let distance = report.totalVariationDistance {
      message.pointee.distance_choice_case =
        QUBUS__V1__REPLAY_JOB_RESPONSE__DISTANCE_CHOICE_TOTAL_VARIATION_DISTANCE
      message.pointee.total_variation_distance = distance
    }
    return MessageBuilder.pack(message)
  }

  // MARK: Results

  static func result(_ opened: OpenedResult, inline: Bool) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__get_result_response__init)
    message.pointee.job = builder.job(opened.view)
    message.pointee.manifest = builder.manifest(opened.manifest)
    message.pointee.provenance = builder.provenance(opened.provenance)
    if inline {
      (message.pointee.n_inline_chunks, message.pointee.inline_chunks) = builder.list(
        opened.chunks
      ) { builder.chunk($0) }
    }
    return MessageBuilder.pack(message)
  }

  static func result(job view: JobView) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__get_result_response__init)
    message.pointee.job = builder.job(view)
    return MessageBuilder.pack(message)
  }

  static func chunk(_ chunk: ChunkReference) -> [UInt8] {
    let builder = MessageBuilder()
    return MessageBuilder.pack(builder.chunk(chunk))
  }
}

extension MessageBuilder {
  func job(_ view: JobView) -> UnsafeMutablePointer<Qubus__V1__Job> {
    job(
      view.record, queuePosition: view.queuePosition, estimatedStartAt: view.estimatedStartAt,
      forecast: view.forecast)
  }

  fileprivate func chunk(
    _ chunk: ChunkReference
  ) -> UnsafeMutablePointer<Qubus__V1__ResultChunk> {
    let message = make(qubus__v1__result_chunk__init)
    message.pointee.item = UInt32(clamping: chunk.item)
    message.pointee.chunk = UInt32(clamping: chunk.chunk)
    message.pointee.sha256 = data(chunk.sha256)
    return message
  }
}
