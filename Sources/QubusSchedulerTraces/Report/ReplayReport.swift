/// What a policy made of a trace. Field names are those of the JSON and CSV forms.
package struct ReplayReport: Sendable, Hashable, Codable {
  package var policy: String
  package var trace: String
  package var jobs: Int
  package var meanBoundedSlowdown: Double
  package var p95BoundedSlowdown: Double
  package var maxBoundedSlowdown: Double
  package var meanWaitSeconds: Double
  package var p95WaitSeconds: Double
  package var maxWaitSeconds: Double
  /// Processor time of the jobs per processor time from the first submission to the last end.
  package var utilisation: Double
  /// See `ShareMeter`.
  package var worstShareDeviationSeconds: Double
  package var jainIndex: Double
  package var preemptionsPerJob: Double
  /// Jobs that waited longer than the limit given.
  package var starvedJobs: Int
  package var decisions: Int
  /// Of the whole replay; nil until somebody has measured it.
  package var decisionsPerSecond: Double?

  /// Run times below this count as this, so that no job of a millisecond rules the mean.
  package static let slowdownThresholdSeconds = 10.0

  package init(
    _ result: ReplayResult, of trace: Trace, policy: String, starvedAfterSeconds: Double
  ) {
    let samples = ReplaySamples(result, of: trace)
    self.policy = policy
    self.trace = trace.name
    jobs = trace.jobs.count
    (meanBoundedSlowdown, p95BoundedSlowdown, maxBoundedSlowdown) = Self.summary(
      samples.boundedSlowdowns)
    (meanWaitSeconds, p95WaitSeconds, maxWaitSeconds) = Self.summary(samples.waitSeconds)
    utilisation = samples.utilisation
    let meter = ShareMeter(trace, result)
    worstShareDeviationSeconds = meter.worstDeviationSeconds
    jainIndex = meter.jainIndex
    let preemptions = result.outcomes.reduce(0) { $0 + $1.preemptions }
    preemptionsPerJob = Double(preemptions) / Double(max(1, jobs))
    starvedJobs = samples.waitSeconds.count { $0 > starvedAfterSeconds }
    decisions = result.decisionCount
  }

  /// Mean, the smallest value that 95 % do not exceed, and the largest.
  private static func summary(_ values: [Double]) -> (mean: Double, p95: Double, max: Double) {
    guard !values.isEmpty else { return (0, 0, 0) }
    let sorted = values.sorted()
    let place = max(0, (sorted.count * 95 + 99) / 100 - 1)
    return (sorted.reduce(0, +) / Double(sorted.count), sorted[place], sorted[sorted.count - 1])
  }
}
