internal import ArgumentParser
internal import QubusCore
internal import QubusScheduler
internal import QubusSchedulerTraces

/// Which policies, and how those with rules of their own are set.
struct PolicyOptions: ParsableArguments {
  @Option(
    name: [.customShort("p"), .long],
    help: """
      Comma-separated: fifo, easy, classic, sjf, clairvoyant, least-used, usage-weighted, \
      fair-band, fair-band-preempting, qubus, qubus-preempting.
      """)
  var policy = "fifo,easy,classic,sjf,clairvoyant,fair-band,qubus"
  @Option(help: "fair-band, qubus: a job is due this many times its estimate after its submission.")
  var stretch: Double?
  @Option(
    help: "fair-band, qubus: no job is due later than this many hours after its submission.")
  var longestDueHours: Double?
  @Option(help: "fair-band: machine-hours that a user may be ahead and still compete.")
  var bandHours: Double?
  @Option(help: "fair-band, qubus: what past use may multiply a weight by.")
  var usageFactor: Double?
  @Option(help: "qubus: hours after which a job of the batch lane is overdue, however short.")
  var overdueHours: Double?
  @Option(help: "qubus: jobs of up to so many estimated seconds are interactive.")
  var interactiveUpTo = 0.0
  @Option(help: "qubus: jobs of more than so many estimated seconds are background.")
  var longFrom = 1e9

  func validate() throws {
    let limits = [
      ("--interactive-up-to", interactiveUpTo), ("--long-from", longFrom),
      ("--overdue-hours", overdueHours ?? 0), ("--longest-due-hours", longestDueHours ?? 0),
    ]
    // In microseconds all of them fit a 64-bit number.
    for (name, value) in limits where !(0...1e9).contains(value) {
      throw ValidationError("\(name) is \(value) (limit: 0 to 1e9)")
    }
  }

  func policies() throws -> [ReplayPolicy] {
    try policy.split(separator: ",").map { name in
      switch name {
      case "fifo": return .fifo
      case "easy": return .easy
      case "classic": return .classic
      case "sjf": return .shortestFirst
      case "clairvoyant": return .clairvoyant
      case "least-used": return .leastUsed
      case "usage-weighted": return .usageWeighted
      case "fair-band": return fairBand(preempts: false)
      case "fair-band-preempting": return fairBand(preempts: true)
      case "qubus": return service(isPreemptible: false)
      case "qubus-preempting": return service(isPreemptible: true)
      default: throw ValidationError("there is no policy named \(name)")
      }
    }
  }

  private func fairBand(preempts: Bool) -> ReplayPolicy {
    var order = FairBandOrder.Settings()
    if let stretch { order.stretch = stretch }
    if let longestDueHours { order.longestDueSeconds = longestDueHours * 3600 }
    if let bandHours { order.bandSeconds = bandHours * 3600 }
    if let usageFactor { order.usageFactor = usageFactor }
    order.preempts = preempts
    return .fairBand(order)
  }

  private func service(isPreemptible: Bool) -> ReplayPolicy {
    let (policy, lanes) = rules
    return .service(policy, lanes: lanes, isPreemptible: isPreemptible)
  }

  /// Those of qubus.
  var rules: (policy: FairPolicy, lanes: ServiceReplay.Lanes) {
    var policy = FairPolicy()
    if let stretch { policy.stretch = stretch }
    if let usageFactor { policy.usageFactor = usageFactor }
    if let longestDueHours { policy.longestDue = Microseconds(longestDueHours * 3.6e9) }
    if let overdueHours {
      policy.overdueAfter[.batch] = Microseconds(overdueHours * 3.6e9)
      policy.overdueStretch = nil
    }
    let lanes = ServiceReplay.Lanes(
      interactiveUpTo: Microseconds(interactiveUpTo * 1e6), longFrom: Microseconds(longFrom * 1e6))
    return (policy, lanes)
  }
}
