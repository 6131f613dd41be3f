internal import Foundation
internal import QubusCore

/// Reports as text: a table for people, JSON and CSV for programs.
package enum ReportFormat: String, Sendable, CaseIterable {
  case table
  case json
  case csv

  package func text(_ reports: [ReplayReport]) -> String {
    switch self {
    case .table: Self.table(reports)
    case .json: Self.json(reports)
    case .csv: Self.csv(reports)
    }
  }

  private struct Column: Sendable {
    var name: String
    var heading: String
    var text: @Sendable (ReplayReport) -> String
    var exact: @Sendable (ReplayReport) -> String
  }

  private static func number(
    _ name: String, _ heading: String, _ digits: Int, scale: Double = 1,
    _ value: @escaping @Sendable (ReplayReport) -> Double?
  ) -> Column {
    Column(
      name: name, heading: heading,
      text: { value($0).map { String(format: "%.\(digits)f", $0 * scale) } ?? "-" },
      exact: {
        value($0).map { number in Int(exactly: number).map { "\($0)" } ?? "\(number)" } ?? ""
      })
  }

  /// One row per figure: name of the column in CSV, heading of the table, digits, unit.
  private static let columns: [Column] = [
    Column(name: "policy", heading: "policy", text: { $0.policy }, exact: { $0.policy }),
    Column(name: "trace", heading: "trace", text: { $0.trace }, exact: { quoted($0.trace) }),
    number("jobs", "jobs", 0) { Double($0.jobs) },
    number("mean_bounded_slowdown", "slowdown mean", 2) { $0.meanBoundedSlowdown },
    number("p95_bounded_slowdown", "p95", 1) { $0.p95BoundedSlowdown },
    number("max_bounded_slowdown", "max", 0) { $0.maxBoundedSlowdown },
    number("mean_wait_seconds", "wait mean/h", 3, scale: 1 / 3600) { $0.meanWaitSeconds },
    number("p95_wait_seconds", "p95/h", 3, scale: 1 / 3600) { $0.p95WaitSeconds },
    number("max_wait_seconds", "max/h", 2, scale: 1 / 3600) { $0.maxWaitSeconds },
    number("utilisation", "used %", 1, scale: 100) { $0.utilisation },
    number("worst_share_deviation_seconds", "behind share/h", 2, scale: 1 / 3600) {
      $0.worstShareDeviationSeconds
    },
    number("jain_index", "Jain", 3) { $0.jainIndex },
    number("preemptions_per_job", "preempted/job", 3) { $0.preemptionsPerJob },
    number("starved_jobs", "starved", 0) { Double($0.starvedJobs) },
    number("decisions", "decisions", 0) { Double($0.decisions) },
    number("decisions_per_second", "decisions/s", 0) { $0.decisionsPerSecond },
  ]

  private static func table(_ reports: [ReplayReport]) -> String {
    let rows = [columns.map(\.heading)] + reports.map { report in columns.map { $0.text(report) } }
    let widths = columns.indices.map { place in rows.map { $0[place].count }.max() ?? 0 }
    return rows.map { row in
      row.enumerated().map { place, cell in
        let padding = String(repeating: " ", count: widths[place] - cell.count)
        return place < 2 ? cell + padding : padding + cell
      }.joined(separator: "  ")
    }.joined(separator: "\n") + "\n"
  }

  private static func csv(_ reports: [ReplayReport]) -> String {
    let rows = [columns.map(\.name)] + reports.map { report in columns.map { $0.exact(report) } }
    return rows.map { $0.joined(separator: ",") + "\n" }.joined()
  }

  static func quoted(_ text: String) -> String {
    text.contains { ",\"\n".contains($0) }
      ? "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\"" : text
  }

  static func json(_ reports: [some Encodable]) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    // Every field is a number, a text or absent: encoding cannot fail.
    guard let data = try? encoder.encode(reports) else { return "[]\n" }
    return String(decoding: data, as: UTF8.self) + "\n"
  }
}
