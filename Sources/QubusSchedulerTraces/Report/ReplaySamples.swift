internal import QubusCore

/// The figures of every single job, in order of the trace.
package struct ReplaySamples: Sendable, Hashable {
  /// max(1, (wait + run time) / max(run time, 10 s)).
  package var boundedSlowdowns: [Double] = []
  /// Time from submission to end in which the job did not run, switches included.
  package var waitSeconds: [Double] = []
  package var utilisation = 0.0

  package init(_ result: ReplayResult, of trace: Trace) {
    var work = 0.0
    var end: Microseconds = 0
    for (job, outcome) in zip(trace.jobs, result.outcomes) {
      let run = Double(job.runTime) / 1e6
      let wait = Double(outcome.end - job.submitted) / 1e6 - run
      waitSeconds.append(wait)
      boundedSlowdowns.append(
        max(1, (wait + run) / max(run, ReplayReport.slowdownThresholdSeconds)))
      work += run * Double(job.processors)
      end = max(end, outcome.end)
    }
    guard let first = trace.jobs.first, end > first.submitted else { return }
    utilisation = work / (Double(end - first.submitted) / 1e6 * Double(trace.processors))
  }
}
