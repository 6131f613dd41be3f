import Foundation
import QubusCore
import Testing

@testable import QubusScheduler

@Suite("When a waiting job starts") struct StartForecastTests {
  static let capacity = SchedulerCapacity(
    computeSlots: 1, expressSlots: 0, memoryBytes: 1000, jobsQueued: 100_000)

  /// One slot, a job that runs since 0, and `count` that wait; each takes `seconds`, with a p90 of
  /// `ratio` times that.
  func scheduler(_ count: Int, seconds: Double = 10, ratio: Double = 2) throws -> Scheduler {
    var scheduler = Scheduler(
      capacity: Self.capacity, policy: try FairOrder(capacity: Self.capacity))
    for number in 0...count {
      var new = job(number, seconds: seconds)
      new.longMicroseconds = Microseconds(seconds * ratio * 1e6)
      scheduler.apply(.queued(new), now: 0)
      if number == 0 { _ = scheduler.decide(now: 0) }
    }
    return scheduler
  }

  @Test("exact run times give exact starts; the same seed gives the same bands")
  func exact() throws {
    let scheduler = try scheduler(20, ratio: 1)
    let forecast = try #require(StartForecast(of: id(20), in: scheduler, now: 0, seed: 1))
    // Nineteen before it and the one that runs, each 10 s within some percent.
    #expect(abs(Double(forecast.start.p50) / 200e6 - 1) < 0.02)
    #expect(forecast.start.p10 <= forecast.start.p50 && forecast.start.p50 <= forecast.start.p90)
    #expect(abs(Double(forecast.end.p50 - forecast.start.p50) / 10e6 - 1) < 0.2)
    #expect(StartForecast(of: id(20), in: scheduler, now: 0, seed: 1) == forecast)
    #expect(StartForecast(of: id(20), in: scheduler, now: 0, seed: 2) != forecast)
    // Nobody was touched.
    #expect(scheduler.queuedCount == 20 && scheduler.runningCount == 1)
  }

  @Test("what ran for long is expected to go on, and bands widen with what is not known")
  func elapsed() throws {
    let scheduler = try scheduler(1)
    let early = try #require(StartForecast(of: id(1), in: scheduler, now: 0, seed: 3))
    let late = try #require(StartForecast(of: id(1), in: scheduler, now: 60_000_000, seed: 3))
    #expect(late.start.p10 > 60_000_000)
    #expect(late.start.p50 - 60_000_000 > 3_000_000, "a run of 60 s where 10 are usual")
    let sure = try #require(
      StartForecast(of: id(1), in: try self.scheduler(1, ratio: 1.1), now: 0, seed: 3))
    #expect(sure.start.width < early.start.width / 3)
  }

  @Test("nobody knows when a paused job starts, one that runs, or any of a drained service")
  func unknown() throws {
    var scheduler = try scheduler(2)
    #expect(StartForecast(of: id(0), in: scheduler, now: 0, seed: 1) == nil)
    #expect(StartForecast(of: id(99), in: scheduler, now: 0, seed: 1) == nil)
    scheduler.apply(.withheld(id(1), .paused, since: 0), now: 0)
    #expect(StartForecast(of: id(1), in: scheduler, now: 0, seed: 1) == nil)
    let next = try #require(StartForecast(of: id(2), in: scheduler, now: 0, seed: 1))
    #expect(next.start.p50 < 15_000_000, "the paused job is not before it")
    scheduler.apply(.drained(true), now: 0)
    #expect(StartForecast(of: id(2), in: scheduler, now: 0, seed: 1) == nil)
  }

  @Test("who may run nothing is told nothing; who has to wait for his own jobs is told of them")
  func quota() throws {
    var scheduler = try scheduler(0)
    for number in 1...3 {
      var new = job(number, seconds: 1)
      new.tenant = "a"
      scheduler.apply(.queued(new), now: 0)
    }
    scheduler.apply(.capped([AccountPath(tenant: "a"): SchedulerCap(jobs: 0)]), now: 0)
    _ = scheduler.decide(now: 0)
    #expect(StartForecast(of: id(2), in: scheduler, now: 0, seed: 1) == nil)
    scheduler.apply(.capped([AccountPath(tenant: "a"): SchedulerCap(jobs: 1)]), now: 0)
    #expect(StartForecast(of: id(2), in: scheduler, now: 0, seed: 1) != nil)
  }

  @Test("deep and large queues cost no more than they may, and are forecast by their work")
  func bounded() throws {
    let scheduler = try scheduler(3000, seconds: 1, ratio: 1)
    var bounds = StartForecast.Bounds()
    (bounds.depth, bounds.rollouts, bounds.starts) = (50, 2...4, 100)
    let deep = try #require(
      StartForecast(of: id(3000), in: scheduler, now: 0, seed: 1, bounds: bounds))
    #expect(deep.rollouts == 2)
    #expect(abs(Double(deep.start.p50) / 3000e6 - 1) < 0.05)
    bounds.size = 100
    let large = try #require(
      StartForecast(of: id(3000), in: scheduler, now: 0, seed: 1, bounds: bounds))
    #expect(large.rollouts == 0 && abs(Double(large.start.p50) / 2999e6 - 1) < 0.01)
    #expect(large.start.p10 < large.start.p50 && large.start.p50 < large.start.p90)
    #expect(large.end.p10 > large.start.p10)
  }

  @Test("a job that expires first starts by its expiry or never")
  func expires() throws {
    var scheduler = try scheduler(5)
    scheduler.apply(.queued(job(6, expiresAt: 1_000_000)), now: 0)
    let forecast = try #require(StartForecast(of: id(6), in: scheduler, now: 0, seed: 1))
    #expect(forecast.start.p90 <= 1_000_000)
  }

  @Test("a run that must stop makes room then")
  func runLimit() throws {
    var scheduler = Scheduler(
      capacity: Self.capacity, policy: try FairOrder(capacity: Self.capacity))
    scheduler.apply(.queued(job(1, seconds: 1000, runLimit: 2_000_000)), now: 0)
    _ = scheduler.decide(now: 0)
    scheduler.apply(.queued(job(2)), now: 0)
    let forecast = try #require(StartForecast(of: id(2), in: scheduler, now: 0, seed: 1))
    #expect(forecast.start == TimeBand(p10: 2_000_000, p50: 2_000_000, p90: 2_000_000))
  }

  @Test("run times are drawn from their law, whatever has passed of them")
  func law() {
    let law = RunTimeLaw(median: 1_000_000, long: 4_000_000)
    func part(_ parts: Double, after elapsed: Microseconds = 0) -> Double {
      Double(law.time(longerThan: elapsed, parts)) * 1e-6
    }
    #expect(abs(part(0.5) - 1) < 1e-5 && abs(part(0.9) - 4) < 1e-4 && abs(part(0.1) - 0.25) < 1e-5)
    // Half of the runs that are past their median go past the p75.
    #expect(abs(part(0.5, after: 1_000_000) - part(0.75)) < 1e-5)
    #expect(part(1e-9, after: 1_000_000) > 1)
    #expect(part(0.5, after: 1 << 50) > Double(1 << 50) * 1e-6)
    for uniform in [1e-300, 0.5, 1 - 1e-16] {
      let nothing = RunTimeLaw(median: 0, long: 0).time(longerThan: 0, uniform)
      #expect(nothing >= 1 && nothing < 1 << 56)
    }
  }
}

@Suite("Bands corrected by experience") struct ConformalBandTests {
  /// Quotes of 100 s ± 10 s whose jobs start after a log-normal multiple of that.
  private func coverage(
    _ seed: UInt64, _ count: Int, bias: (Int) -> Double, spread: Double
  ) -> (Double, Double) {
    var random = SeededGenerator(state: seed)
    var bands = ConformalBand()
    var (covered, raw) = (0, 0)
    for number in 0..<count {
      let now = Microseconds(number) * 1_000_000
      let told = TimeBand(p10: now + 90_000_000, p50: now + 100_000_000, p90: now + 110_000_000)
      let quote = StartQuote(
        lane: .batch, at: now, raw: told, band: bands.band(told, in: .batch, now: now))
      #expect(quote.band.p10 <= quote.band.p50 && quote.band.p50 <= quote.band.p90)
      #expect(quote.band.p10 >= now)
      let normal =
        sqrt(-2 * log(Double.random(in: 1e-12..<1, using: &random)))
        * cos(2 * .pi * Double.random(in: 0..<1, using: &random))
      let start = now + Microseconds(100e6 * bias(number) * exp(spread * normal))
      if quote.band.contains(start) { covered += 1 }
      if told.contains(start) { raw += 1 }
      bands.score(quote, startedAt: start)
    }
    return (Double(covered) / Double(count), Double(raw) / Double(count))
  }

  @Test("too narrow, too wide or biased bands come to hold eight of ten starts")
  func holds() {
    // Adaptive inference keeps the mean within 1/(step × quotes) of the level whatever comes; here
    // that is 0.8 %.
    for (seed, bias, spread) in [(1, 1.0, 1.0), (2, 1, 0.01), (3, 5, 0.5), (4, 0.2, 0.1)] {
      let (found, raw) = coverage(UInt64(seed), 4000, bias: { _ in bias }, spread: spread)
      #expect(found > 0.78 && found < 0.82, "seed \(seed): \(found)")
      #expect(raw < 0.5 || raw > 0.9, "seed \(seed): \(raw) held before")
    }
  }

  @Test("a load that changes is followed")
  func drift() {
    let (found, _) = coverage(
      5, 4000, bias: { number in number / 500 % 2 == 0 ? 1 : 8 }, spread: 0.3)
    #expect(found > 0.78 && found < 0.82, "seed 5: \(found)")
  }

  @Test("each lane has its own correction, and takes that of all until it knows enough")
  func lanes() {
    var bands = ConformalBand()
    let raw = TimeBand(p10: 90_000_000, p50: 100_000_000, p90: 110_000_000)
    #expect(bands.band(raw, in: .long, now: 0) == raw)
    func score(_ lane: Lane, startedAt: Microseconds) {
      let band = bands.band(raw, in: lane, now: 0)
      bands.score(StartQuote(lane: lane, at: 0, raw: raw, band: band), startedAt: startedAt)
    }
    for _ in 0..<100 { score(.batch, startedAt: 1_000_000_000) }
    #expect(bands.band(raw, in: .batch, now: 0).p90 >= 1_000_000_000)
    #expect(bands.band(raw, in: .long, now: 0).p90 >= 1_000_000_000)
    for number in 0..<100 { score(.long, startedAt: 95_000_000 + Microseconds(number) * 100_000) }
    #expect(bands.band(raw, in: .long, now: 0).p90 < 200_000_000)
    #expect(bands.band(raw, in: .batch, now: 0).p90 >= 1_000_000_000)
  }
}
