import Foundation
import QubusCore
import QubusSchedulerTraces
import Testing

@Suite("Reports")
struct ReplayReportTests {
  private static let second: Microseconds = 1_000_000

  private func job(
    _ number: Int, at seconds: Int64, runs: Int64, on processors: Int = 1, user: Int = 0
  ) -> TraceJob {
    TraceJob(
      number: number, submitted: seconds * Self.second, runTime: runs * Self.second,
      processors: processors, user: user)
  }

  private func report(
    _ trace: Trace, _ policy: ReplayPolicy = .fifo, starvedAfter: Double = 1000
  ) throws -> ReplayReport {
    ReplayReport(
      try Replay.run(
        trace, through: try policy.scheduler(for: trace, settings: Replay.Settings())),
      of: trace, policy: policy.name, starvedAfterSeconds: starvedAfter)
  }

  @Test("slowdowns, waits and use of three jobs one after another are those of pen and paper")
  func threeJobs() throws {
    let trace = try Trace(
      name: "three", processors: 1,
      jobs: [job(1, at: 0, runs: 100), job(2, at: 10, runs: 5), job(3, at: 205, runs: 20)])
    let report = try report(trace, starvedAfter: 50)
    // The second waits 90 s: (90 + 5) / 10.
    let mean: Double = (1 + 9.5 + 1) / 3
    #expect(report.meanBoundedSlowdown == mean)
    #expect(report.maxBoundedSlowdown == 9.5)
    #expect(report.p95BoundedSlowdown == 9.5)
    #expect(report.meanWaitSeconds == 30)
    #expect(report.maxWaitSeconds == 90)
    let used: Double = 125.0 / 225
    #expect(report.utilisation == used)
    #expect(report.starvedJobs == 1)
    #expect(report.preemptionsPerJob == 0)
    #expect(report.decisions == 3)
  }

  @Test("a user behind a long job of another lies half of what passes behind its share")
  func deviation() throws {
    let trace = try Trace(
      name: "two users", processors: 1,
      jobs: [job(1, at: 0, runs: 100), job(2, at: 0, runs: 100, user: 1)])
    let report = try report(trace)
    #expect(abs(report.worstShareDeviationSeconds - 50) < 1e-6)
  }

  @Test("a user alone is never behind its share and has an index of one")
  func alone() throws {
    let trace = try Trace(
      name: "one user", processors: 4,
      jobs: [job(1, at: 0, runs: 30, on: 2), job(2, at: 5, runs: 7, on: 2)])
    let report = try report(trace)
    #expect(report.worstShareDeviationSeconds < 1e-6)
    #expect(report.jainIndex == 1)
  }

  @Test("a policy that serves one of two users first has an index below one")
  func unequal() throws {
    let jobs =
      (0..<100).map { job($0, at: 0, runs: 5) }
      + (100..<200).map { job($0, at: 0, runs: 5, user: 1) } + [job(200, at: 1000, runs: 1)]
    let trace = try Trace(name: "blocks", processors: 1, jobs: jobs)
    let arrival = try report(trace)
    let fair = try report(trace, .leastUsed)
    #expect(arrival.jainIndex < 0.6)
    #expect(fair.jainIndex > 0.85)
    #expect(fair.worstShareDeviationSeconds < arrival.worstShareDeviationSeconds / 10)
  }

  @Test("preemption lets the short job through, and costs the long one its wait and the switch")
  func preemption() throws {
    let trace = try Trace(
      name: "preempted", processors: 1, jobs: [job(1, at: 0, runs: 100), job(2, at: 10, runs: 5)])
    var order = FairBandOrder.Settings()
    order.preempts = true
    let settings = Replay.Settings(chunk: 3 * Self.second, switchCost: Self.second)
    let result = try Replay.run(
      trace,
      through: try ReplayPolicy.fairBand(order).scheduler(for: trace, settings: settings),
      settings: settings)
    // The border after 10 s is at 12 s; the long job comes back at 17 s and serves from 18 s.
    #expect(
      result.outcomes.map(\.end) == [106 * Self.second, 17 * Self.second])
    #expect(result.outcomes.map(\.preemptions) == [1, 0])
    let report = ReplayReport(
      result, of: trace, policy: "fair-band", starvedAfterSeconds: 1000)
    #expect(report.maxWaitSeconds == 6)
    #expect(report.preemptionsPerJob == 0.5)
  }

  @Test("the CSV has a name for every column and one line per policy")
  func csv() throws {
    let trace = try Trace(name: "a,b", processors: 1, jobs: [job(1, at: 0, runs: 100)])
    let lines = ReportFormat.csv.text([try report(trace)]).split(separator: "\n")
    #expect(
      lines == [
        """
        policy,trace,jobs,mean_bounded_slowdown,p95_bounded_slowdown,max_bounded_slowdown,\
        mean_wait_seconds,p95_wait_seconds,max_wait_seconds,utilisation,\
        worst_share_deviation_seconds,jain_index,preemptions_per_job,starved_jobs,decisions,\
        decisions_per_second
        """,
        "fifo,\"a,b\",1,1,1,1,0,0,0,1,0,1,0,0,1,",
      ])
  }

  @Test("the plot draws every policy in both panels and escapes its names")
  func plot() throws {
    let trace = try Trace(
      name: "t", processors: 1, jobs: [job(1, at: 0, runs: 100), job(2, at: 0, runs: 9)])
    let result = try Replay.run(
      trace, through: try ReplayPolicy.easy.scheduler(for: trace, settings: Replay.Settings()))
    var plot = SurvivalPlot(title: "a < b & c")
    plot.add("easy", ReplaySamples(result, of: trace))
    plot.add("<other>", ReplaySamples(result, of: trace))
    let svg = plot.svg()
    #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n"))
    #expect(svg.contains("a &lt; b &amp; c") && svg.contains("&lt;other&gt;"))
    #expect(svg.components(separatedBy: "stroke-width=\"1.5\"").count == 5)
    #expect(!svg.contains("nan") && !svg.contains("inf"))
  }
}
