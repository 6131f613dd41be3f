internal import Foundation
internal import QubusCore
internal import QubusScheduler

/// How well quotes held. Field names are those of the JSON and CSV forms.
package struct ForecastReport: Sendable, Hashable, Codable {
  package var trace: String
  /// A lane, or "all".
  package var lane: String
  package var quotes: Int
  /// Part of the starts that fell into their band.
  package var covered: Double
  /// The same of the bands as they were before they were corrected.
  package var coveredUncorrected: Double
  package var medianWidthSeconds: Double
  package var medianWaitSeconds: Double
  /// Of the p50.
  package var medianErrorSeconds: Double

  /// - Parameter quotes: at least one.
  init(_ trace: String, _ lane: String, _ quotes: [ScoredQuote]) {
    self.trace = trace
    self.lane = lane
    self.quotes = quotes.count
    func part(_ holds: (ScoredQuote) -> Bool) -> Double {
      Double(quotes.count(where: holds)) / Double(quotes.count)
    }
    func median(_ value: (ScoredQuote) -> Microseconds) -> Double {
      Double(quotes.map(value).sorted()[quotes.count / 2]) * 1e-6
    }
    covered = part { $0.quote.band.contains($0.startedAt) }
    coveredUncorrected = part { $0.quote.raw.contains($0.startedAt) }
    medianWidthSeconds = median { $0.quote.band.width }
    medianWaitSeconds = median { $0.startedAt - $0.quote.at }
    medianErrorSeconds = median { abs($0.startedAt - $0.quote.band.p50) }
  }

  /// Of all lanes and of each, for the jobs of the second half of a trace; the first half is what
  /// the service learned from before.
  package static func secondHalf(of trace: Trace, _ quotes: [ScoredQuote]) -> [ForecastReport] {
    let heldOut = quotes.filter { $0.job >= trace.jobs.count / 2 }
    guard !heldOut.isEmpty else { return [] }
    let lanes = Dictionary(grouping: heldOut) { $0.quote.lane.rawValue }
    return [ForecastReport(trace.name, "all", heldOut)]
      + lanes.sorted { $0.key < $1.key }.map { ForecastReport(trace.name, $0.key, $0.value) }
  }
}

extension ReportFormat {
  package func text(_ reports: [ForecastReport]) -> String {
    switch self {
    case .json: return Self.json(reports)
    case .csv:
      let heading =
        "trace,lane,quotes,covered,covered_uncorrected,median_width_seconds,"
        + "median_wait_seconds,median_error_seconds\n"
      return heading
        + reports.map { report in
          let numbers = [
            report.covered, report.coveredUncorrected, report.medianWidthSeconds,
            report.medianWaitSeconds, report.medianErrorSeconds,
          ]
          return "\(Self.quoted(report.trace)),\(report.lane),\(report.quotes),"
            + numbers.map { "\($0)" }.joined(separator: ",") + "\n"
        }.joined()
    case .table:
      let rows = reports.map { report in
        String(
          format: "%8d %10.1f %14.1f %13.1f %12.1f %12.1f", report.quotes, 100 * report.covered,
          100 * report.coveredUncorrected, report.medianWidthSeconds, report.medianWaitSeconds,
          report.medianErrorSeconds)
      }
      let names = reports.map { "\($0.trace) \($0.lane)" }
      let width = max(4, names.map(\.count).max() ?? 0)
      func padded(_ text: String) -> String {
        text + String(repeating: " ", count: width - text.count)
      }
      let heading =
        padded("lane") + "   quotes  covered %  uncorrected %   width/s p50   wait/s p50"
        + "  error/s p50\n"
      return heading + zip(names, rows).map { padded($0) + " " + $1 + "\n" }.joined()
    }
  }
}
