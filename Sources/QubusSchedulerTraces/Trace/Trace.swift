package import QubusCore

/// One job of a trace: a rigid block of processors for a time.
package struct TraceJob: Sendable, Hashable {
  /// As the trace calls it.
  package var number: Int
  /// Since the start of the trace.
  package var submitted: Microseconds
  /// What the job really needs; more than zero.
  package var runTime: Microseconds
  /// What its user asked for, if the trace says.
  package var requestedTime: Microseconds?
  /// Processors that the job holds while it runs; at least 1.
  package var processors: Int
  /// Index of the user in the trace, from 0 in order of appearance.
  package var user: Int

  package init(
    number: Int, submitted: Microseconds, runTime: Microseconds,
    requestedTime: Microseconds? = nil, processors: Int = 1, user: Int = 0
  ) {
    self.number = number
    self.submitted = submitted
    self.runTime = runTime
    self.requestedTime = requestedTime
    self.processors = processors
    self.user = user
  }
}

/// Jobs in order of submission and the machine that they are for.
package struct Trace: Sendable, Hashable {
  package var name: String
  /// Processors of the machine.
  package var processors: Int
  /// In order of submission.
  package private(set) var jobs: [TraceJob]
  /// Jobs of the source that were left out.
  package var skippedCount: Int
  package let userCount: Int

  /// - Throws: `invalid_request` for a machine without processors, a job that is larger than the
  ///   machine or needs no time, and a clock that goes back.
  package init(
    name: String, processors: Int, jobs: [TraceJob], skippedCount: Int = 0
  ) throws(QubusError) {
    guard processors > 0 else {
      throw .field(.invalidRequest, "processors", "is \(processors)", limit: "at least 1")
    }
    var previous: Microseconds = 0
    for job in jobs {
      guard job.processors > 0, job.processors <= processors else {
        throw .field(
          .invalidRequest, "processors",
          "job \(job.number) of \(name) wants \(job.processors)", limit: "1 to \(processors)")
      }
      guard job.runTime > 0 else {
        throw .field(
          .invalidRequest, "run time", "job \(job.number) of \(name) runs \(job.runTime) µs",
          limit: "at least 1 µs")
      }
      guard job.submitted >= previous else {
        throw .field(
          .invalidRequest, "submitted",
          "job \(job.number) of \(name) is submitted before the job in front of it")
      }
      guard job.user >= 0 else {
        throw .field(.invalidRequest, "user", "job \(job.number) of \(name) has none")
      }
      previous = job.submitted
    }
    self.name = name
    self.processors = processors
    self.jobs = jobs
    self.skippedCount = skippedCount
    userCount = (jobs.map(\.user).max() ?? -1) + 1
  }

  /// Processor time of all jobs per processor time of the machine while jobs arrive.
  package var offeredLoad: Double {
    guard let first = jobs.first, let last = jobs.last, last.submitted > first.submitted else {
      return 0
    }
    let work = jobs.reduce(0.0) { $0 + Double($1.runTime) * Double($1.processors) }
    return work / (Double(last.submitted - first.submitted) * Double(processors))
  }
}
