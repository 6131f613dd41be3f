internal import Foundation
package import QubusCore

/// A synthetic load of users who send bursts of jobs of very different length.
///
/// A burst arrives as a Poisson process per user and holds a geometric number of jobs; bursts of
/// one job make a plain Poisson load. Run times are log-normal about a median of the user's own, so
/// that users of short and of long jobs meet. Estimates are above the run time by a factor that is
/// log-normal too, as a learned p90 is.
package struct BurstyLoad: Sendable, Hashable {
  package var jobs = 20_000
  package var users = 12
  /// Processors of the machine; every job takes one.
  package var processors = 1
  /// Processor time of the jobs per processor time of the machine.
  package var load = 0.8
  /// Mean number of jobs in a burst; 1 is a Poisson load.
  package var burst = 20.0
  /// Mean time between the jobs of a burst, in seconds before scaling to the load.
  package var spacingSeconds = 1.0
  /// Median of the users' median run times.
  package var medianSeconds = 20.0
  /// Spread of the users' medians, in natural logarithms.
  package var userSpread = 1.0
  /// Spread of a user's own run times, in natural logarithms.
  package var jobSpread = 1.2
  /// Run times are cut here.
  package var longestSeconds = 3600.0
  /// Spread of the estimates, in natural logarithms; 0 makes them exact.
  package var estimateSpread = 0.3
  package var seed: UInt64 = 1

  package init() {}

  /// - Throws: `invalid_request` for a number outside its range.
  package func trace() throws(QubusError) -> Trace {
    try validate()
    var random = LoadRandom(seed: seed)
    let medians = (0..<users).map { _ in medianSeconds * exp(userSpread * random.normal()) }
    var submissions: [(seconds: Double, user: Int)] = []
    submissions.reserveCapacity(jobs)
    var clocks = (0..<users).map { _ in random.exponential(mean: 1) }
    while submissions.count < jobs {
      let user = clocks.indices.min { clocks[$0] < clocks[$1] } ?? 0
      var at = clocks[user]
      repeat {
        submissions.append((at, user))
        at += random.exponential(mean: spacingSeconds / (medianSeconds * burst * Double(users)))
      } while random.uniform() > 1 / burst && submissions.count < jobs
      clocks[user] += random.exponential(mean: 1)
    }
    submissions.sort { $0.seconds < $1.seconds }
    let runTimes = submissions.map { submission in
      let seconds = medians[submission.user] * exp(jobSpread * random.normal())
      return min(longestSeconds, max(0.01, seconds))
    }
    let first = submissions[0].seconds
    let span = max(submissions[submissions.count - 1].seconds - first, 1e-9)
    let scale = runTimes.reduce(0, +) / (load * Double(processors) * span)
    var loaded: [TraceJob] = []
    for (index, submission) in submissions.enumerated() {
      // The estimate is the run time's p90: 1.2816 spreads above its median.
      let estimate =
        runTimes[index] * exp(estimateSpread * (1.2816 + random.normal()))
      loaded.append(
        TraceJob(
          number: index + 1,
          submitted: Microseconds((submission.seconds - first) * scale * 1e6),
          runTime: Microseconds(runTimes[index] * 1e6),
          requestedTime: Microseconds(max(runTimes[index], estimate) * 1e6), user: submission.user))
    }
    return try Trace(name: burst > 1 ? "bursty" : "poisson", processors: processors, jobs: loaded)
  }

  private func validate() throws(QubusError) {
    let ranges: [(String, Double, ClosedRange<Double>)] = [
      ("jobs", Double(jobs), 2...10_000_000), ("users", Double(users), 1...100_000),
      ("processors", Double(processors), 1...1_000_000), ("load", load, 0.01...10),
      ("burst", burst, 1...100_000), ("spacing", spacingSeconds, 0.001...1e6),
      ("median", medianSeconds, 0.01...1e6), ("user spread", userSpread, 0...4),
      ("job spread", jobSpread, 0...4), ("longest", longestSeconds, 0.01...1e8),
      ("estimate spread", estimateSpread, 0...4),
    ]
    for (name, value, range) in ranges where !range.contains(value) {
      throw .field(
        .invalidRequest, name, "is \(value)",
        limit: "\(range.lowerBound) to \(range.upperBound)")
    }
  }
}
