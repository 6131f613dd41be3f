internal import CQubusProto
internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusWire

extension Responses {
  static func opened(_ opened: OpenedSession) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__open_session_response__init)
    message.pointee.session = builder.session(opened.session)
    message.pointee.secret = builder.data(opened.secret)
    return MessageBuilder.pack(message)
  }

  static func resumed(_ resumed: ResumedSession) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__resume_session_response__init)
    message.pointee.session = builder.session(resumed.session)
    message.pointee.next_sequence = resumed.nextSequence
    message.pointee.was_rebuilt = resumed.wasRebuilt ? 1 : 0
    return MessageBuilder.pack(message)
  }

  static func closed(_ view: SessionView) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__close_session_response__init)
    message.pointee.session = builder.session(view)
    return MessageBuilder.pack(message)
  }

  static func session(_ view: SessionView) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__get_session_response__init)
    message.pointee.session = builder.session(view)
    return MessageBuilder.pack(message)
  }

  /// - Parameter views: up to one more than `limit`, which tells that there is a next page.
  static func sessions(_ views: [SessionView], limit: Int) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__list_sessions_response__init)
    let page = Array(views.prefix(limit))
    (message.pointee.n_sessions, message.pointee.sessions) = builder.list(page) {
      builder.session($0)
    }
    if views.count > limit, let last = page.last {
      message.pointee.next_page_token = builder.text(last.record.id.description)
    }
    return MessageBuilder.pack(message)
  }

  // MARK: Optimizations

  static func progress(_ progress: OptimizationProgress, rows: Range<Int>) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__optimize_progress__init)
    message.pointee.optimization_id = builder.text(progress.id.description)
    message.pointee.first_iteration = progress.firstIteration + UInt64(rows.lowerBound)
    message.pointee.count = UInt64(rows.count)
    message.pointee.evaluations = progress.evaluations
    message.pointee.shots_used = progress.shotsUsed
    message.pointee.device_microseconds = progress.deviceMicroseconds
    return MessageBuilder.pack(message)
  }

  static func optimized(_ report: OptimizationReport) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__optimize_response__init)
    message.pointee.optimization_id = builder.text(report.id.description)
    message.pointee.ending = builder.text(report.ending)
    message.pointee.best_value = report.bestValue
    message.pointee.last_value = report.lastValue
    message.pointee.iterations = report.iterations
    message.pointee.evaluations = report.evaluations
    message.pointee.shots_used = report.shotsUsed
    message.pointee.device_microseconds = report.deviceMicroseconds
    return MessageBuilder.pack(message)
  }

  static func canceledOptimize(wasRunning: Bool) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__cancel_optimize_response__init)
    message.pointee.was_running = wasRunning ? 1 : 0
    return MessageBuilder.pack(message)
  }
}

extension MessageBuilder {
  fileprivate func session(_ view: SessionView) -> UnsafeMutablePointer<Qubus__V1__Session> {
    let message = make(qubus__v1__session__init)
    (message.pointee.n_parameters, message.pointee.parameters) = texts(view.parameters)
    message.pointee.observable_count = UInt32(clamping: view.observableCount)
    message.pointee.qubit_count = UInt32(clamping: view.qubitCount)
    message.pointee.bit_count = UInt32(clamping: view.bitCount)
    (message.pointee.n_outputs, message.pointee.outputs) = numbers(stepOutputs(view.outputs))
    if let shots = view.shots {
      message.pointee.shots_choice_case = QUBUS__V1__SESSION__SHOTS_CHOICE_SHOTS
      message.pointee.shots = shots
    }
    if let error = view.targetError {
      message.pointee.target_error_choice_case =
        QUBUS__V1__SESSION__TARGET_ERROR_CHOICE_TARGET_ERROR
      message.pointee.target_error = error
    }
    message.pointee.shares_random_numbers = view.sharesRandomNumbers ? 1 : 0
    message.pointee.numeric_precision = text(view.precision == .single ? "single" : "double")
    message.pointee.memory_bytes = view.memoryBytes
    message.pointee.predicted_step_seconds = view.predictedStepSeconds
    (message.pointee.n_notices, message.pointee.notices) = texts(view.notices)
    message.pointee.rebuilds = view.rebuilds
    record(view.record, into: message)
    return message
  }

  private func record(
    _ record: SessionRecord, into message: UnsafeMutablePointer<Qubus__V1__Session>
  ) {
    message.pointee.session_id = text(record.id.description)
    message.pointee.state = .init(rawValue: UInt32(record.state.rawValue))
    message.pointee.reason = text(record.reason)
    message.pointee.seed = record.seed
    message.pointee.device = text(record.device)
    message.pointee.idle_seconds = record.idleSeconds
    message.pointee.wall_seconds = record.wallSeconds
    message.pointee.max_steps = record.maxSteps
    message.pointee.max_device_seconds = record.maxDeviceSeconds
    message.pointee.memory_limit_bytes = record.memoryLimitBytes
    message.pointee.steps = record.usage.steps
    message.pointee.last_sequence = record.usage.lastSequence
    message.pointee.device_microseconds = Int64(clamping: record.usage.deviceNanoseconds / 1000)
    message.pointee.shots_used = record.usage.shotsUsed
    message.pointee.opened_at = record.openedAt
    message.pointee.last_used_at = record.lastUsedAt
    if let closedAt = record.closedAt {
      message.pointee.closed_choice_case = QUBUS__V1__SESSION__CLOSED_CHOICE_CLOSED_AT
      message.pointee.closed_at = closedAt
    }
    message.pointee.name = text(record.name)
    (message.pointee.n_tags, message.pointee.tags) = texts(record.tags)
    message.pointee.tenant = text(record.principal.tenant)
    message.pointee.project = text(record.principal.project)
    message.pointee.principal = text(record.principal.name)
  }
}
