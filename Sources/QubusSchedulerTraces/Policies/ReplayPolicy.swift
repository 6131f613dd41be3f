package import QubusCore
package import QubusScheduler

/// The policies that can be replayed, by name.
package enum ReplayPolicy: Sendable, Hashable {
  case fifo
  case easy
  case classic
  case shortestFirst
  case clairvoyant
  case leastUsed
  case usageWeighted
  /// The service's own; the flag lets its jobs stop at borders of chunks.
  case service(FairPolicy, lanes: ServiceReplay.Lanes, isPreemptible: Bool)
  case fairBand(FairBandOrder.Settings)

  package var name: String {
    switch self {
    case .fifo: "fifo"
    case .easy: "easy"
    case .classic: "classic"
    case .shortestFirst: "sjf"
    case .clairvoyant: "clairvoyant"
    case .leastUsed: "least-used"
    case .usageWeighted: "usage-weighted"
    case .service(_, _, let isPreemptible): isPreemptible ? "qubus-preempting" : "qubus"
    case .fairBand(let order): order.preempts ? "fair-band-preempting" : "fair-band"
    }
  }

  /// A policy that has seen nothing yet.
  /// - Throws: `invalid_configuration` for rules that cannot be.
  package func scheduler(
    for trace: Trace, settings: Replay.Settings
  ) throws(QubusError) -> any ReplayScheduler {
    func backfill(_ order: some QueueOrder, _ backfills: Bool = true) -> any ReplayScheduler {
      BackfillScheduler(
        order: order, processors: trace.processors, chunk: settings.chunk, backfills: backfills)
    }
    switch self {
    case .fifo: return backfill(ArrivalOrder(), false)
    case .easy: return backfill(ArrivalOrder())
    case .classic: return backfill(ClassicOrder(userCount: trace.userCount))
    case .shortestFirst: return backfill(ShortestOrder(isClairvoyant: false))
    case .clairvoyant: return backfill(ShortestOrder(isClairvoyant: true))
    case .leastUsed: return backfill(LeastUsedOrder(userCount: trace.userCount))
    case .usageWeighted: return backfill(UsageWeightedOrder(userCount: trace.userCount))
    case .service(let policy, let lanes, let isPreemptible):
      return try ServiceReplay(
        policy: policy, processors: trace.processors, lanes: lanes, isPreemptible: isPreemptible)
    case .fairBand(let order):
      try order.validate()
      return backfill(
        FairBandOrder(
          userCount: trace.userCount, processors: trace.processors, settings: order))
    }
  }
}
