import QubusCore
import QubusScheduler
import Testing

@testable import QubusSchedulerTraces

@Suite("Starts that are told in a replay") struct ForecastReplayTests {
  private func reports(
    _ trace: Trace, _ lanes: ServiceReplay.Lanes = ServiceReplay.Lanes()
  ) throws -> [ForecastReport] {
    var bounds = StartForecast.Bounds()
    bounds.rollouts = 8...16
    bounds.starts = 1000
    let quotes = try ForecastReplay.quotes(
      of: trace, lanes: lanes, settings: Replay.Settings(), seed: 7, bounds: bounds)
    return ForecastReport.secondHalf(of: trace, quotes)
  }

  /// The short form of the figures in docs/scheduling.md.
  @Test("eight of ten starts fall into the bands of a held-out half, in all and in each lane")
  func covered() throws {
    var load = BurstyLoad()
    (load.jobs, load.seed) = (6000, 3)
    let reports = try reports(
      try load.trace(),
      ServiceReplay.Lanes(interactiveUpTo: 15_000_000, longFrom: 120_000_000))
    #expect(reports.first?.lane == "all" && reports.count == 4)
    for report in reports {
      let least = report.lane == "all" ? 0.78 : 0.75
      #expect(report.quotes > 200)
      #expect(report.covered >= least, "seed 3, \(report.lane): \(report.covered)")
    }
    #expect(reports.first.map { $0.covered <= 0.82 } == true, "seed 3: \(reports)")
  }

  @Test("the same seed tells the same; a trace where nobody waits tells nothing")
  func deterministic() throws {
    var load = BurstyLoad()
    (load.jobs, load.seed) = (400, 5)
    let trace = try load.trace()
    let first = try reports(trace)
    #expect(try reports(trace) == first && !first.isEmpty)
    let alone = try Trace(
      name: "alone", processors: 1,
      jobs: [0, 9].map { TraceJob(number: 1, submitted: $0, runTime: 5) })
    #expect(try reports(alone).isEmpty)
    for format in ReportFormat.allCases {
      let text = format.text(first)
      #expect(text.contains("batch") && text.contains("all"), "\(format)")
    }
    #expect(ReportFormat.csv.text(first).split(separator: "\n").count == first.count + 1)
  }
}
