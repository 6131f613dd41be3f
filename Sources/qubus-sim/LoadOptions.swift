internal import ArgumentParser
internal import Foundation
internal import QubusSchedulerTraces

/// Where the jobs come from.
struct LoadOptions: ParsableArguments {
  @Option(help: "Processors of the machine; a trace's own by default, 1 for bursts, else 256.")
  var processors: Int?
  @Flag(help: "Leave out jobs of a trace that need no time, no processors or too many.")
  var skipInvalid = false
  @Option(help: "Jobs of a synthetic load.")
  var jobs = 20_000
  @Option(help: "Users of a synthetic load.")
  var users = 12
  @Option(help: "Processor time wanted per processor time there is.")
  var load: Double?
  @Option(help: "Mean number of jobs in a burst.")
  var burst = 20.0
  @Option(help: "Median run time in seconds (bursty, poisson).")
  var median = 20.0
  @Option(help: "Spread of estimates above run times; 0 makes them exact (bursty, poisson).")
  var estimateSpread = 0.3
  @Option(help: "Seed of a synthetic load.")
  var seed: UInt64 = 1

  func trace(_ source: String) throws -> Trace {
    switch source {
    case "bursty", "poisson":
      var load = BurstyLoad()
      load.burst = source == "bursty" ? burst : 1
      load.jobs = jobs
      load.users = users
      load.processors = processors ?? 1
      load.load = self.load ?? load.load
      load.medianSeconds = median
      load.estimateSpread = estimateSpread
      load.seed = seed
      return try load.trace()
    case "lublin":
      var load = LublinLoad()
      load.jobs = jobs
      load.users = users
      load.processors = processors ?? load.processors
      load.load = self.load
      load.seed = seed
      return try load.trace()
    default:
      let text: String
      do {
        text = try String(contentsOfFile: source, encoding: .utf8)
      } catch {
        throw ValidationError("\(source) is no synthetic load and cannot be read: \(error)")
      }
      return try SWFReader(processors: processors, skipsInvalidJobs: skipInvalid).read(
        text, name: URL(fileURLWithPath: source).deletingPathExtension().lastPathComponent)
    }
  }
}
