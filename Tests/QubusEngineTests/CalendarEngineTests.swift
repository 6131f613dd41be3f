import QubusCore
import QubusJobs
import QubusScheduler
import QubusTenancy
import Testing

@testable import QubusEngine

/// The calendars of devices with an engine around them.
@Suite("Calendars of devices in the engine") struct CalendarEngineTests {
  private static let second: Microseconds = 1_000_000
  private static let own = QuotaScope.project(tenant: "default", "default")
  private static let device = "sim.fake"

  /// From now on in so many seconds.
  private func window(
    _ clock: ManualClock, _ from: Microseconds, _ to: Microseconds,
    _ kind: Reservation.Kind = .reservation, number: UInt64 = 1,
    holder: QuotaScope = .project(tenant: "lab", "qc"),
    isShared: Bool = false, device: String = CalendarEngineTests.device
  ) -> Reservation {
    Reservation(
      id: Identifier(high: 0, low: number), device: device, kind: kind, isShared: isShared,
      holder: kind == .reservation ? holder : nil, startsAt: clock.now() + from * Self.second,
      endsAt: clock.now() + to * Self.second, createdBy: EngineHarness.alice,
      createdAt: clock.now())
  }

  private func advance(_ harness: EngineHarness, _ clock: ManualClock, _ seconds: Microseconds) {
    clock.advance(microseconds: seconds * Self.second)
    harness.engine.clockMoved()
  }

  /// Resumes when the job has so many events.
  private func told(
    _ harness: EngineHarness, _ id: Identifier, sequence: UInt64
  ) async throws -> JobEvent {
    let seen = Monitor(false)
    let observation = try harness.engine.observe(id, context: harness.context) { last, _ in
      if last >= sequence { seen.signal { $0 = true } }
    }
    await onThread { seen.wait { $0 ? () : nil } }
    observation.end()
    return try #require(try harness.events(id).last)
  }

  /// The notice of a job, when it has one.
  private func noticed(_ harness: EngineHarness, _ id: Identifier) async throws -> JobEvent {
    var sequence: UInt64 = 3
    while true {
      sequence = try await told(harness, id, sequence: sequence).sequence + 1
      if let notice = try harness.events(id).first(where: { $0.kind == .notice }) { return notice }
    }
  }

  @Test(
    "a job that would run into a window waits with its reason, tells why, and runs behind it",
    arguments: [
      (Reservation.Kind.reservation, WaitConstraint.Kind.reserved),
      (.maintenance, .maintenance), (.calibration, .calibration),
    ])
  func waits(_ kind: Reservation.Kind, _ expected: WaitConstraint.Kind) async throws {
    let clock = ManualClock()
    let book = ReservationBook([window(clock, 1, 61, kind)])
    let harness = try EngineHarness(
      device: FakeDevice(seconds: 2), clock: clock, reservations: book)
    let id = try await harness.submitted()
    let event = try await told(harness, id, sequence: 3)
    #expect(event.kind == .queueMoved && event.reason == expected.rawValue)
    #expect(event.body.details["until"] == String(clock.now() + 61 * Self.second))
    #expect(event.body.details["message"]?.hasPrefix("sim.fake is ") == true)
    #expect(event.body.details["message"]?.contains("lab") == false)
    let view = try harness.engine.job(id, context: harness.context)
    #expect(view.record.status == .queued && view.record.reason == expected.rawValue)
    let found = try harness.engine.explain(id, context: harness.context).constraints
    #expect(found.map(\.kind) == [expected] && found.first?.delay == 61 * Self.second)
    #expect(found.first.map { !"\($0.detail) \($0.remedy)".contains("lab") } == true)
    advance(harness, clock, 60)
    #expect(try harness.constraintKinds(id) == [expected])
    advance(harness, clock, 1)
    #expect(try await harness.finished(id).status == .succeeded)
    await harness.stop()
  }

  @Test("in its own window a job runs, also at once; on other devices everybody's do")
  func holders() async throws {
    let clock = ManualClock()
    let book = ReservationBook([
      window(clock, 0, 60, number: 1, holder: Self.own),
      window(clock, 0, 60, .maintenance, number: 2, device: "qpu.other"),
    ])
    let harness = try EngineHarness(
      clock: clock, moreDevices: [FakeDevice(name: "qpu.other")], reservations: book)
    for _ in 0..<2 {
      let id = try await harness.submitted()
      #expect(try await harness.finished(id).status == .succeeded)
    }
    let other = try await harness.submitted(
      EngineHarness.spec { $0.execution.device = "qpu.other" })
    #expect(try await told(harness, other, sequence: 3).reason == JobReason.maintenance)
    // What administration takes back holds no job.
    book.apply([.calendar(.cancel(Identifier(high: 0, low: 2)))])
    #expect(try await harness.finished(other).status == .succeeded)
    await harness.stop()
  }

  @Test("the holder's waiting and running jobs have a notice before their window, others none")
  func notice() async throws {
    let clock = ManualClock()
    let device = FakeDevice(permits: 0, seconds: 1)
    let book = ReservationBook()
    let harness = try EngineHarness(
      device: device, clock: clock, reservations: book, configure: { $0.computeThreads = 1 })
    let running = try await harness.submitted()
    await device.started(1)
    let waiting = try await harness.submitted()
    let stranger = CallContext(
      identity: .submitter(Principal(tenant: "other", project: "p", name: "u")),
      clientVersion: "test/1", traceID: "trace")
    let others = try await harness.submit(EngineHarness.spec(), as: stranger).job.record.id
    book.apply([.calendar(.create(window(clock, 600, 1200, holder: Self.own)))])
    for id in [running, waiting] {
      let event = try await noticed(harness, id)
      #expect(event.reason == JobReason.reserved, "\(event)")
      #expect(event.body.details["starts_at"] == String(clock.now() + 600 * Self.second))
      #expect(event.body.details["message"]?.contains("its owner's jobs alone") == true)
    }
    #expect(try harness.store.events(others, after: 0, limit: .max).count == 2)
    device.permit(nil)
    for id in [running, waiting] { #expect(try await harness.finished(id).status == .succeeded) }
    await harness.stop()
  }

  @Test("windows of the store bind again after a restart, and its jobs wait on")
  func restart() async throws {
    let clock = ManualClock()
    let windows = [window(clock, 0, 60, .maintenance)]
    let first = try EngineHarness(
      device: FakeDevice(seconds: 1), clock: clock, reservations: ReservationBook(windows))
    let id = try await first.submitted()
    _ = try await told(first, id, sequence: 3)
    await first.stop()
    let second = try EngineHarness(
      device: FakeDevice(seconds: 1), store: first.store, codec: first.codec, clock: clock,
      reservations: ReservationBook(windows))
    _ = try await told(second, id, sequence: 4)
    #expect(try second.constraintKinds(id) == [.maintenance])
    #expect(second.device.state.withLock { $0.started } == 0)
    advance(second, clock, 60)
    #expect(try await second.finished(id).status == .succeeded)
    await second.stop()
  }

  @Test("a job that waits for a window is canceled, paused and resumed like any other")
  func control() async throws {
    let clock = ManualClock()
    let book = ReservationBook([window(clock, 0, 60)])
    let harness = try EngineHarness(clock: clock, reservations: book)
    let (canceled, paused) = (try await harness.submitted(), try await harness.submitted())
    for id in [canceled, paused] { _ = try await told(harness, id, sequence: 3) }
    #expect(try await harness.cancel(canceled).outcome == .beforeStart)
    let engine = harness.engine
    let context = harness.context
    _ = try await withCheckedContinuation { continuation in
      engine.pause(paused, reason: "", context: context) { continuation.resume(returning: $0) }
    }.get()
    #expect(try harness.constraintKinds(paused) == [.paused, .reserved])
    advance(harness, clock, 60)
    #expect(try harness.constraintKinds(paused) == [.paused])
    _ = try await withCheckedContinuation { continuation in
      engine.resume(paused, reason: "", context: context) { continuation.resume(returning: $0) }
    }.get()
    #expect(try await harness.finished(paused).status == .succeeded)
    #expect(engine.load().jobsQueued == 0)
    await harness.stop()
  }
}
