internal import CQubusProto
internal import QubusCore
internal import QubusEngine
internal import QubusScheduler
internal import QubusWire

extension Responses {
  static func queuePolicy(_ report: QueuePolicyReport) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__get_queue_policy_response__init)
    (message.pointee.n_lanes, message.pointee.lanes) = builder.list(report.lanes) {
      builder.lane($0)
    }
    (message.pointee.n_standings, message.pointee.standings) = builder.list(report.standings) {
      builder.standing($0)
    }
    let rules = report.rules
    if let halfLife = rules.usageHalfLife {
      message.pointee.half_life_choice_case =
        QUBUS__V1__GET_QUEUE_POLICY_RESPONSE__HALF_LIFE_CHOICE_USAGE_HALF_LIFE_SECONDS
      message.pointee.usage_half_life_seconds = seconds(halfLife)
    }
    message.pointee.largest_usage_factor = rules.usageFactor
    message.pointee.stretch = rules.stretch
    if let stretch = rules.overdueStretch {
      message.pointee.overdue_stretch_choice_case =
        QUBUS__V1__GET_QUEUE_POLICY_RESPONSE__OVERDUE_STRETCH_CHOICE_OVERDUE_STRETCH
      message.pointee.overdue_stretch = stretch
    }
    message.pointee.shortest_seconds = seconds(rules.shortest)
    message.pointee.compute_slots = UInt32(clamping: report.capacity.computeSlots)
    message.pointee.express_slots = UInt32(clamping: report.capacity.expressSlots)
    message.pointee.memory_bytes = report.capacity.memoryBytes
    message.pointee.express_memory_bytes = report.capacity.expressMemoryBytes
    message.pointee.jobs_queued_limit = UInt64(report.capacity.jobsQueued)
    message.pointee.all_cores_seconds = report.allCoresSeconds
    if let limit = report.maxRunSeconds {
      message.pointee.run_limit_choice_case =
        QUBUS__V1__GET_QUEUE_POLICY_RESPONSE__RUN_LIMIT_CHOICE_MAX_RUN_SECONDS
      message.pointee.max_run_seconds = limit
    }
    return MessageBuilder.pack(message)
  }

  fileprivate static func seconds(_ time: Microseconds) -> Double { Double(time) / 1e6 }
}

extension MessageBuilder {
  fileprivate func lane(
    _ report: QueuePolicyReport.LaneReport
  ) -> UnsafeMutablePointer<Qubus__V1__LanePolicy> {
    let message = make(qubus__v1__lane_policy__init)
    message.pointee.lane = text(report.lane.rawValue)
    message.pointee.share = report.share
    message.pointee.takes = text(report.takes)
    if let time = report.overdueAfter {
      message.pointee.overdue_choice_case =
        QUBUS__V1__LANE_POLICY__OVERDUE_CHOICE_OVERDUE_AFTER_SECONDS
      message.pointee.overdue_after_seconds = Responses.seconds(time)
    }
    message.pointee.jobs_queued = report.jobsQueued
    message.pointee.jobs_queued_limit = report.jobsQueuedLimit
    return message
  }

  fileprivate func standing(
    _ standing: AccountStanding
  ) -> UnsafeMutablePointer<Qubus__V1__AccountStanding> {
    let message = make(qubus__v1__account_standing__init)
    message.pointee.scope = text(standing.account.description)
    message.pointee.weight = standing.weight
    message.pointee.factor = standing.factor
    message.pointee.used_seconds = standing.used
    return message
  }
}
