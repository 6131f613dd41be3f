internal import QubusCore
internal import QubusJobs
internal import QubusScheduler

/// Deadlines that cannot be kept: whoever submits is told at once, and nothing is refused for it.
extension Engine {
  /// What to tell of a new job whose deadline will hardly be kept; nil when it may be.
  func deadlineNotice(_ record: JobRecord, _ prepared: PreparedJob) -> String? {
    guard prepared.spec.execution.deadlineSeconds != nil else { return nil }
    let job = waitingJob(record, prepared)
    guard let deadline = job.deadline else { return nil }
    let limit = TimeText.rfc3339(deadline)
    if record.reason.isEmpty, let forecast = forecast(ofNew: job) {
      guard forecast.end.p10 > deadline else { return nil }
      return "the deadline \(limit) will hardly be kept: nine of ten forecasts end after "
        + TimeText.rfc3339(forecast.end.p10)
    }
    // Nobody knows when it may start.
    let soonest = clock.now() + job.predictedMicroseconds
    guard soonest > deadline else { return nil }
    return "the deadline \(limit) will hardly be kept: started at once, the job would end at "
      + TimeText.rfc3339(soonest)
  }

  /// A waiting job that nine of ten forecasts end too late.
  func deadlineConstraint(on record: JobRecord, _ forecast: JobForecast?) -> WaitConstraint? {
    guard let forecast, let accepted = record.phases.acceptedAt,
      let seconds = (try? spec(of: record))?.execution.deadlineSeconds
    else { return nil }
    let deadline = accepted + Microseconds(seconds * 1e6)
    guard forecast.end.p10 > deadline else { return nil }
    return WaitConstraint(
      kind: .deadline, since: accepted,
      detail: "it should end by \(TimeText.rfc3339(deadline)), and nine of ten forecasts end after "
        + TimeText.rfc3339(forecast.end.p10),
      remedy: "fewer jobs that go before it, or less to run; at its deadline it expires")
  }
}
