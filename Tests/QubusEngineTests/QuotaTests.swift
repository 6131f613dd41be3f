import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("Quotas in the engine")
struct QuotaTests {
  private static let own = QuotaScope.principal(EngineHarness.alice)

  private func keeper(
    _ clock: any Clock, _ limits: (Quota, Int64)..., use: [DayUse] = []
  ) -> QuotaKeeper {
    QuotaKeeper(
      limits.map { QuotaRecord(scope: Self.own, quota: $0.0, limit: $0.1) }, use: use,
      clock: clock)
  }

  /// Resumes when the job has so many events.
  private func told(
    _ harness: EngineHarness, _ id: Identifier, sequence: UInt64
  ) async throws {
    let seen = Monitor(false)
    let observation = try harness.engine.observe(id, context: harness.context) { last, _ in
      if last >= sequence { seen.signal { $0 = true } }
    }
    await onThread { seen.wait { $0 ? () : nil } }
    observation.end()
  }

  private func used(_ keeper: QuotaKeeper, _ quota: Quota) -> Int64 {
    keeper.status(of: Self.own, quota).used
  }

  @Test("shots of a day are refused at the submit; a refused or repeated submit costs none")
  func shots() async throws {
    let clock = ManualClock()
    let keeper = keeper(clock, (.shotsPerDay, 2500))
    let harness = try EngineHarness(clock: clock, quotas: keeper)
    let spec = EngineHarness.spec { $0.idempotencyKey = "k" }
    let id = try await harness.submitted(spec)
    try await harness.finished(id)
    #expect(try await harness.submit(spec).isDuplicate)
    #expect(used(keeper, .shotsPerDay) == 1000)
    harness.store.state.signal { $0.acceptFailure = QubusError(.diskFull, "full") }
    await #expect(throws: QubusError.self) { try await harness.submit(EngineHarness.spec()) }
    harness.store.state.signal { $0.acceptFailure = nil }
    #expect(used(keeper, .shotsPerDay) == 1000 && used(keeper, .jobsQueued) == 0)
    _ = try await harness.submitted()
    let error = await #expect(throws: QubusError.self) {
      try await harness.submit(EngineHarness.spec())
    }
    #expect(error?.code == .quotaExceeded && error?.details["used"] == "2000")
    // Whatever is left: the job is known under its key, another is refused.
    #expect(try await harness.submit(spec).isDuplicate)
    let other = await #expect(throws: QubusError.self) {
      try await harness.submit(EngineHarness.spec { $0.idempotencyKey = "other" })
    }
    #expect(other?.code == .quotaExceeded && used(keeper, .shotsPerDay) == 2000)
    // A retry after exactly the time that it names.
    clock.advance(microseconds: Microseconds(error?.retryAfterMilliseconds ?? 0) * 1000)
    _ = try await harness.submitted()
    #expect(used(keeper, .shotsPerDay) == 1000)
    await harness.stop()
  }

  @Test("jobs queued are counted from submit to start or end, and are refused above the limit")
  func queued() async throws {
    let clock = ManualClock()
    let keeper = keeper(clock, (.jobsQueued, 2))
    let harness = try EngineHarness(clock: clock, quotas: keeper)
    harness.engine.drain(true)
    let first = try await harness.submitted()
    _ = try await harness.submitted()
    let error = await #expect(throws: QubusError.self) {
      try await harness.submit(EngineHarness.spec())
    }
    #expect(error?.code == .quotaExceeded && error?.details["quota"] == "jobs_queued")
    _ = try await harness.cancel(first)
    #expect(used(keeper, .jobsQueued) == 1)
    let last = try await harness.submitted()
    harness.engine.drain(false)
    try await harness.finished(last)
    #expect(used(keeper, .jobsQueued) == 0)
    await harness.stop()
    #expect(used(keeper, .jobsRunning) == 0 && used(keeper, .memoryBytes) == 0)
  }

  @Test("jobs over the cap wait with the reason QUOTA and run when another ends")
  func running() async throws {
    let clock = ManualClock()
    let keeper = keeper(clock, (.jobsRunning, 1))
    let device = FakeDevice(permits: 0, seconds: 1)
    let harness = try EngineHarness(
      device: device, clock: clock, quotas: keeper, configure: { $0.computeThreads = 3 })
    let first = try await harness.submitted()
    await device.started(1)
    let second = try await harness.submitted()
    try await told(harness, second, sequence: 3)
    let view = try harness.engine.job(second, context: harness.context)
    #expect(view.record.status == .queued && view.record.reason == JobReason.quota)
    #expect(try harness.events(second).last?.reason == JobReason.quota)
    #expect(used(keeper, .jobsRunning) == 1 && used(keeper, .jobsQueued) == 1)
    device.permit(nil)
    try await harness.finished(first)
    #expect(try await harness.finished(second).status == .succeeded)
    #expect(device.state.withLock { $0.mostActive } == 1)
    await harness.stop()
  }

  @Test("device time of jobs counts when they end, and stops further ones")
  func deviceTime() async throws {
    let clock = ManualClock()
    let use = DayUse(
      principal: EngineHarness.alice, shots: 5, deviceNanoseconds: 3_000_000_000)
    let keeper = keeper(clock, (.deviceSecondsPerDay, 3), use: [use])
    let harness = try EngineHarness(clock: clock, quotas: keeper)
    let error = await #expect(throws: QubusError.self) {
      try await harness.submit(EngineHarness.spec())
    }
    #expect(error?.details["used"] == "3" && error?.details["resets_at"] != nil)
    keeper.apply([.setQuota(Self.own, .deviceSecondsPerDay, limit: nil)])
    _ = try await harness.submitted()
    #expect(used(keeper, .shotsPerDay) == 1005)
    await harness.stop()
  }

  @Test("a limit for a family holds for its devices alone, is told and survives a restart")
  func families() async throws {
    let clock = ManualClock()
    let keeper = QuotaKeeper(
      [QuotaRecord(scope: Self.own.on("qpu"), quota: .shotsPerDay, limit: 1000)], clock: clock)
    let first = try EngineHarness(
      clock: clock, quotas: keeper, moreDevices: [FakeDevice(name: "qpu.fake")])
    let onQPU = EngineHarness.spec { $0.execution.device = "qpu.fake" }
    first.engine.drain(true)
    let id = try await first.submitted(onQPU)
    let error = await #expect(throws: QubusError.self) { try await first.submit(onQPU) }
    #expect(error?.details["scope"] == "\(EngineHarness.alice.text) on qpu")
    _ = try await first.submitted()
    let told = first.engine.limits(of: EngineHarness.alice, on: "qpu.fake")
    #expect(told.map(\.used) == [1000])
    #expect(first.engine.limits(of: EngineHarness.alice, on: "sim.fake").isEmpty)
    await first.stop()
    let next = QuotaKeeper(
      [QuotaRecord(scope: Self.own.on("qpu"), quota: .jobsQueued, limit: 1)], clock: clock)
    let second = try EngineHarness(
      store: first.store, codec: first.codec, clock: clock, start: false, quotas: next,
      moreDevices: [FakeDevice(name: "qpu.fake", permits: 0)])
    second.engine.drain(true)
    try second.engine.start()
    #expect(next.status(of: Self.own.on("qpu"), .jobsQueued).used == 1)
    let queued = await #expect(throws: QubusError.self) { try await second.submit(onQPU) }
    #expect(queued?.details["quota"] == "jobs_queued")
    _ = try await second.cancel(id)
    #expect(next.status(of: Self.own.on("qpu"), .jobsQueued).used == 0)
    await second.stop()
  }

  @Test("a job whose memory nobody of its own may take at once is refused")
  func memory() async throws {
    let clock = ManualClock()
    let keeper = keeper(clock, (.memoryBytes, 10))
    let harness = try EngineHarness(clock: clock, quotas: keeper)
    let error = await #expect(throws: QubusError.self) {
      try await harness.submit(EngineHarness.spec())
    }
    #expect(error?.details["quota"] == "memory_bytes" && error?.retryAfterMilliseconds == nil)
    await harness.stop()
  }

  @Test("a plan tells limits and use beforehand")
  func plan() async throws {
    let clock = ManualClock()
    let harness = try EngineHarness(
      clock: clock, quotas: keeper(clock, (.shotsPerDay, 5000), (.jobsQueued, 3)))
    _ = try await harness.submitted()
    let plan = try await withCheckedContinuation { continuation in
      harness.engine.plan(EngineHarness.spec(), context: harness.context) {
        continuation.resume(returning: $0)
      }
    }.get()
    #expect(
      plan.quotas.filter { $0.quota == .shotsPerDay }.map { [$0.used, $0.limit] } == [[1000, 5000]])
    #expect(plan.quotas.count == 2 && plan.approvalCauses.isEmpty)
    await harness.stop()
  }

  @Test("waiting jobs of an earlier life count again")
  func restart() async throws {
    let clock = ManualClock()
    let first = try EngineHarness(clock: clock, start: false, quotas: keeper(clock))
    for _ in 0..<3 { _ = try await first.submitted() }
    let keeper = keeper(clock, (.jobsRunning, 0), (.jobsQueued, 3))
    let second = try EngineHarness(
      store: first.store, codec: first.codec, clock: clock, quotas: keeper)
    #expect(used(keeper, .jobsQueued) == 3)
    let error = await #expect(throws: QubusError.self) {
      try await second.submit(EngineHarness.spec())
    }
    #expect(error?.code == .quotaExceeded)
    await second.stop()
  }

  // MARK: Sessions

  private static let stepper = QuotaScope.principal(SessionHarness.alice)

  @Test("sessions are counted while they are open")
  func sessions() async throws {
    let clock = ManualClock()
    let keeper = keeper(clock, (.sessions, 1))
    let harness = try SessionHarness(clock: clock, quotas: keeper)
    let id = try await harness.opened()
    let refused = await harness.refusal(SessionHarness.spec())
    #expect(refused?.code == .quotaExceeded && refused?.details["used"] == "1")
    // What cannot be prepared gives its place back.
    keeper.apply([.setQuota(Self.stepper, .sessions, limit: 2)])
    #expect(await harness.refusal(SessionHarness.spec("nonsense")) != nil)
    #expect(used(keeper, .sessions) == 1)
    _ = try await harness.close(id)
    #expect(used(keeper, .sessions) == 0)
    await harness.stop()
  }

  @Test("steps are refused once the device time of the day is used up, until it begins anew")
  func steps() async throws {
    let clock = ManualClock(1_800_000_000_000_000)
    let keeper = keeper(clock, (.deviceSecondsPerDay, 1))
    let harness = try SessionHarness(
      clock: clock, quotas: keeper,
      configure: {
        $0.sessions.idleSeconds = 1e6
        $0.sessions.idleSecondsLimit = 1e7
        $0.sessions.wallSeconds = 1e7
        $0.sessions.wallSecondsLimit = 1e8
      })
    let id = try await harness.opened()
    #expect(harness.step(id, 1).answer != nil)
    keeper.charge(shots: 0, deviceNanoseconds: 1_000_000_000, to: SessionHarness.alice)
    await harness.advance(seconds: 2)
    let error = try #require(harness.step(id, 2).error)
    #expect(error.code == .quotaExceeded && error.details["quota"] == "device_seconds_per_day")
    let wait = try #require(error.retryAfterMilliseconds)
    clock.advance(microseconds: Microseconds(wait) * 1000)
    #expect(harness.step(id, 2).answer != nil)
    await harness.stop()
  }

  @Test("steps count for the family of their device, and are refused when it is used up")
  func stepsOfAFamily() async throws {
    let clock = ManualClock(1_800_000_000_000_000)
    let keeper = QuotaKeeper(
      [
        QuotaRecord(scope: Self.stepper.on("sim"), quota: .deviceSecondsPerDay, limit: 1),
        QuotaRecord(scope: Self.stepper.on("qpu"), quota: .deviceSecondsPerDay, limit: 0),
      ], clock: clock)
    let harness = try SessionHarness(clock: clock, quotas: keeper)
    let id = try await harness.opened()
    #expect(harness.step(id, 1).answer != nil)
    keeper.charge(shots: 0, deviceNanoseconds: 1_000_000_000, to: SessionHarness.alice, on: "sim")
    await harness.advance(seconds: 2)
    #expect(harness.step(id, 2).error?.details["scope"]?.hasSuffix(" on sim") == true)
    #expect(await harness.refusal(SessionHarness.spec())?.code == .quotaExceeded)
    keeper.apply([.setQuota(Self.stepper.on("sim"), .deviceSecondsPerDay, limit: nil)])
    #expect(harness.step(id, 2).answer != nil)
    await harness.stop()
  }
}
