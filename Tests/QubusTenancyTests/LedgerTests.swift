import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@Suite("Prices, credit and budgets")
struct LedgerTests {
  private static let lab = LedgerProject(tenant: "lab", project: "qc")
  private static let ada = Principal(tenant: "lab", project: "qc", name: "ada")
  private static let day: Microseconds = 86_400_000_000

  private static func ledger(
    _ changes: [LedgerChange] = [], _ snapshot: LedgerSnapshot = LedgerSnapshot()
  ) -> Ledger {
    var ledger = Ledger(snapshot)
    for change in changes { ledger.apply(change) }
    return ledger
  }

  private static func request(_ name: String = "", at time: Microseconds = 0) -> CostHold {
    CostHold(price: Price(), experimentClass: name, experiment: "", heldAt: time, parts: [])
  }

  private static func grant(
    _ number: Int64, _ amount: Int64, expiresAt: Microseconds? = nil, period: Int64? = nil,
    endsAt: Microseconds? = nil
  ) -> LedgerChange {
    .grant(
      Entitlement(
        number: number, project: lab, amount: amount, periodSeconds: period, createdAt: 0,
        expiresAt: expiresAt, endsAt: endsAt))
  }

  /// The rows of a ledger of class demo and none, with one day far ahead among them.
  private static func snapshot(of ledger: Ledger, jumpingTo time: Microseconds) -> LedgerSnapshot {
    var snapshot = LedgerSnapshot()
    snapshot.budgets = ledger.budgets(of: lab, now: 0).map(\.budget)
    let today = BudgetPeriod.day(of: ledger.latest)
    snapshot.usage = (0..<70).map {
      LedgerSnapshot.Usage(project: lab, experimentClass: "demo", day: today - 70 + $0, amount: 5)
    }
    snapshot.usage.append(
      LedgerSnapshot.Usage(project: lab, experimentClass: "", day: today, amount: 100))
    snapshot.usage.append(
      LedgerSnapshot.Usage(
        project: lab, experimentClass: "demo", day: BudgetPeriod.day(of: time), amount: 7))
    return snapshot
  }

  private static func id(_ number: UInt64) -> Identifier { Identifier(high: number, low: 0) }

  @Test("device time is rounded up to a micro-unit, once; everything else is exact")
  func rounding() {
    let price = Price(perJob: 5, perShot: 3, perDeviceSecond: 1)
    #expect(price.cost(shots: 0, deviceMicroseconds: 0) == 5)
    #expect(price.cost(shots: 2, deviceMicroseconds: 1) == 12)
    #expect(price.cost(shots: 2, deviceMicroseconds: 1_000_000) == 12)
    #expect(price.cost(shots: 2, deviceMicroseconds: 1_000_001) == 13)
    #expect(
      Price(perShot: Price.limit).cost(shots: .max, deviceMicroseconds: .max) == Price.costLimit)
  }

  @Test("what expires first is spent first, the invoice never while there is credit")
  func order() throws {
    var ledger = Self.ledger([
      Self.grant(1, 100), Self.grant(2, 50, expiresAt: 900),
      Self.grant(3, 30, expiresAt: 500, period: 1),
    ])
    let (hold, _, _) = try ledger.hold(Self.id(1), Self.request(), amount: 120, for: Self.ada)
    #expect(
      hold.parts == [
        CostPart(entitlement: 3, amount: 30), CostPart(entitlement: 2, amount: 50),
        CostPart(entitlement: 1, amount: 40),
      ])
    _ = ledger.settle(Self.id(1), charge: 60)
    let left = ledger.credit(of: Self.lab, now: 0)
    #expect(left.entitlements.map(\.balance) == [0, 20, 100])
    #expect(left.credit == 120 && left.held == 0 && left.owed == 0)
  }

  @Test("credit that is used up refuses, naming what is left and when it comes again")
  func credit() throws {
    var ledger = Self.ledger([Self.grant(1, 100, expiresAt: 5_000_000, period: 5)])
    _ = try ledger.hold(Self.id(1), Self.request(at: 10), amount: 80, for: Self.ada)
    let error = #expect(throws: QubusError.self) {
      try ledger.hold(Self.id(2), Self.request(at: 10), amount: 21, for: Self.ada)
    }
    #expect(error?.code == .insufficientCredit)
    #expect(error?.details == ["current": "20", "needs": "21", "resets_at": "5000000"])
    #expect(error?.retryAfterMilliseconds == 5000)
    // The next period: what was left has lapsed, the amount is there again.
    let (_, turns, _) = try ledger.hold(
      Self.id(2), Self.request(at: 12_000_000), amount: 100, for: Self.ada)
    #expect(turns.map(\.lapsed) == [20])
    #expect(turns.map(\.granted) == [100])
    #expect(turns.map(\.expiresAt) == [15_000_000])
  }

  @Test("a subscription that has ended is renewed no more, and its rest lapses")
  func ending() throws {
    var ledger = Self.ledger([
      Self.grant(1, 100, expiresAt: 5_000_000, period: 5, endsAt: 8_000_000)
    ])
    let (_, turns, _) = try ledger.hold(
      Self.id(1), Self.request(at: 6_000_000), amount: 10, for: Self.ada)
    #expect(turns.map(\.expiresAt) == [8_000_000])
    let error = #expect(throws: QubusError.self) {
      try ledger.hold(Self.id(2), Self.request(at: 8_000_000), amount: 1, for: Self.ada)
    }
    #expect(error?.details["current"] == "0")
    #expect(error?.retryAfterMilliseconds == nil)
  }

  @Test("a hard cap refuses by class and for everything, a soft one tells")
  func caps() throws {
    var ledger = Self.ledger([
      .setBudget(Budget(project: Self.lab, period: .day, softCap: 50, hardCap: 100)),
      .setBudget(
        Budget(project: Self.lab, experimentClass: .demo, period: .always, hardCap: 30)),
    ])
    let first = try ledger.hold(Self.id(1), Self.request("demo"), amount: 30, for: Self.ada)
    #expect(first.alerts.isEmpty)
    let demo = #expect(throws: QubusError.self) {
      try ledger.hold(Self.id(2), Self.request("demo"), amount: 1, for: Self.ada)
    }
    #expect(demo?.code == .budgetExceeded)
    #expect(demo?.details == ["cap": "30", "current": "30", "needs": "1"])
    let second = try ledger.hold(Self.id(2), Self.request("own"), amount: 30, for: Self.ada)
    #expect(second.alerts.map(\.used) == [60] && second.alerts.map(\.isCrossing) == [true])
    let all = #expect(throws: QubusError.self) {
      try ledger.hold(Self.id(3), Self.request(), amount: 41, for: Self.ada)
    }
    #expect(
      all?.details == [
        "cap": "100", "current": "60", "needs": "41", "resets_at": "\(Self.day)",
      ])
    let third = try ledger.hold(Self.id(3), Self.request(), amount: 40, for: Self.ada)
    #expect(third.alerts.map(\.isCrossing) == [false])
    // What was not used comes back; a new day begins anew.
    _ = ledger.settle(Self.id(3), charge: 0)
    _ = try ledger.hold(Self.id(3), Self.request(), amount: 40, for: Self.ada)
    _ = try ledger.hold(Self.id(4), Self.request(at: Self.day), amount: 100, for: Self.ada)
    #expect(ledger.budgets(of: Self.lab, now: Self.day).map(\.used) == [100, 30])
  }

  @Test("a running job extends its hold up to the cap and no further")
  func extending() throws {
    var ledger = Self.ledger([
      .setBudget(Budget(project: Self.lab, period: .always, hardCap: 100))
    ])
    _ = try ledger.hold(Self.id(1), Self.request(), amount: 60, for: Self.ada)
    #expect(ledger.extend(Self.id(1), by: 30, now: 0).parts.total == 30)
    #expect(ledger.extend(Self.id(1), by: 30, now: 0).parts.total == 10)
    #expect(ledger.extend(Self.id(1), by: 30, now: 0).parts.isEmpty)
    #expect(ledger.cover(Self.id(1), by: 5, now: 0).parts.total == 5)
    _ = ledger.settle(Self.id(1), charge: 105)
    #expect(ledger.budgets(of: Self.lab, now: 0).map(\.used) == [105])
    #expect(ledger.credit(of: Self.lab, now: 0).owed == 105)
  }

  @Test("what is refunded of an earlier period of a subscription lapses")
  func refundOfAnEarlierPeriod() throws {
    var ledger = Self.ledger([Self.grant(1, 100, expiresAt: 5_000_000, period: 5)])
    _ = try ledger.hold(Self.id(1), Self.request(at: 4_000_000), amount: 80, for: Self.ada)
    let (_, turns, _) = try ledger.hold(
      Self.id(2), Self.request(at: 6_000_000), amount: 30, for: Self.ada)
    #expect(turns.map(\.lapsed) == [20] && turns.map(\.granted) == [100])
    // Seventy of the new period and the eighty of the old one are held.
    #expect(ledger.extend(Self.id(1), by: 40, now: 6_000_000).parts.total == 40)
    let lapses = ledger.settle(Self.id(1), charge: 50)
    #expect(lapses.map(\.lapsed) == [30] && lapses.map(\.granted) == [0])
    #expect(ledger.credit(of: Self.lab, now: 6_000_000).credit == 70)
    #expect(ledger.settle(Self.id(2), charge: 0).isEmpty)
    #expect(ledger.credit(of: Self.lab, now: 6_000_000).credit == 100)
  }

  @Test("the last period of a subscription may be shorter, and refunds know its beginning")
  func refundOfAShortPeriod() throws {
    var ledger = Self.ledger([
      Self.grant(1, 100, expiresAt: 5_000_000, period: 5, endsAt: 7_000_000)
    ])
    _ = try ledger.hold(Self.id(1), Self.request(at: 4_000_000), amount: 80, for: Self.ada)
    _ = try ledger.hold(Self.id(2), Self.request(at: 6_000_000), amount: 30, for: Self.ada)
    #expect(ledger.settle(Self.id(1), charge: 0).map(\.lapsed) == [80])
    #expect(ledger.settle(Self.id(2), charge: 0).isEmpty)
    #expect(ledger.credit(of: Self.lab, now: 6_000_000).credit == 100)
  }

  @Test("a subscription that is renewed while a job runs pays for it further")
  func renewalWhileRunning() throws {
    var ledger = Self.ledger([Self.grant(1, 100, expiresAt: 5_000_000, period: 5)])
    _ = try ledger.hold(Self.id(1), Self.request(), amount: 100, for: Self.ada)
    #expect(ledger.extend(Self.id(1), by: 10, now: 4_999_999).parts.isEmpty)
    let draw = ledger.extend(Self.id(1), by: 10, now: 5_000_000)
    #expect(draw.parts == [CostPart(entitlement: 1, amount: 10)])
    #expect(draw.turns.map(\.expiresAt) == [10_000_000])
    #expect(ledger.credit(of: Self.lab, now: 5_000_000).owed == 0)
  }

  @Test("a soft cap that a running job or a session passes is told once as crossed")
  func alertsWhileRunning() throws {
    var ledger = Self.ledger([
      .setBudget(Budget(project: Self.lab, experimentClass: .demo, period: .day, softCap: 50)),
      .setBudget(Budget(project: Self.lab, period: .day, softCap: 90)),
    ])
    _ = try ledger.hold(Self.id(1), Self.request("demo"), amount: 40, for: Self.ada)
    #expect(ledger.extend(Self.id(1), by: 10, now: 0).alerts.isEmpty)
    #expect(ledger.extend(Self.id(1), by: 1, now: 0).alerts.map(\.isCrossing) == [true])
    #expect(ledger.cover(Self.id(1), by: 1, now: 0).alerts.map(\.isCrossing) == [false])
    let (draw, _, refusal) = ledger.charge(Self.request(), amount: 39, for: Self.ada)
    #expect(draw.alerts.map(\.cap) == [90] && draw.alerts.map(\.isCrossing) == [true])
    #expect(refusal == nil)
  }

  @Test("a charge that was not written leaves nothing behind")
  func takingBack() throws {
    var ledger = Self.ledger([Self.grant(1, 100)])
    let before = ledger
    let (_, hold, _) = ledger.charge(Self.request(), amount: 130, for: Self.ada)
    #expect(ledger.credit(of: Self.lab, now: 0).owed == 30)
    #expect(ledger.takeBack(hold, of: Self.ada).isEmpty)
    #expect(ledger.credit(of: Self.lab, now: 0) == before.credit(of: Self.lab, now: 0))
  }

  @Test("a clock set back begins no period again, one that was far ahead forgets nothing")
  func clocks() throws {
    let today: Microseconds = 20_000 * Self.day
    var ledger = Self.ledger([
      .setBudget(Budget(project: Self.lab, period: .day, hardCap: 100)),
      .setBudget(Budget(project: Self.lab, experimentClass: .demo, period: .month, hardCap: 500)),
    ])
    // Two months and more of days that were used.
    for day in 0..<70 {
      _ = try ledger.hold(
        Self.id(UInt64(day)), Self.request("demo", at: today + (Int64(day) - 70) * Self.day),
        amount: 5, for: Self.ada)
    }
    _ = try ledger.hold(Self.id(100), Self.request(at: today), amount: 100, for: Self.ada)
    let back = #expect(throws: QubusError.self) {
      try ledger.hold(Self.id(101), Self.request(at: today - Self.day), amount: 1, for: Self.ada)
    }
    #expect(back?.code == .budgetExceeded && back?.details["current"] == "100")
    let month = ledger.budgets(of: Self.lab, now: today).map(\.used)
    let ahead = Ledger(Self.snapshot(of: ledger, jumpingTo: today + 3650 * Self.day))
    #expect(ahead.budgets(of: Self.lab, now: today).map(\.used) == month)
  }

  @Test("submits that come in another order keep their times within a day, and never reopen one")
  func arrival() throws {
    var ledger = Self.ledger()
    let times = [Self.day + 7, Self.day + 5, Self.day - 1]
    let held = try times.enumerated().map { index, time in
      try ledger.hold(Self.id(UInt64(index)), Self.request(at: time), amount: 1, for: Self.ada)
        .hold.heldAt
    }
    #expect(held == [Self.day + 7, Self.day + 5, Self.day + 7])
    let (_, charge, _) = ledger.charge(Self.request(at: Self.day + 6), amount: 1, for: Self.ada)
    #expect(charge.heldAt == Self.day + 6)
  }

  @Test("a clock that jumps ahead ends credit once and grants none twice when it is back")
  func jumpingCredit() throws {
    var ledger = Self.ledger([
      Self.grant(1, 100, expiresAt: 5_000_000), Self.grant(2, 10, expiresAt: 5_000_000, period: 5),
    ])
    let (_, turns, _) = try ledger.hold(
      Self.id(1), Self.request(at: 52_000_000), amount: 1, for: Self.ada)
    // One period and not ten: what was not there to be spent is not made up for.
    #expect(turns.map(\.lapsed) == [100, 10] && turns.map(\.granted) == [0, 10])
    for _ in 0..<3 {
      let error = #expect(throws: QubusError.self) {
        try ledger.hold(Self.id(2), Self.request(at: 1_000_000), amount: 10, for: Self.ada)
      }
      #expect(error?.details["current"] == "9")
    }
  }

  @Test("a budget without caps is gone; a price of nothing makes the device free")
  func removal() {
    var ledger = Self.ledger([
      .setBudget(Budget(project: Self.lab, period: .always, hardCap: 1)),
      .setPrice(device: "sim", Price(perJob: 1)),
    ])
    #expect(ledger.prices == ["sim": Price(perJob: 1)])
    ledger.apply(.setBudget(Budget(project: Self.lab, period: .always)))
    ledger.apply(.setPrice(device: "sim", nil))
    #expect(ledger.budgets(of: Self.lab, now: 0).isEmpty && ledger.prices.isEmpty)
  }

  @Test("periods begin at midnight UTC: weeks on Monday, months on the first")
  func periods() {
    // 2026-11-21 is a Saturday, 20778 days after 1970-01-01.
    let today: Int64 = 20_778
    #expect(BudgetPeriod.day.start(of: today) == today)
    #expect(BudgetPeriod.week.start(of: today) == today - 5)
    #expect(BudgetPeriod.week.end(of: today) == (today + 2) * Self.day)
    #expect(BudgetPeriod.month.start(of: today) == today - 20)
    #expect(BudgetPeriod.month.end(of: today) == (today + 10) * Self.day)
    #expect(BudgetPeriod.always.end(of: today) == nil)
    // 2024-02-29 to 2024-03-01.
    #expect(BudgetPeriod.month.start(of: 19_782) == 19_754)
    #expect(BudgetPeriod.month.end(of: 19_782) == 19_783 * Self.day)
    #expect(BudgetPeriod.month.start(of: 19_783) == 19_783)
    #expect(BudgetPeriod.month.start(of: 0) == 0)
  }

  @Test("movements sum to zero, and refunds go back to where they came from, the last first")
  func movements() {
    let parts = [CostPart(entitlement: 3, amount: 30), CostPart(entitlement: 0, amount: 20)]
    for movement in [
      LedgerMovement.grant(5, entitlement: 1, to: Self.lab),
      .lapse(5, entitlement: 1, of: Self.lab), .hold(parts, of: Self.lab),
      .settle(parts, charge: 0, of: Self.lab), .settle(parts, charge: 35, of: Self.lab),
      .settle(parts, charge: 50, of: Self.lab),
    ] {
      #expect(movement.postings.reduce(0) { $0 + $1.amount } == 0)
    }
    #expect(
      LedgerMovement.refund(parts, charge: 35) == [CostPart(entitlement: 0, amount: 15)])
  }
}
