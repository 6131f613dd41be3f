/// The policies that can be replayed, by name.
package enum ReplayPolicy: Sendable, Hashable {
  case fifo
  case easy
  case classic
  case shortestFirst
  case leastUsed
  case boundedSlowdown(BoundedSlowdownOrder.Settings)

  package var name: String {
    switch self {
    case .fifo: "fifo"
    case .easy: "easy"
    case .classic: "classic"
    case .shortestFirst: "sjf"
    case .leastUsed: "least-used"
    case .boundedSlowdown: "bounded"
    }
  }

  /// A policy that has seen nothing yet.
  package func scheduler(
    for trace: Trace, settings: Replay.Settings
  ) -> any ReplayScheduler {
    func backfill(_ order: some QueueOrder, _ backfills: Bool = true) -> any ReplayScheduler {
      BackfillScheduler(
        order: order, processors: trace.processors, chunk: settings.chunk, backfills: backfills)
    }
    switch self {
    case .fifo: return backfill(ArrivalOrder(), false)
    case .easy: return backfill(ArrivalOrder())
    case .classic: return backfill(ClassicOrder(userCount: trace.userCount))
    case .shortestFirst: return backfill(ShortestOrder())
    case .leastUsed: return backfill(LeastUsedOrder(userCount: trace.userCount))
    case .boundedSlowdown(let order):
      return backfill(BoundedSlowdownOrder(userCount: trace.userCount, settings: order))
    }
  }
}
