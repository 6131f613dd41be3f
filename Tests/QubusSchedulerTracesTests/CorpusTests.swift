import Foundation
import QubusCore
import QubusScheduler
import QubusSchedulerTraces
import Testing

/// Traces of real and modelled machines, and the figures that an independent simulator gave.
private let corpus = ProcessInfo.processInfo.environment["QUBUS_CORPUS"]

@Suite("The workload traces", .enabled(if: corpus != nil, "QUBUS_CORPUS is not set"))
struct CorpusTests {
  private func trace(_ name: String) throws -> Trace {
    let folder = URL(fileURLWithPath: try #require(corpus)).appendingPathComponent("workloads")
    let text = try String(
      contentsOf: folder.appendingPathComponent("\(name).swf"), encoding: .utf8)
    return try SWFReader(skipsInvalidJobs: true).read(text, name: name)
  }

  private func report(
    _ trace: Trace, _ policy: ReplayPolicy, _ settings: Replay.Settings = Replay.Settings()
  ) throws -> ReplayReport {
    ReplayReport(
      try Replay.run(
        trace, through: try policy.scheduler(for: trace, settings: settings), settings: settings),
      of: trace, policy: policy.name, starvedAfterSeconds: 86_400)
  }

  /// Mean bounded slowdown and longest wait in hours, within 15 %.
  private func expect(
    _ report: ReplayReport, _ slowdown: Double, _ hours: Double,
    sourceLocation: Testing.SourceLocation = #_sourceLocation
  ) {
    #expect(
      abs(report.meanBoundedSlowdown / slowdown - 1) < 0.15,
      "\(report.policy) on \(report.trace)", sourceLocation: sourceLocation)
    #expect(
      abs(report.maxWaitSeconds / 3600 / hours - 1) < 0.15,
      "\(report.policy) on \(report.trace)", sourceLocation: sourceLocation)
  }

  @Test("jobs are counted as published")
  func counts() throws {
    let hpc2n = try trace("hpc2n")
    #expect(hpc2n.jobs.count == 3145)
    #expect(hpc2n.processors == 240)
    let lublin = try trace("lublin")
    #expect(lublin.jobs.count == 10_000)
    #expect(lublin.processors == 256)
    #expect(lublin.userCount == 1)
  }

  @Test("the baselines reproduce the reference figures on hpc2n")
  func hpc2n() throws {
    let trace = try trace("hpc2n")
    expect(try report(trace, .fifo), 47.2, 22)
    expect(try report(trace, .easy), 16.5, 23)
    expect(try report(trace, .classic), 10.7, 28)
    expect(try report(trace, .shortestFirst), 12.1, 28)
  }

  @Test("the baselines reproduce the reference figures on lublin")
  func lublin() throws {
    let trace = try trace("lublin")
    expect(try report(trace, .fifo), 66_503, 1322)
    expect(try report(trace, .easy), 590, 286)
    expect(try report(trace, .classic), 590, 286)
    expect(try report(trace, .shortestFirst), 40.5, 2519)
  }

  @Test(
    "on hpc2n both fair orders beat classic fair share, their waits bounded",
    arguments: [ReplayPolicy.fairBand(FairBandOrder.Settings()), .usageWeighted])
  func fairOrdersOnHPC2N(policy: ReplayPolicy) throws {
    let trace = try trace("hpc2n")
    let ours = try report(trace, policy)
    let classic = try report(trace, .classic)
    let easy = try report(trace, .easy)
    #expect(ours.meanBoundedSlowdown <= 0.95 * classic.meanBoundedSlowdown)
    #expect(ours.maxWaitSeconds <= 1.25 * easy.maxWaitSeconds)
  }

  @Test("on lublin a longest due time gives most of the slowdown of shortest first, waits bounded")
  func longestDueOnLublin() throws {
    let trace = try trace("lublin")
    let settings = Replay.Settings(estimates: .actual)
    let easy = try report(trace, .easy, settings)
    var rules = FairPolicy()
    rules.stretch = 128
    rules.longestDue = 300 * 3_600_000_000
    rules.overdueAfter[.batch] = 10_000 * 3_600_000_000
    rules.overdueStretch = nil
    for policy in [
      .fairBand(FairBandOrder.Settings()),
      ReplayPolicy.service(rules, lanes: ServiceReplay.Lanes(), isPreemptible: false),
    ] {
      let ours = try report(trace, policy, settings)
      #expect(ours.meanBoundedSlowdown <= 0.4 * easy.meanBoundedSlowdown, "\(policy.name)")
      #expect(ours.maxWaitSeconds <= 1.5 * easy.maxWaitSeconds, "\(policy.name)")
    }
  }
}
