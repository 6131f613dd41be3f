internal import CQubusProto
internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusScheduler
internal import QubusWire

extension Responses {
  static func explanation(_ explanation: JobExplanation) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__explain_job_response__init)
    message.pointee.job = builder.job(explanation.job)
    (message.pointee.n_constraints, message.pointee.constraints) = builder.list(
      explanation.constraints
    ) { builder.constraint($0) }
    return MessageBuilder.pack(message)
  }

  static func add(
    _ forecast: JobForecast, to message: UnsafeMutablePointer<Qubus__V1__PlanResponse>
  ) {
    message.pointee.estimated_start_choice_case =
      QUBUS__V1__PLAN_RESPONSE__ESTIMATED_START_CHOICE_ESTIMATED_START_AT
    message.pointee.estimated_start_at = forecast.start.p50
    message.pointee.estimated_start_p10_choice_case =
      QUBUS__V1__PLAN_RESPONSE__ESTIMATED_START_P10_CHOICE_ESTIMATED_START_P10_AT
    message.pointee.estimated_start_p10_at = forecast.start.p10
    message.pointee.estimated_start_p90_choice_case =
      QUBUS__V1__PLAN_RESPONSE__ESTIMATED_START_P90_CHOICE_ESTIMATED_START_P90_AT
    message.pointee.estimated_start_p90_at = forecast.start.p90
    message.pointee.estimated_end_choice_case =
      QUBUS__V1__PLAN_RESPONSE__ESTIMATED_END_CHOICE_ESTIMATED_END_AT
    message.pointee.estimated_end_at = forecast.end.p50
    message.pointee.estimated_end_p10_choice_case =
      QUBUS__V1__PLAN_RESPONSE__ESTIMATED_END_P10_CHOICE_ESTIMATED_END_P10_AT
    message.pointee.estimated_end_p10_at = forecast.end.p10
    message.pointee.estimated_end_p90_choice_case =
      QUBUS__V1__PLAN_RESPONSE__ESTIMATED_END_P90_CHOICE_ESTIMATED_END_P90_AT
    message.pointee.estimated_end_p90_at = forecast.end.p90
  }

  static func etaReport(_ level: Double, _ scores: [StartQuoteScore]) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__get_eta_report_response__init)
    message.pointee.confidence = level
    let all = StartQuoteScore.sum(scores, lane: "all")
    (message.pointee.n_scores, message.pointee.scores) = builder.list([all] + scores) {
      builder.score($0)
    }
    if all.quotes > 0 {
      message.pointee.since_choice_case = QUBUS__V1__GET_ETA_REPORT_RESPONSE__SINCE_CHOICE_SINCE
      message.pointee.since = all.since
    }
    return MessageBuilder.pack(message)
  }
}

extension MessageBuilder {
  fileprivate func score(
    _ score: StartQuoteScore
  ) -> UnsafeMutablePointer<Qubus__V1__EtaScore> {
    let message = make(qubus__v1__eta_score__init)
    message.pointee.lane = text(score.lane)
    message.pointee.quotes = score.quotes
    message.pointee.scored = score.scored
    message.pointee.covered = score.covered
    let scored = Double(max(1, score.scored))
    message.pointee.mean_width_seconds = score.widthSeconds / scored
    message.pointee.mean_error_seconds = score.errorSeconds / scored
    return message
  }

  fileprivate func constraint(
    _ constraint: WaitConstraint
  ) -> UnsafeMutablePointer<Qubus__V1__WaitConstraint> {
    let message = make(qubus__v1__wait_constraint__init)
    message.pointee.kind = text(constraint.kind.rawValue)
    message.pointee.since = constraint.since
    message.pointee.detail = text(constraint.detail)
    message.pointee.remedy = text(constraint.remedy)
    if let delay = constraint.delay {
      message.pointee.delay_choice_case =
        QUBUS__V1__WAIT_CONSTRAINT__DELAY_CHOICE_DELAY_MICROSECONDS
      message.pointee.delay_microseconds = delay
    }
    return message
  }
}
