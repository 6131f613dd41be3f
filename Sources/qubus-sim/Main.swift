internal import ArgumentParser
internal import Foundation
internal import QubusCore
internal import QubusSchedulerTraces

/// Replays loads through scheduling policies in virtual time. `docs/scheduling.md` documents it.
@main
struct QubusSim: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "qubus-sim",
    abstract: "Replays traces and synthetic loads through scheduling policies.",
    discussion: """
      The source is a trace in the Standard Workload Format, or the name of a synthetic load: \
      bursty, poisson or lublin. Nothing is submitted anywhere; time is virtual, and the same \
      options give the same figures.
      """)

  @Argument(help: "A file, or: bursty, poisson, lublin.")
  var source: String
  @OptionGroup(title: "The load") var load: LoadOptions
  @OptionGroup(title: "Policies") var policies: PolicyOptions
  @OptionGroup(title: "The replay") var replay: ReplayOptions
  @Option(name: [.customShort("o"), .long], help: "table, json or csv.")
  var output: ReportFormat = .table
  @Option(help: "Also draws the policies into this SVG file.")
  var plot: String?
  @Flag(
    help: """
      Tells every job that has to wait when it will start, by the policy qubus with learned run \
      times, and reports how the second half of these quotes held.
      """)
  var eta = false

  func run() throws {
    do {
      let trace = try load.trace(source)
      if eta {
        let (policy, lanes) = policies.rules
        let quotes = try ForecastReplay.quotes(
          of: trace, policy: policy, lanes: lanes, settings: replay.settings, seed: load.seed)
        return print(
          output.text(ForecastReport.secondHalf(of: trace, quotes)), terminator: "")
      }
      var reports: [ReplayReport] = []
      var drawing = SurvivalPlot(
        title: "\(trace.name): \(trace.jobs.count) jobs on \(trace.processors) processors")
      for policy in try policies.policies() {
        let (report, samples) = try replayed(trace, policy)
        reports.append(report)
        drawing.add(policy.name, samples)
      }
      print(output.text(reports), terminator: "")
      if let plot { try Data(drawing.svg().utf8).write(to: URL(fileURLWithPath: plot)) }
    } catch let error as QubusError {
      var text = "\(source): \(error)\n"
      if let place = error.location { text += place.excerpt + "\n" }
      FileHandle.standardError.write(Data(text.utf8))
      throw ExitCode(1)
    }
  }

  private func replayed(
    _ trace: Trace, _ policy: ReplayPolicy
  ) throws -> (ReplayReport, ReplaySamples) {
    let settings = replay.settings
    let clock = ContinuousClock()
    let start = clock.now
    let result = try Replay.run(
      trace, through: try policy.scheduler(for: trace, settings: settings), settings: settings)
    let elapsed = (clock.now - start) / .seconds(1)
    var report = ReplayReport(
      result, of: trace, policy: policy.name, starvedAfterSeconds: replay.starvedAfter)
    if elapsed > 0 { report.decisionsPerSecond = Double(report.decisions) / elapsed }
    return (report, ReplaySamples(result, of: trace))
  }
}

extension ReportFormat: ExpressibleByArgument {}
