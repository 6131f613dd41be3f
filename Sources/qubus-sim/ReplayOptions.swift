internal import ArgumentParser
internal import QubusCore
internal import QubusSchedulerTraces

/// How time passes.
struct ReplayOptions: ParsableArguments {
  @Option(help: "What the policy believes of run times: requested or actual.")
  var estimates: Replay.Settings.Estimates = .requested
  @Option(help: "Seconds between the borders at which a job can make room.")
  var chunk = 1.0
  @Option(help: "Seconds that a preempted job loses when it comes back.")
  var switchCost = 0.0
  @Option(help: "A job that waits longer than these seconds counts as starved.")
  var starvedAfter = 86_400.0

  func validate() throws {
    for (name, value) in [("--chunk", chunk), ("--switch-cost", switchCost)]
    where !(0...1e8).contains(value) {
      throw ValidationError("\(name) is \(value) (limit: 0 to 1e8 seconds)")
    }
  }

  var settings: Replay.Settings {
    Replay.Settings(
      estimates: estimates, chunk: Microseconds(chunk * 1e6),
      switchCost: Microseconds(switchCost * 1e6))
  }
}

extension Replay.Settings.Estimates: ExpressibleByArgument {}
