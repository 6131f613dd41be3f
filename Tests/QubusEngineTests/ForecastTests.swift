import QubusCore
import QubusJobs
import QubusScheduler
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("What waiting jobs are told of their start") struct ForecastTests {
  /// A device that runs nothing to its end until it is told to; it predicts `seconds`.
  private func harness(
    _ clock: ManualClock, seconds: Double = 10, store: FakeStore? = nil,
    codec: FakeCodec = FakeCodec(), quotes: FakeQuoteStore? = nil
  ) throws -> EngineHarness {
    try EngineHarness(
      device: FakeDevice(permits: 0, seconds: seconds), store: store, codec: codec, clock: clock,
      quoteStore: quotes, configure: { $0.computeThreads = 1 })
  }

  @Test("a band on request, told again for a while, logged, and scored when the job starts")
  func scored() async throws {
    let (clock, quotes) = (ManualClock(), FakeQuoteStore())
    let harness = try harness(clock, quotes: quotes)
    let engine = harness.engine
    let first = try await harness.submitted()
    await harness.device.started(1)
    let second = try await harness.submitted()
    let now = clock.now()
    #expect(engine.isForecastDue(second) && !engine.isForecastDue(first))
    let view = try engine.job(second, context: harness.context)
    let told = try #require(view.forecast)
    #expect(now < told.start.p10 && told.start.p10 < told.start.p50)
    #expect(told.start.p50 < told.start.p90 && told.start.p90 < told.end.p90)
    #expect((5_000_000...20_000_000).contains(told.start.p50 - now))
    #expect(view.estimatedStartAt == told.start.p50 && told.confidence == 0.8)
    #expect(!engine.isForecastDue(second))
    #expect(try engine.explain(second, context: harness.context).job.forecast == told)
    #expect(try engine.jobs(JobFilter(), context: harness.context).first?.forecast == told)
    #expect(try engine.job(first, context: harness.context).forecast == nil)
    clock.advance(microseconds: 9_000_000)
    let again = try #require(try engine.job(second, context: harness.context).forecast)
    #expect(again != told && again.start.p10 >= clock.now())
    harness.device.permit(nil)
    try await harness.finished(second)
    engine.saveQuotes()
    let rows = try quotes.startQuotes(limit: 10)
    #expect(rows.map(\.job) == [second, second] && rows.map(\.band) == [told.start, again.start])
    #expect(rows.map(\.startedAt) == [now + 9_000_000, now + 9_000_000])
    let found = try engine.startQuoteScores(context: harness.context)
    #expect(found.level == 0.8 && found.scores.map(\.scored) == [2])
    await harness.stop()
  }

  @Test("a job that is paused, drained, ended or not there is told nothing")
  func nothing() async throws {
    let harness = try harness(ManualClock())
    let (engine, context) = (harness.engine, harness.context)
    _ = try await harness.submitted()
    await harness.device.started(1)
    let id = try await harness.submitted()
    engine.drain(true)
    #expect(try engine.job(id, context: context).forecast == nil)
    engine.drain(false)
    #expect(try engine.job(id, context: context).forecast != nil)
    _ = try await harness.cancel(id)
    #expect(try engine.job(id, context: context).forecast == nil)
    let stranger = CallContext(
      identity: .submitter(Principal(tenant: "other", project: "p", name: "eve")),
      clientVersion: "test/1", traceID: "trace")
    let error = #expect(throws: QubusError.self) { try engine.job(id, context: stranger) }
    #expect(error?.code == .jobNotFound)
    harness.device.permit(nil)
    await harness.stop()
  }

  @Test("a plan tells when the job would start, and leaves no trace")
  func plan() async throws {
    let clock = ManualClock()
    let harness = try harness(clock)
    let (engine, context) = (harness.engine, harness.context)
    func planned(_ spec: JobSpec = EngineHarness.spec()) async throws -> PlanReport {
      try await withCheckedContinuation { continuation in
        engine.plan(spec, context: context) { continuation.resume(returning: $0) }
      }.get()
    }
    let idle = try await planned().forecast
    #expect(idle?.start == TimeBand(p10: clock.now(), p50: clock.now(), p90: clock.now()))
    let first = try await harness.submitted()
    await harness.device.started(1)
    let second = try await harness.submitted()
    let behind = try #require(try await planned().forecast)
    let told = try #require(try engine.job(second, context: context).forecast)
    #expect(behind.start.p50 > told.start.p50 && behind.end.p50 > behind.start.p50)
    let dependent = try await planned(EngineHarness.spec { $0.after = [first] })
    #expect(dependent.forecast == nil)
    #expect(engine.load().jobsQueued == 1)
    harness.device.permit(nil)
    await harness.stop()
  }

  @Test("a restart knows how quotes held, and scores those of jobs that still waited")
  func restart() async throws {
    let (clock, quotes, codec) = (ManualClock(), FakeQuoteStore(), FakeCodec())
    let store = FakeStore(clock: clock)
    let first = try harness(clock, store: store, codec: codec, quotes: quotes)
    _ = try await first.submitted()
    await first.device.started(1)
    let waiting = try await first.submitted()
    let told = try #require(try first.engine.job(waiting, context: first.context).forecast)
    await first.stop(graceMicroseconds: 0)
    #expect(try quotes.startQuotes(limit: 10).map(\.startedAt) == [nil])
    // A hundred starts that took ten times as long as was told.
    let old = (0..<100).map { number in
      let at = clock.now() - 1_000_000_000 + Microseconds(number)
      let band = TimeBand(p10: at + 900_000, p50: at + 1_000_000, p90: at + 1_100_000)
      return StartQuoteRecord(
        job: Identifier(high: 1, low: UInt64(number)), lane: "batch", device: "sim.fake",
        quotedAt: at, raw: band, band: band, startedAt: at + 10_000_000)
    }
    quotes.keep(old) { _ in }
    let second = try harness(clock, store: store, codec: codec, quotes: quotes)
    await second.device.started(1)
    let again = try #require(try second.engine.job(waiting, context: second.context).forecast)
    #expect(again.start.p90 - clock.now() > 3 * (told.start.p90 - clock.now()))
    second.device.permit(nil)
    try await second.finished(waiting)
    second.engine.saveQuotes()
    let rows = try quotes.startQuotes(limit: 1000).filter { $0.job == waiting }
    #expect(rows.allSatisfy { $0.startedAt != nil } && rows.first?.band == told.start)
    await second.stop()
  }

  @Test("quotes that the store refused are written later; a store that cannot be read stops it")
  func refused() async throws {
    let (clock, quotes) = (ManualClock(), FakeQuoteStore())
    let harness = try harness(clock, quotes: quotes)
    _ = try await harness.submitted()
    await harness.device.started(1)
    let id = try await harness.submitted()
    _ = try harness.engine.job(id, context: harness.context)
    quotes.state.withLock { $0.failure = QubusError(.diskFull, "full") }
    harness.engine.saveQuotes()
    #expect(throws: QubusError.self) {
      try harness.engine.startQuoteScores(context: harness.context)
    }
    let broken = try EngineHarness(clock: clock, start: false, quoteStore: quotes)
    #expect(throws: QubusError.self) { try broken.engine.start() }
    quotes.state.withLock { $0.failure = nil }
    harness.engine.saveQuotes()
    #expect(try quotes.startQuotes(limit: 10).map(\.job) == [id])
    harness.device.permit(nil)
    await harness.stop()
  }

  @Test("a deadline that cannot be kept is told at the submit and explained, not refused")
  func deadlines() async throws {
    let clock = ManualClock()
    let harness = try harness(clock, seconds: 100)
    let (engine, context) = (harness.engine, harness.context)
    let first = try await harness.submitted()
    await harness.device.started(1)
    let late = try await harness.submit(
      EngineHarness.spec { $0.execution.deadlineSeconds = 50 })
    let id = late.job.record.id
    #expect(late.job.record.status == .queued)
    #expect(late.job.record.notices.count == 1)
    #expect(late.job.record.notices.first?.contains("will hardly be kept") == true)
    let told = try harness.events(id).filter { $0.kind == .notice }.map(\.body.details)
    #expect(told == [["message": late.job.record.notices[0]]])
    #expect(try harness.constraintKinds(id).last == .deadline)
    let easy = try await harness.submit(
      EngineHarness.spec { $0.execution.deadlineSeconds = 100_000 })
    #expect(easy.job.record.notices.isEmpty)
    #expect(try !harness.constraintKinds(easy.job.record.id).contains(.deadline))
    // When it may start is not known; what it takes is.
    let behind = try await harness.submit(
      EngineHarness.spec {
        $0.after = [first]
        $0.execution.deadlineSeconds = 50
      })
    #expect(behind.job.record.notices.first?.contains("started at once") == true)
    #expect(try harness.constraintKinds(behind.job.record.id) == [.dependency])
    clock.advance(microseconds: 51_000_000)
    engine.clockMoved()
    let expired = try await harness.finished(id)
    #expect(expired.status == .expired && expired.reason == JobReason.deadline)
    #expect(try engine.explain(id, context: context).constraints.isEmpty)
    harness.device.permit(nil)
    await harness.stop()
  }

  @Test("a job with a deadline is told to the scheduler with it, also after a restart")
  func order() async throws {
    let (clock, codec) = (ManualClock(), FakeCodec())
    let store = FakeStore(clock: clock)
    func deadline(_ harness: EngineHarness, _ id: Identifier) -> Microseconds? {
      harness.engine.scheduler.withScheduler { $0.policy.waiting(id)?.deadline }
    }
    let first = try harness(clock, store: store, codec: codec)
    let start = clock.now()
    first.engine.drain(true)
    let id = try await first.submitted(
      EngineHarness.spec { $0.execution.deadlineSeconds = 1000 })
    #expect(deadline(first, id) == start + 1_000_000_000)
    await first.stop()
    let second = try EngineHarness(store: store, codec: codec, clock: clock, start: false)
    second.engine.drain(true)
    try second.engine.start()
    second.engine.scheduler.takeTurns()
    #expect(deadline(second, id) == start + 1_000_000_000)
    await second.stop()
  }
}

/// Keeps quotes in memory, or refuses them.
final class FakeQuoteStore: StartQuoteStore {
  struct State: Sendable {
    var quotes: [StartQuoteRecord] = []
    var failure: QubusError?
  }
  let state = Lock(State())

  func keep(
    _ quotes: [StartQuoteRecord],
    completion: @escaping @Sendable (Result<Void, QubusError>) -> Void
  ) {
    let failure = state.withLock { state -> QubusError? in
      guard state.failure == nil else { return state.failure }
      for quote in quotes {
        state.quotes.removeAll { $0.job == quote.job && $0.quotedAt == quote.quotedAt }
        state.quotes.append(quote)
      }
      return nil
    }
    completion(failure.map { .failure($0) } ?? .success(()))
  }

  func startQuotes(limit: Int) throws(QubusError) -> [StartQuoteRecord] {
    let (quotes, failure) = state.withLock { ($0.quotes, $0.failure) }
    if let failure { throw failure }
    return Array(quotes.sorted { $0.quotedAt < $1.quotedAt }.suffix(limit))
  }

  func startQuoteScores() throws(QubusError) -> [StartQuoteScore] {
    let quotes = try startQuotes(limit: .max)
    return Dictionary(grouping: quotes, by: \.lane).sorted { $0.key < $1.key }.map { lane, quotes in
      var score = StartQuoteScore(lane: lane)
      score.quotes = UInt64(quotes.count)
      score.scored = UInt64(quotes.count { $0.startedAt != nil })
      return score
    }
  }
}
