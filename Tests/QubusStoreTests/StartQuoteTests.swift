import QubusCore
import QubusJobs
import Testing

@testable import QubusStoreSQLite

@Suite("Quotes of starts, in a store") struct StartQuoteTests {
  static func quote(
    _ job: UInt64, at: Microseconds, lane: String = "batch", startedAt: Microseconds? = nil
  ) -> StartQuoteRecord {
    StartQuoteRecord(
      job: Identifier(high: 7, low: job), lane: lane, device: "sim.statevector", quotedAt: at,
      raw: TimeBand(p10: at + 1, p50: at + 2, p90: at + 3),
      band: TimeBand(p10: at + 1_000_000, p50: at + 2_000_000, p90: at + 5_000_000),
      startedAt: startedAt)
  }

  static func keep(_ quotes: [StartQuoteRecord], in store: SQLiteJobStore) async throws {
    try await withCheckedThrowingContinuation {
      (continuation: CheckedContinuation<Void, any Error>) in
      store.keep(quotes) { continuation.resume(with: $0) }
    }
  }

  @Test("what was told is there after a restart, with the start once that is known, and scored")
  func kept() async throws {
    let directory = TemporaryDirectory()
    func open() throws -> SQLiteJobStore {
      try SQLiteJobStore(directory: directory.path, codec: TestCodec(), clock: ManualClock())
    }
    let store = try open()
    #expect(try store.startQuotes(limit: 10).isEmpty && store.startQuoteScores().isEmpty)
    let told = [(1, 100, "batch"), (1, 200, "batch"), (2, 150, "long")].map { job, at, lane in
      Self.quote(job, at: at, lane: lane)
    }
    try await Self.keep(told, in: store)
    // One starts within its band and, by the other quote, before it.
    let started = [
      Self.quote(1, at: 100, startedAt: 1_000_100), Self.quote(1, at: 200, startedAt: 1_000_100),
    ]
    try await Self.keep(started, in: store)
    try store.close()
    let again = try open()
    #expect(try again.startQuotes(limit: 10) == [started[0], told[2], started[1]])
    #expect(try again.startQuotes(limit: 1) == [started[1]])
    let scores = try again.startQuoteScores()
    #expect(scores.map(\.lane) == ["batch", "long"])
    #expect(scores.map(\.quotes) == [2, 1] && scores.map(\.scored) == [2, 0])
    #expect(scores.map(\.covered) == [1, 0] && scores.map(\.since) == [100, 150])
    #expect(scores.map(\.widthSeconds) == [8, 0])
    #expect(abs(scores[0].errorSeconds - 2.0001) < 1e-9 && scores[1].errorSeconds == 0)
    let all = StartQuoteScore.sum(scores, lane: "all")
    #expect(all.quotes == 3 && all.covered == 1 && all.since == 100 && all.widthSeconds == 8)
    try again.close()
    await #expect(throws: QubusError.self) { try await Self.keep(told, in: again) }
  }

  @Test("of too many the oldest go")
  func bounded() async throws {
    let fixture = try StoreFixture(.sqlite)
    let count = CommandExecutor.quotesKept + 500
    let quotes = (0..<count).map { Self.quote(UInt64($0), at: Microseconds($0)) }
    for start in stride(from: 0, to: count, by: 1000) {
      try await Self.keep(Array(quotes[start..<min(count, start + 1000)]), in: fixture.sqlite)
    }
    let kept = try fixture.sqlite.startQuotes(limit: .max)
    #expect(kept.count == CommandExecutor.quotesKept && kept.first?.quotedAt == 500)
    fixture.close()
  }
}
