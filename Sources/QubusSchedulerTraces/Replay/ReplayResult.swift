package import QubusCore

/// What became of one job.
package struct JobOutcome: Sendable, Hashable {
  package var firstStart: Microseconds
  package var end: Microseconds
  package var preemptions: Int
}

/// A time in which a job held its processors without a break.
package struct RunSpan: Sendable, Hashable {
  package var job: Int
  package var start: Microseconds
  package var end: Microseconds
  /// Of it, the time that went into bringing the job back.
  package var switching: Microseconds
}

package struct ReplayResult: Sendable, Hashable {
  /// By place in the trace.
  package var outcomes: [JobOutcome]
  /// In order of their ends.
  package var spans: [RunSpan]
  package var decisionCount: Int
}
