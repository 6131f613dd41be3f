import QubusCore
import QubusScheduler
import QubusSchedulerTraces

/// Small traces with every awkward case: ties, bursts, jobs as large as the machine, estimates that
/// are exact, too long or too short.
func randomTrace(
  seed: UInt64, jobs: Int = 60, estimatesHold: Bool = false
) throws(QubusError) -> Trace {
  var random = LoadRandom(seed: seed)
  let processors = Int.random(in: 1...12, using: &random)
  let users = Int.random(in: 1...4, using: &random)
  let longest = Int64.random(in: 1...50, using: &random)
  var now: Microseconds = 0
  var drawn: [TraceJob] = []
  for number in 1...jobs {
    if Bool.random(using: &random) { now += Int64.random(in: 0...40, using: &random) * 1_000_000 }
    let run = Int64.random(in: 1...longest, using: &random) * 1_000_000
    let factor = Double.random(in: estimatesHold ? 1...3 : 0.3...3, using: &random)
    drawn.append(
      TraceJob(
        number: number, submitted: now, runTime: run,
        requestedTime: Bool.random(using: &random) ? Microseconds(Double(run) * factor) : nil,
        processors: Int.random(in: 1...processors, using: &random),
        user: Int.random(in: 0..<users, using: &random)))
  }
  return try Trace(name: "random \(seed)", processors: processors, jobs: drawn)
}

/// Policies with all that is special about them switched on.
let allPolicies: [ReplayPolicy] = {
  var order = FairBandOrder.Settings()
  order.bandSeconds = 20
  order.longestDueSeconds = 200
  var preempting = order
  preempting.preempts = true
  let lanes = ServiceReplay.Lanes(interactiveUpTo: 5_000_000, longFrom: 30_000_000)
  return [
    .fifo, .easy, .classic, .shortestFirst, .clairvoyant, .leastUsed, .usageWeighted,
    .fairBand(order),
    .service(FairPolicy(), lanes: lanes, isPreemptible: false),
    .service(FairPolicy(), lanes: lanes, isPreemptible: true), .fairBand(preempting),
  ]
}()
