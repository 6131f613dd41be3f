package import QubusCore
package import QubusScheduler

/// What was told of a job's start when it came, and when it started.
package struct ScoredQuote: Sendable, Hashable {
  /// Place in the trace.
  package var job: Int
  package var quote: StartQuote
  package var startedAt: Microseconds
}

/// The service's own scheduler in a replay, with run times learned from the jobs that ended; every
/// job that has to wait is told when it will start, as the service would tell it.
///
/// A user of the trace is a tenant with one project and one principal; jobs of one user with the
/// same processors and the same request are one program.
package struct ForecastReplay: ReplayScheduler {
  private struct Known: Sendable {
    var job: ReplayJob
    var lane: Lane
    var startedAt: Microseconds?
    var quote: StartQuote?
  }
  private var scheduler: FairScheduler
  private let lanes: ServiceReplay.Lanes
  private let seed: UInt64
  private let bounds: StartForecast.Bounds
  private let log: Lock<[ScoredQuote]>
  private var model = RunTimeModel()
  private var bands = ConformalBand()
  private var known: [Int: Known] = [:]
  private var arrived: [Int] = []

  private init(
    _ policy: FairPolicy, _ trace: Trace, _ lanes: ServiceReplay.Lanes, seed: UInt64,
    _ bounds: StartForecast.Bounds, _ log: Lock<[ScoredQuote]>
  ) throws(QubusError) {
    scheduler = try FairScheduler(policy: policy, cores: trace.processors)
    self.lanes = lanes
    self.seed = seed
    self.bounds = bounds
    self.log = log
  }

  /// Every quote of a trace, in the order in which their jobs started.
  /// - Throws: what `Replay.run` and a policy that cannot be throw.
  package static func quotes(
    of trace: Trace, policy: FairPolicy = FairPolicy(),
    lanes: ServiceReplay.Lanes = ServiceReplay.Lanes(), settings: Replay.Settings, seed: UInt64,
    bounds: StartForecast.Bounds = StartForecast.Bounds()
  ) throws(QubusError) -> [ScoredQuote] {
    let log = Lock<[ScoredQuote]>([])
    let replay = try ForecastReplay(policy, trace, lanes, seed: seed, bounds, log)
    _ = try Replay.run(trace, through: replay, settings: settings)
    return log.withLock { $0 }
  }

  package mutating func apply(_ event: ReplayEvent, now: Microseconds) throws(QubusError) {
    switch event {
    case .arrived(let job):
      let lane = lanes.lane(job.estimate)
      let learned = model.estimate(
        device: "trace", principal: Self.account(job), program: Self.program(job),
        predicted: job.estimate)
      known[job.index] = Known(job: job, lane: lane)
      arrived.append(job.index)
      try scheduler.apply(
        .submitted(
          FairJob(
            id: Self.id(job.index), account: Self.account(job), lane: lane, cores: job.processors,
            submittedAt: job.submitted, expectedMicroseconds: learned?.median ?? job.estimate,
            longMicroseconds: learned.map { max($0.long, $0.median) })), now: now)
    case .finished(let index):
      try scheduler.apply(.finished(Self.id(index)), now: now)
      guard let ended = known.removeValue(forKey: index), let start = ended.startedAt else {
        return
      }
      model.observe(
        now - start, predicted: ended.job.estimate, device: "trace",
        principal: Self.account(ended.job), program: Self.program(ended.job))
    case .stopped:
      throw QubusError(.internalError, "a job that cannot be stopped was stopped")
    }
  }

  package mutating func decide(now: Microseconds) -> [ReplayDecision] {
    var decisions: [ReplayDecision] = []
    for case .start(let id, _) in scheduler.decide(now: now) {
      let index = Int(id.low)
      decisions.append(.start(index, slice: nil))
      known[index]?.startedAt = now
      guard let quote = known[index]?.quote else { continue }
      bands.score(quote, startedAt: now)
      log.withLock { $0.append(ScoredQuote(job: index, quote: quote, startedAt: now)) }
    }
    for index in arrived where known[index]?.startedAt == nil { quote(index, now: now) }
    arrived.removeAll(keepingCapacity: true)
    return decisions
  }

  private mutating func quote(_ index: Int, now: Microseconds) {
    guard let lane = known[index]?.lane,
      let forecast = StartForecast(
        of: Self.id(index), in: scheduler, now: now, seed: seed &+ UInt64(index), bounds: bounds)
    else { return }
    known[index]?.quote = StartQuote(
      lane: lane, at: now, raw: forecast.start,
      band: bands.band(forecast.start, in: lane, now: now))
  }

  private static func id(_ index: Int) -> Identifier { Identifier(high: 0, low: UInt64(index)) }

  private static func account(_ job: ReplayJob) -> AccountPath {
    AccountPath(tenant: "\(job.user)", project: "trace", principal: "user")
  }

  private static func program(_ job: ReplayJob) -> String {
    "\(job.user) \(job.processors) \(job.estimate)"
  }
}
