internal import ArgumentParser
internal import QubusSchedulerTraces

/// Which policies, and how the tunable one is set.
struct PolicyOptions: ParsableArguments {
  @Option(
    name: [.customShort("p"), .long],
    help: "fifo, easy, classic, sjf, least-used, bounded; comma-separated.")
  var policy = "fifo,easy,classic,sjf,bounded"
  @Option(help: "bounded: due after this many estimates.")
  var stretch: Double?
  @Option(help: "bounded: doublings of run time that an equal share of usage weighs.")
  var shareWeight = 1.0
  @Option(help: "bounded: doublings per doubling of the stretch so far.")
  var ageWeight = 0.0
  @Option(help: "bounded: doublings per doubling of the processors.")
  var sizeWeight = 0.0
  @Option(help: "bounded: usage is halved in these hours.")
  var halfLifeHours = 168.0
  @Option(help: "bounded: a job that has waited these hours is overdue.")
  var boundHours = Double.infinity
  @Option(help: "bounded: further multiples of its estimate until a job is overdue.")
  var boundEstimates = 0.0
  @Option(help: "bounded: doublings by which a job must rank lower to preempt; none is never.")
  var preemptionMargin: Double?

  func policies() throws -> [ReplayPolicy] {
    try policy.split(separator: ",").map { name in
      switch name {
      case "fifo": return .fifo
      case "easy": return .easy
      case "classic": return .classic
      case "sjf": return .shortestFirst
      case "least-used": return .leastUsed
      case "bounded": return .boundedSlowdown(bounded)
      default: throw ValidationError("there is no policy named \(name)")
      }
    }
  }

  private var bounded: BoundedSlowdownOrder.Settings {
    var settings = BoundedSlowdownOrder.Settings()
    settings.stretch = stretch
    settings.shareWeight = shareWeight
    settings.ageWeight = ageWeight
    settings.sizeWeight = sizeWeight
    settings.halfLifeSeconds = halfLifeHours * 3600
    settings.boundSeconds = boundHours * 3600
    settings.boundEstimates = boundEstimates
    settings.preemptionMargin = preemptionMargin
    return settings
  }
}
