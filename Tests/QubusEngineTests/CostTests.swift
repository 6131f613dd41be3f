import QubusCore
import QubusDevices
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("What jobs cost")
struct CostTests {
  private static let project = LedgerProject(tenant: "default", project: "default")
  /// One micro-unit for each microsecond of the device.
  private static let price = Price(perJob: 50, perShot: 2, perDeviceSecond: 1_000_000)

  private static func book(_ price: Price, _ budget: Budget? = nil) -> LedgerBook {
    var snapshot = LedgerSnapshot()
    snapshot.prices = ["sim.fake": price]
    if let budget { snapshot.budgets = [budget] }
    return LedgerBook(snapshot)
  }

  private static func hard(_ cap: Int64) -> Budget {
    Budget(project: project, period: .always, hardCap: cap)
  }

  private static func used(_ book: LedgerBook) -> Int64 {
    let report = book.credit(of: project, now: 0)
    return report.owed
  }

  @Test("without a price nothing is held and nothing is told")
  func free() async throws {
    let book = LedgerBook()
    let harness = try EngineHarness(ledger: book)
    let record = try await harness.finished(try await harness.submitted())
    #expect(record.costHeld == nil && record.cost == nil)
    #expect(book.projects.isEmpty)
    await harness.stop()
  }

  @Test("one and a half of the predicted time is held, what was used is charged")
  func settlement() async throws {
    let book = Self.book(Self.price)
    let harness = try EngineHarness(ledger: book)
    let report = try await harness.submit(EngineHarness.spec())
    #expect(report.job.record.costHeld == Int64(50 + 2 * 1000 + 1500))
    let record = try await harness.finished(report.job.record.id)
    #expect(record.cost == Int64(50 + 2 * 1000 + 7))
    #expect(try harness.store.job(record.id)?.cost == record.cost)
    #expect(Self.used(book) == 2057 && book.hold(of: record.id) == nil)
    await harness.stop()
  }

  @Test("a hard cap refuses the submit and leaves nothing held; a raised one takes it")
  func refusal() async throws {
    let book = Self.book(Self.price, Self.hard(3549))
    let harness = try EngineHarness(ledger: book)
    let error = await #expect(throws: QubusError.self) {
      try await harness.submit(EngineHarness.spec())
    }
    #expect(error?.code == .budgetExceeded)
    #expect(error?.details == ["cap": "3549", "current": "0", "needs": "3550"])
    #expect(harness.engine.load().jobsQueued == 0 && Self.used(book) == 0)
    book.apply([.ledger(.setBudget(Self.hard(3550)))])
    let record = try await harness.finished(try await harness.submitted())
    #expect(record.status == .succeeded)
    await harness.stop()
  }

  @Test("a job that reaches a cap stops at the border of a chunk, and what it did is kept")
  func cap() async throws {
    let book = Self.book(Price(perDeviceSecond: 1_000_000), Self.hard(20))
    let device = FakeDevice(seconds: 1e-6, shotsPerChunk: 100)
    let harness = try EngineHarness(device: device, ledger: book)
    let record = try await harness.finished(try await harness.submitted())
    #expect(record.status == .failed && record.error?.code == .budgetExceeded)
    #expect(record.costHeld == 2 && record.cost == 21)
    #expect(record.shotsDone == 300)
    let (_, manifest, _) = try harness.engine.result(record.id, context: harness.context)
    #expect(manifest.isPartial && manifest.shotsDone == 300)
    #expect(try harness.words(record.id, "counts.values") == [300])
    // A chunk of seven beyond what was left.
    #expect(Self.used(book) == 21)
    await harness.stop()
  }

  @Test("max_cost refuses what is expected to cost more, and stops what does")
  func maxCost() async throws {
    let book = Self.book(Price(perDeviceSecond: 1_000_000))
    let device = FakeDevice(seconds: 10e-6, shotsPerChunk: 100)
    let harness = try EngineHarness(device: device, ledger: book)
    let error = await #expect(throws: QubusError.self) {
      try await harness.submit(EngineHarness.spec { $0.execution.maxCost = 9 })
    }
    #expect(error?.code == .costLimitExceeded)
    #expect(error?.violations.map(\.field) == ["execution.max_cost"])
    let id = try await harness.submitted(EngineHarness.spec { $0.execution.maxCost = 12 })
    let record = try await harness.finished(id)
    #expect(record.error?.code == .costLimitExceeded)
    #expect(record.costHeld == 12 && record.cost == 14 && record.shotsDone == 200)
    await harness.stop()
  }

  @Test("what fails or never ran is free, what is canceled is charged for what it did")
  func refunds() async throws {
    let book = Self.book(Self.price)
    let device = FakeDevice(permits: 3, seconds: 1, shotsPerChunk: 100)
    let harness = try EngineHarness(device: device, ledger: book)
    let running = try await harness.submitted()
    await device.started(4)
    let report = try await harness.cancel(running)
    #expect(report.job.record.cost == Int64(50 + 2 * 300 + 21))
    harness.engine.drain(true)
    let queued = try await harness.submitted()
    #expect(try await harness.cancel(queued).job.record.cost == 0)
    harness.engine.drain(false)
    device.state.signal { $0.failure = QubusError(.executionFailed, "broken") }
    device.permit(nil)
    let failed = try await harness.finished(try await harness.submitted())
    #expect(failed.status == .failed && failed.cost == 0)
    #expect(Self.used(book) == 671)
    await harness.stop()
  }

  @Test("a submit that makes no job holds nothing: repeated under its key, or refused by the store")
  func release() async throws {
    // Enough for one.
    let book = Self.book(Self.price, Self.hard(3550))
    let harness = try EngineHarness(ledger: book)
    let spec = EngineHarness.spec { $0.idempotencyKey = "key" }
    let id = try await harness.submitted(spec)
    #expect(try await harness.submit(spec).isDuplicate)
    _ = try await harness.finished(id)
    #expect(try await harness.submit(spec).isDuplicate)
    let error = await #expect(throws: QubusError.self) {
      try await harness.submit(EngineHarness.spec { $0.idempotencyKey = "other" })
    }
    #expect(error?.code == .budgetExceeded)
    #expect(Self.used(book) == 2057)
    book.apply([.ledger(.setBudget(Self.hard(10_000)))])
    harness.store.state.signal { $0.acceptFailure = QubusError(.diskFull, "no room") }
    await #expect(throws: QubusError.self) { try await harness.submitted() }
    #expect(Self.used(book) == 2057)
    await harness.stop()
  }

  @Test("past a soft cap the job is taken, with a notice")
  func alert() async throws {
    let budget = Budget(project: Self.project, period: .day, softCap: 10)
    let harness = try EngineHarness(ledger: Self.book(Self.price, budget))
    let record = try await harness.finished(try await harness.submitted())
    #expect(record.notices.contains { $0.contains("soft cap of 10 micro-units") })
    #expect(try harness.events(record.id).contains { $0.kind == .notice })
    await harness.stop()
  }

  @Test("a plan tells what is expected and what would be held")
  func plan() async throws {
    let harness = try EngineHarness(ledger: Self.book(Self.price))
    let report = try await withCheckedThrowingContinuation { continuation in
      harness.engine.plan(EngineHarness.spec(), context: harness.context) {
        continuation.resume(with: $0)
      }
    }
    #expect(report.cost == CostForecast(expected: 3050, held: 3550))
    await harness.stop()
  }
}
