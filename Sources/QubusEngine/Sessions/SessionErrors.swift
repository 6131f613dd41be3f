internal import QubusCore
internal import QubusJobs
internal import QubusTenancy
internal import Synchronization

extension QubusError {
  static func heldElsewhere(_ session: Session) -> QubusError {
    QubusError(
      .sessionHeldElsewhere,
      session.plan == nil
        ? "the service has restarted since session \(session.id) was used: resume it with its "
          + "secret, then go on"
        : "another connection steps session \(session.id): resume it with its secret to take it "
          + "over",
      details: ["session_id": "\(session.id)"])
  }

  static func deviceOffline(_ drain: DeviceDrain) -> QubusError {
    QubusError(
      .deviceOffline, drain.text,
      details: ["device": drain.device, "since": String(drain.since)])
  }

  static func outOfOrder(
    _ sequence: UInt64, next: UInt64, _ reason: String
  ) -> QubusError {
    QubusError(
      .stepOutOfOrder, "step \(sequence) \(reason); expected is \(next)",
      violations: [
        FieldViolation(field: "sequence", explanation: "is \(sequence)", limit: "\(next)")
      ], details: ["expected_sequence": "\(next)"])
  }

  static func stepsWaiting(_ limit: Int) -> QubusError {
    QubusError(
      .sessionBusy, "as many steps of the session wait as may (limit: \(limit))",
      retryAfterMilliseconds: 1)
  }

  static let optimizing = QubusError(
    .sessionBusy, "the session runs an optimization: cancel it, or wait until it ends",
    retryAfterMilliseconds: 1000)

  static func badNumber(_ value: Double, at index: Int, columns: Int) -> QubusError {
    let place =
      columns > 0 ? "parameters[\(index / columns)][\(index % columns)]" : "parameters[\(index)]"
    return .field(.invalidParameterValue, place, "is \(value)", limit: "finite numbers")
  }

  /// A session that reached a limit.
  static func limitExceeded(
    _ session: Identifier, _ ending: SessionEnding, _ record: SessionRecord
  ) -> QubusError {
    let text: String
    let limit: String
    switch ending {
    case .maxSteps:
      limit = "\(record.maxSteps)"
      text = "max_steps: \(record.usage.steps) steps answered (limit: \(limit))"
    case .idle:
      limit = "\(record.idleSeconds)"
      text = "idle_seconds: no step for longer (limit: \(limit) s)"
    case .wallTime:
      limit = "\(record.wallSeconds)"
      text = "wall_seconds: open for longer (limit: \(limit) s)"
    case .deviceTime:
      limit = "\(record.maxDeviceSeconds)"
      let used = Double(record.usage.deviceNanoseconds) / 1e9
      text = "max_device_seconds: \(used) s used (limit: \(limit) s)"
    case .disabled:
      limit = ""
      text = "its principal, project or tenant was disabled"
    case .budget:
      limit = ""
      text = "the budget or the credit of its project is used up"
    case .closed, .withdrawn: return .sessionNotFound(session)
    }
    return QubusError(
      .sessionLimitExceeded, "session \(session) ended: \(text)",
      details: ["session_id": "\(session)", "reason": ending.reason, "limit": limit])
  }
}
