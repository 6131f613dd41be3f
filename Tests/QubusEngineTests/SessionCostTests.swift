import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("What sessions cost")
struct SessionCostTests {
  private static let project = LedgerProject(tenant: "default", project: "default")

  /// One micro-unit for each microsecond of the device; a step of the fake takes ten.
  private static func book(hardCap: Int64? = nil) -> LedgerBook {
    var snapshot = LedgerSnapshot()
    snapshot.prices = ["sim.fake": Price(perJob: 5, perDeviceSecond: 1_000_000)]
    if let hardCap {
      snapshot.budgets = [Budget(project: project, period: .always, hardCap: hardCap)]
    }
    return LedgerBook(snapshot)
  }

  @Test("steps are charged with the journal and at the end, each once")
  func charging() async throws {
    let (book, store) = (Self.book(), TroubledSessionStore())
    let harness = try SessionHarness(store: store, ledger: book)
    let id = try await harness.opened()
    _ = harness.step(id, 1)
    _ = harness.step(id, 2)
    await harness.advance(seconds: 0.6)
    await harness.advance(seconds: 0.6)
    let first = store.charges.withLock { $0 }
    #expect(first.map(\.hold.amount) == [25] && first.map(\.deviceMicroseconds) == [20])
    _ = harness.step(id, 3)
    _ = try await harness.close(id)
    let all = store.charges.withLock { $0 }
    #expect(all.map(\.hold.amount) == [25, 10] && all.map(\.session) == [id, id])
    #expect(book.credit(of: Self.project, now: 0).owed == 35)
    await harness.stop()
  }

  @Test("a session with nothing left to spend ends, and none is opened")
  func cap() async throws {
    let (book, store) = (Self.book(hardCap: 30), TroubledSessionStore())
    let harness = try SessionHarness(store: store, ledger: book)
    let id = try await harness.opened()
    for step in 1...3 { _ = harness.step(id, UInt64(step)) }
    await harness.advance(seconds: 0.6)
    #expect(try harness.view(id).record.reason == "BUDGET")
    #expect(harness.step(id, 4).code == .sessionLimitExceeded)
    #expect(store.charges.withLock { $0.map(\.hold.amount) } == [35])
    #expect(await harness.refusal(SessionHarness.spec())?.code == .budgetExceeded)
    await harness.stop()
  }

  @Test("a charge that the store refuses comes with the next one")
  func trouble() async throws {
    let (book, store) = (Self.book(), TroubledSessionStore())
    let harness = try SessionHarness(store: store, ledger: book)
    let id = try await harness.opened()
    _ = harness.step(id, 1)
    store.failure.withLock { $0 = QubusError(.diskFull, "no space") }
    await harness.advance(seconds: 0.6)
    #expect(book.credit(of: Self.project, now: 0).owed == 0)
    store.failure.withLock { $0 = nil }
    await harness.advance(seconds: 0.6)
    #expect(store.charges.withLock { $0.map(\.hold.amount) } == [15])
    #expect(book.credit(of: Self.project, now: 0).owed == 15)
    await harness.stop()
  }

  @Test("a session keeps the price of its first charge; what it used for free stays free")
  func meters() {
    let old = Price(perJob: 5, perDeviceSecond: 1_000_000)
    var charged = ChargedUsage()
    charged.price = old
    charged.cost = 25
    charged.deviceMicroseconds = 20
    var usage = SessionUsage()
    usage.steps = 3
    usage.deviceNanoseconds = 30_000
    #expect(SessionMeter(old, charged: charged).take(usage)?.cost == 10)
    let meter = SessionMeter(Price(perJob: 7, perDeviceSecond: 2_000_000), from: usage)
    #expect(meter.take(usage) == nil)
    usage.deviceNanoseconds = 31_000
    let taken = meter.take(usage)
    #expect(taken?.cost == 2 && taken?.deviceMicroseconds == 1)
  }

  @Test("a session without a price is charged nothing")
  func free() async throws {
    let store = TroubledSessionStore()
    let harness = try SessionHarness(store: store, ledger: LedgerBook())
    let id = try await harness.opened()
    _ = harness.step(id, 1)
    _ = try await harness.close(id)
    #expect(store.charges.withLock { $0.isEmpty })
    await harness.stop()
  }
}
