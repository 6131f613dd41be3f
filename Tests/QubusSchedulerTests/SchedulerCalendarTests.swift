import QubusCore
import Testing

@testable import QubusScheduler

/// Jobs whose device is not, or not only, for everybody.
@Suite struct SchedulerCalendarTests {
  private static let second: Microseconds = 1_000_000
  private static let lab = AccountPath(tenant: "lab", project: "qc")

  private func scheduler(slots: Int = 1, express: Int = 0) throws -> Scheduler {
    let capacity = SchedulerCapacity(
      computeSlots: slots, expressSlots: express, memoryBytes: 1000, jobsQueued: 100_000)
    return Scheduler(capacity: capacity, policy: try FairOrder(capacity: capacity))
  }

  /// Of `lab/qc/ada` or of another tenant; nine of ten runs end within two seconds.
  private func owned(
    _ number: Int, by tenant: String = "other", _ lane: Lane = .batch, device: UInt16 = 0
  ) -> SchedulerJob {
    SchedulerJob(
      id: id(number), tenant: tenant, project: "qc", principal: "ada", lane: lane,
      predictedMicroseconds: predicted(ofLong: 2 * Self.second), device: device)
  }

  private func window(
    _ from: Microseconds, _ to: Microseconds, _ kind: CalendarWindow.Kind = .reserved,
    number: Int = 9000, device: UInt16 = 0, isShared: Bool = false
  ) -> CalendarWindow {
    CalendarWindow(
      id: id(number), device: device, kind: kind, startsAt: from * Self.second,
      endsAt: to * Self.second, isShared: isShared, holder: kind == .reserved ? Self.lab : nil)
  }

  private func starts(_ decisions: [SchedulerDecision]) -> [Identifier] {
    decisions.compactMap { if case .start(let id, _) = $0 { id } else { nil } }
  }

  private func postponed(_ decisions: [SchedulerDecision]) -> [Identifier: Microseconds] {
    var found: [Identifier: Microseconds] = [:]
    for case .postpone(let id, let delay) in decisions { found[id] = delay.until / Self.second }
    return found
  }

  @Test("a job waits out a window that it would run into; others, and other devices, go on")
  func waits() throws {
    let second = Self.second
    var scheduler = try scheduler()
    scheduler.apply(.scheduled([window(10, 20, .maintenance)]), now: 0)
    scheduler.apply(.queued(owned(1)), now: 9 * second)
    scheduler.apply(.queued(owned(2, device: 1)), now: 9 * second)
    let decisions = scheduler.decide(now: 9 * second)
    #expect(postponed(decisions) == [id(1): 20] && starts(decisions) == [id(2)])
    #expect(scheduler.queuedCount == 1 && scheduler.queuedCount(in: .batch) == 1)
    let found = try #require(scheduler.explain(id(1), now: 9 * second).first)
    #expect(found.kind == .maintenance && found.since == 9 * second)
    #expect(found.delay == 11 * second && found.detail.contains("up to 2.0 s long"))
    #expect(found.remedy.contains("1970-01-01T00:00:20"))
    scheduler.apply(.finished(id(2)), now: 10 * second)
    #expect(scheduler.decide(now: 10 * second) == [])
    #expect(scheduler.explain(id(1), now: 12 * second).first?.delay == 8 * second)
    #expect(scheduler.nextDeadline == 20 * second)
    #expect(starts(scheduler.decide(now: 20 * second)) == [id(1)])
    #expect(scheduler.explain(id(1), now: 20 * second).isEmpty && scheduler.nextDeadline == nil)
  }

  @Test("a held job whose device is a holder's keeps none of its owner from another device")
  func otherDevice() throws {
    let second = Self.second
    var scheduler = try scheduler()
    scheduler.apply(.scheduled([window(0, 100, isShared: true)]), now: 0)
    scheduler.apply(.queued(owned(9, by: "third", device: 1)), now: 0)
    #expect(starts(scheduler.decide(now: 0)) == [id(9)])
    let other = AccountPath(tenant: "other")
    scheduler.apply(.capped([other: SchedulerCap(jobs: 0)]), now: 0)
    scheduler.apply(.queued(owned(1)), now: 0)
    scheduler.apply(.queued(owned(2, device: 1)), now: 0)
    #expect(scheduler.decide(now: 0) == [.hold(id(1)), .hold(id(2))])
    scheduler.apply(.capped([:]), now: second)
    scheduler.apply(.queued(owned(3, by: "lab")), now: second)
    for (ended, next) in [(9, 2), (2, 3), (3, 1)] {
      scheduler.apply(.finished(id(ended)), now: second)
      #expect(starts(scheduler.decide(now: second)) == [id(next)])
    }
  }

  @Test("one that ends in time starts before the window, also at once")
  func startsBefore() throws {
    let second = Self.second
    var scheduler = try scheduler(slots: 2)
    scheduler.apply(.scheduled([window(10, 20)]), now: 0)
    _ = scheduler.decide(now: 0)
    #expect(scheduler.startNow(owned(1), now: 8 * second) == .compute)
    #expect(scheduler.startNow(owned(2), now: 8 * second + 1) == nil)
    #expect(scheduler.queuedCount == 0)
    #expect(scheduler.startNow(owned(3, by: "lab"), now: 9 * second) == .compute)
  }

  @Test("a clock that goes back starts nothing that would not have been started")
  func clockBack() throws {
    let second = Self.second
    var scheduler = try scheduler()
    scheduler.apply(.scheduled([window(10, 20)]), now: 0)
    _ = scheduler.decide(now: 15 * second)
    scheduler.apply(.queued(owned(1)), now: 1 * second)
    #expect(postponed(scheduler.decide(now: 1 * second)) == [id(1): 20])
    #expect(scheduler.startNow(owned(2), now: 2 * second) == nil)
    #expect(starts(scheduler.decide(now: 20 * second)) == [id(1)])
  }

  @Test("a window that is canceled, or moved, lets its jobs have their turn again at once")
  func canceled() throws {
    let second = Self.second
    var scheduler = try scheduler(slots: 2)
    let other = window(10, 20, .calibration, number: 9001, device: 1)
    scheduler.apply(.scheduled([window(10, 20), other]), now: 0)
    for (number, device) in [(1, 0), (2, 1)] as [(Int, UInt16)] {
      scheduler.apply(.queued(owned(number, device: device)), now: 12 * second)
    }
    #expect(postponed(scheduler.decide(now: 12 * second)) == [id(1): 20, id(2): 20])
    #expect(scheduler.explain(id(2), now: 12 * second).first?.kind == .calibration)
    scheduler.apply(.scheduled([other]), now: 13 * second)
    #expect(starts(scheduler.decide(now: 13 * second)) == [id(1)])
    var longer = other
    longer.endsAt = 30 * second
    scheduler.apply(.scheduled([longer]), now: 14 * second)
    #expect(postponed(scheduler.decide(now: 14 * second)) == [id(2): 30])
    #expect(starts(scheduler.decide(now: 30 * second)) == [id(2)])
  }

  @Test("what is set aside can be canceled, paused and expire")
  func leaves() throws {
    let second = Self.second
    var scheduler = try scheduler()
    scheduler.apply(.scheduled([window(0, 100, .maintenance)]), now: 0)
    for number in 1...3 {
      var new = owned(number)
      if number == 3 { new.expiresAt = 50 * second }
      scheduler.apply(.queued(new), now: 0)
    }
    #expect(postponed(scheduler.decide(now: 0)).count == 3 && scheduler.queuedCount == 3)
    scheduler.apply(.canceled(id(1)), now: second)
    #expect(scheduler.queuedCount == 2)
    scheduler.apply(.withheld(id(2), .paused, since: second), now: second)
    #expect(
      scheduler.explain(id(2), now: 2 * second).map(\.kind) == [.paused, .maintenance])
    #expect(scheduler.decide(now: 50 * second) == [.expire(id(3))])
    #expect(scheduler.decide(now: 100 * second) == [] && scheduler.queuedCount == 1)
    scheduler.apply(.released(id(2), .paused), now: 101 * second)
    #expect(starts(scheduler.decide(now: 101 * second)) == [id(2)])
  }

  @Test("in an exclusive window the holder's jobs run and no others on that device")
  func exclusive() throws {
    let second = Self.second
    var scheduler = try scheduler()
    scheduler.apply(.scheduled([window(10, 20)]), now: 0)
    scheduler.apply(.drained(true), now: 0)
    for number in 1...3 { scheduler.apply(.queued(owned(number)), now: 0) }
    for number in 4...6 { scheduler.apply(.queued(owned(number, by: "lab")), now: 0) }
    _ = scheduler.decide(now: 10 * second)
    // They stand in the lane of reservations now, and count where they were submitted to.
    #expect(scheduler.policy.reservedCount(on: 0) == 3 && scheduler.queuedCount(in: .batch) == 6)
    scheduler.apply(.drained(false), now: 10 * second)
    var order: [Identifier] = []
    for step in 0..<8 {
      let now = (10 + Microseconds(step)) * second
      for started in starts(scheduler.decide(now: now)) {
        order.append(started)
        scheduler.apply(.finished(started), now: now + second)
      }
    }
    #expect(order == [id(4), id(5), id(6)])
    #expect(starts(scheduler.decide(now: 20 * second)) == [id(1)])
  }

  @Test("in a shared window the holder's jobs go first and others have what they leave")
  func shared() throws {
    let second = Self.second
    var scheduler = try scheduler()
    scheduler.apply(.scheduled([window(10, 100, isShared: true)]), now: 0)
    for number in 1...4 { scheduler.apply(.queued(owned(number)), now: 10 * second) }
    for number in 5...7 { scheduler.apply(.queued(owned(number, by: "lab")), now: 10 * second) }
    var order: [Identifier] = []
    for step in 0..<8 {
      let now = (10 + Microseconds(step)) * second
      for started in starts(scheduler.decide(now: now)) {
        order.append(started)
        let kinds = scheduler.explain(id(1), now: now).map(\.kind)
        #expect(kinds.contains(.reserved) == (order.count < 3), "\(order.count)")
        scheduler.apply(.finished(started), now: now + second)
      }
    }
    #expect(order == [5, 6, 7, 1, 2, 3, 4].map { id($0) })
  }

  @Test("another device keeps its part of the slots beside a window that is in full use")
  func sharesSlots() throws {
    let second = Self.second
    var scheduler = try scheduler()
    scheduler.apply(.scheduled([window(0, 1000)]), now: 0)
    _ = scheduler.decide(now: 0)
    for number in 1...200 { scheduler.apply(.queued(owned(number, by: "lab")), now: 0) }
    for number in 201...400 { scheduler.apply(.queued(owned(number, device: 1)), now: 0) }
    var order: [Identifier] = []
    for step in 0..<90 {
      let now = Microseconds(step) * second
      for started in starts(scheduler.decide(now: now)) {
        order.append(started)
        scheduler.apply(.finished(started), now: now + second)
      }
    }
    // 20 of the lane of reservations to 40 of the batch lane.
    let ofHolder = order.filter { $0.low <= 200 }.count
    #expect((28...32).contains(ofHolder), "\(ofHolder) of \(order.count)")
  }

  @Test("after its window a job is back in its lane, and one that is overdue goes first again")
  func back() throws {
    let second = Self.second
    var scheduler = try scheduler()
    scheduler.apply(.scheduled([window(10, 20)]), now: 0)
    scheduler.apply(.drained(true), now: 0)
    // Ids that tell when they were made, as the service's do.
    let first = Identifier(high: 0x7000, low: 1)
    var new = owned(1, by: "lab")
    new.id = first
    scheduler.apply(.queued(new), now: 0)
    _ = scheduler.decide(now: 10 * second)
    #expect(scheduler.policy.waiting(first)?.isReserved == true)
    _ = scheduler.decide(now: 20 * second)
    #expect(scheduler.policy.waiting(first)?.isReserved == false)
    #expect(scheduler.policy.reservedCount(on: 0) == 0)
    let day = 2 * 86_400 * second
    scheduler.apply(.scheduled([window(200_000, 200_010)]), now: day)
    new = owned(2)
    new.id = Identifier(high: UInt64(day / 1000) << 16 | 0x7000, low: 2)
    scheduler.apply(.queued(new), now: day)
    _ = scheduler.decide(now: day)
    _ = scheduler.decide(now: 200_000 * second)
    #expect(scheduler.policy.waiting(first)?.isReserved == true)
    _ = scheduler.decide(now: 200_010 * second)
    #expect(scheduler.policy.waiting(first)?.isReserved == false)
    scheduler.apply(.drained(false), now: 200_010 * second)
    #expect(starts(scheduler.decide(now: 200_010 * second)) == [first])
  }

  @Test("the holder's waiting and running jobs on the device are told once before it begins")
  func announced() throws {
    let second = Self.second
    var scheduler = try scheduler()
    let before = Calendar.notice / second
    let window = window(before + 100, before + 200)
    scheduler.apply(.queued(owned(1, by: "lab")), now: 0)
    scheduler.apply(.queued(owned(2, by: "lab")), now: 0)
    scheduler.apply(.queued(owned(3)), now: 0)
    scheduler.apply(.queued(owned(4, by: "lab", device: 1)), now: 0)
    #expect(starts(scheduler.decide(now: 0)).count == 1)
    scheduler.apply(.scheduled([window]), now: second)
    #expect(scheduler.decide(now: 99 * second) == [] && scheduler.nextDeadline == 100 * second)
    #expect(
      scheduler.decide(now: 100 * second)
        == [.announce(id(1), window), .announce(id(2), window)])
    #expect(scheduler.decide(now: 101 * second) == [])
  }

  @Test("the holder's jobs are told of it also while the device starts nothing")
  func announcedOffline() throws {
    let second = Self.second
    var scheduler = try scheduler()
    let begins = Calendar.notice / second + 100
    let window = window(begins, begins + 100)
    let outage = DeviceOutage(since: 0, detail: "a leak", remedy: "its end")
    scheduler.apply(.offline([0: outage]), now: 0)
    scheduler.apply(.queued(owned(1, by: "lab")), now: 0)
    #expect(scheduler.decide(now: 0) == [])
    scheduler.apply(.scheduled([window]), now: second)
    #expect(scheduler.decide(now: 100 * second) == [.announce(id(1), window)])
  }

  @Test("a border that concerns many jobs is passed in parts, and nothing is left behind")
  func parts() throws {
    var scheduler = try scheduler()
    scheduler.apply(.scheduled([window(0, 10, .maintenance)]), now: 0)
    for number in 1...2500 { scheduler.apply(.queued(owned(number)), now: 0) }
    scheduler.apply(.queued(owned(2501, by: "lab", device: 1)), now: 0)
    var (calls, started) = (0, [Identifier]())
    var found: [Identifier: Microseconds] = [:]
    while calls < 10 {
      let decisions = scheduler.decide(now: 0)
      calls += 1
      found.merge(postponed(decisions)) { $1 }
      started += starts(decisions)
      guard scheduler.nextDeadline.map({ $0 <= 0 }) == true else { break }
    }
    #expect(calls == 3 && found.count == 2500 && started == [id(2501)])
    #expect(scheduler.nextDeadline == 10 * Self.second)
    scheduler.apply(.finished(id(2501)), now: 1)
    calls = 0
    repeat {
      _ = scheduler.decide(now: 10 * Self.second)
      calls += 1
    } while scheduler.nextDeadline.map({ $0 <= 10 * Self.second }) == true && calls < 10
    #expect(calls == 3 && scheduler.policy.count(in: .batch) == 2499)
  }
}
