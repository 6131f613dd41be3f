import QubusCore
import QubusJobs
import QubusScheduler
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("Changes of waiting jobs") struct ChangeTests {
  private static func context(
    _ name: String, _ role: Role, tenant: String = "default"
  ) -> CallContext {
    CallContext(
      identity: Identity(
        principal: Principal(tenant: tenant, project: "default", name: name),
        credential: .loopback,
        grants: [Grant(role, Scope(tenant: tenant, project: "default"))]),
      clientVersion: "test/1", traceID: "trace")
  }

  @discardableResult
  private func change(
    _ id: Identifier, _ harness: EngineHarness, lane: String? = nil, priority: Int? = nil,
    device: String? = nil, reason: String = "", as context: CallContext? = nil
  ) async throws -> JobRecord {
    try await withCheckedContinuation { continuation in
      harness.engine.change(
        id, JobChange(lane: lane, priority: priority, device: device), reason: reason,
        context: context ?? harness.context
      ) { continuation.resume(returning: $0) }
    }.get().record
  }

  private func refusal(
    _ id: Identifier, _ harness: EngineHarness, lane: String? = nil, priority: Int? = nil,
    device: String? = nil, reason: String = "", as context: CallContext? = nil
  ) async -> QubusError? {
    do {
      try await change(
        id, harness, lane: lane, priority: priority, device: device, reason: reason, as: context)
      return nil
    } catch { return error as? QubusError }
  }

  /// One slot, a job in it that waits for a permit, and jobs of one second behind it.
  private func busy(
    _ device: FakeDevice, clock: any Clock = ManualClock(), waiting: Int,
    moreDevices: [FakeDevice] = [], quotas: QuotaKeeper = QuotaKeeper(),
    ledger: LedgerBook? = nil, approvalPolicies: ApprovalPolicies = ApprovalPolicies()
  ) async throws -> (harness: EngineHarness, jobs: [Identifier]) {
    let harness = try EngineHarness(
      device: device, clock: clock, ledger: ledger, quotas: quotas,
      approvalPolicies: approvalPolicies, moreDevices: moreDevices,
      configure: { $0.computeThreads = 1 })
    var jobs = [try await harness.submitted()]
    await device.started(1)
    for _ in 0..<waiting { jobs.append(try await harness.submitted()) }
    return (harness, jobs)
  }

  @Test("a higher priority goes before the others of its principal, with event and evidence")
  func priority() async throws {
    let device = FakeDevice(permits: 0, seconds: 1)
    let (harness, jobs) = try await busy(device, waiting: 3)
    let changed = try await change(jobs[3], harness, priority: 4, reason: "hurry")
    #expect(changed.priority == 4 && changed.status == .queued && changed.lane == "batch")
    #expect(try await change(jobs[1], harness, priority: -1).priority == -1)
    // Again, it changes nothing and leaves nothing.
    #expect(try await change(jobs[1], harness, priority: -1).priority == -1)
    for next in [jobs[0], jobs[3], jobs[2], jobs[1]] {
      try await harness.reached(next) { $0 == .running }
      device.permit(1)
      #expect(try await harness.finished(next).status == .succeeded)
    }
    let events = try harness.events(jobs[3]).filter { $0.kind == .queueMoved }
    #expect(events.count == 1)
    #expect(
      events.first?.body.details == [
        "by": EngineHarness.alice.text, "message": "hurry", "priority": "4",
      ])
    let entries = harness.store.memory.audit.records.map(\.entry)
      .filter { $0.method == "ChangeJob" }
    #expect(
      entries.map(\.subject) == [
        "job \(jobs[3]): priority from 0 to 4", "job \(jobs[1]): priority from 0 to -1",
      ])
    #expect(entries.map(\.reason) == ["hurry", ""])
    #expect(entries.allSatisfy { $0.action == "jobs.cancel" })
    await harness.stop()
  }

  @Test("a priority counts for nothing beside jobs of others")
  func othersFirst() async throws {
    let device = FakeDevice(permits: 0, seconds: 1)
    let clock = ManualClock()
    let (harness, jobs) = try await busy(device, clock: clock, waiting: 1)
    let bob = CallContext(
      identity: .submitter(Principal(tenant: "default", project: "default", name: "bob")),
      clientVersion: "test/1", traceID: "trace")
    let other = try await harness.submit(EngineHarness.spec(), as: bob).job.record.id
    try await change(jobs[1], harness, priority: 10)
    // Alice had the slot for a second: it is bob's turn.
    clock.advance(microseconds: 1_000_000)
    device.permit(1)
    try await harness.reached(other) { $0 == .running }
    #expect(try harness.engine.job(jobs[1], context: harness.context).record.status == .queued)
    device.permit(nil)
    try await harness.finished(jobs[1])
    await harness.stop()
  }

  @Test("a job goes to the background and back; a small one to the batch lane and back")
  func lanes() async throws {
    let device = FakeDevice(permits: 0, seconds: 1)
    let (harness, jobs) = try await busy(device, waiting: 1)
    func counts() -> [Lane: UInt64] {
      let lanes = harness.engine.queuePolicy(context: harness.context).lanes
      return Dictionary(uniqueKeysWithValues: lanes.map { ($0.lane, $0.jobsQueued) })
        .filter { $0.value > 0 }
    }
    #expect(counts() == [.batch: 1])
    #expect(try await change(jobs[1], harness, lane: "long").lane == "long")
    #expect(counts() == [.long: 1])
    let large = await refusal(jobs[1], harness, lane: "interactive")
    #expect(large?.code == .invalidRequest && large?.violations.first?.field == "lane")
    #expect(counts() == [.long: 1])
    #expect(try await change(jobs[1], harness, lane: "batch", priority: 1).lane == "batch")
    #expect(counts() == [.batch: 1])
    device.permit(nil)
    for job in jobs { #expect(try await harness.finished(job).status == .succeeded) }
    #expect(harness.engine.load().jobsQueued == 0 && counts().isEmpty)
    await harness.stop()
  }

  @Test("what was changed is so after a restart")
  func restart() async throws {
    let (store, codec) = (FakeStore(clock: SystemClock()), FakeCodec())
    let first = try EngineHarness(store: store, codec: codec)
    first.engine.drain(true)
    let small = try await first.submitted()
    let other = try await first.submitted()
    #expect(try first.engine.job(small, context: first.context).record.lane == "interactive")
    try await change(small, first, lane: "long", priority: -3)
    #expect(try await change(other, first, lane: "batch").lane == "batch")
    #expect(try await change(other, first, lane: "interactive").lane == "interactive")
    await first.stop()
    let second = try EngineHarness(
      store: store, codec: codec, start: false, configure: { $0.residentJobs = 1 })
    second.engine.drain(true)
    try second.engine.start()
    let record = try second.engine.job(small, context: second.context).record
    #expect(record.lane == "long" && record.priority == -3)
    let lanes = second.engine.queuePolicy(context: second.context).lanes
    #expect(lanes.first { $0.lane == .long }?.jobsQueued == 1)
    #expect(lanes.first { $0.lane == .interactive }?.jobsQueued == 1)
    second.engine.drain(false)
    #expect(try await second.finished(small).status == .succeeded)
    #expect(try await second.finished(other).status == .succeeded)
    await second.stop()
  }

  @Test("what cannot be is refused by field, and nothing changes")
  func refusals() async throws {
    let device = FakeDevice(permits: 0, seconds: 1)
    let (harness, jobs) = try await busy(device, waiting: 1)
    let waiting = jobs[1]
    let before = try harness.engine.job(waiting, context: harness.context).record
    let cases: [(QubusError?, ErrorCode, String?)] = [
      (await refusal(waiting, harness), .missingField, "lane"),
      (await refusal(waiting, harness, lane: "express"), .invalidEnumValue, "lane"),
      (await refusal(waiting, harness, lane: ""), .invalidEnumValue, "lane"),
      (await refusal(waiting, harness, lane: "overdue"), .invalidEnumValue, "lane"),
      (await refusal(waiting, harness, lane: "reserved"), .invalidEnumValue, "lane"),
      (await refusal(waiting, harness, priority: 11), .invalidRequest, "priority"),
      (await refusal(waiting, harness, priority: .min), .invalidRequest, "priority"),
      (await refusal(waiting, harness, device: "qpu.mars"), .unknownDevice, "device"),
      (
        await refusal(waiting, harness, priority: 1, reason: String(repeating: "x", count: 1025)),
        .invalidRequest, "reason"
      ),
      (await refusal(jobs[0], harness, priority: 1), .illegalTransition, nil),
      (
        await refusal(waiting, harness, priority: 1, as: Self.context("vic", .viewer)),
        .permissionDenied, nil
      ),
      (
        await refusal(waiting, harness, priority: 1, as: Self.context("bob", .submitter)),
        .permissionDenied, nil
      ),
      (
        await refusal(
          waiting, harness, priority: 1, as: Self.context("eve", .submitter, tenant: "other")),
        .jobNotFound, nil
      ),
      (
        await refusal(harness.engine.identifiers.next(), harness, priority: 1), .jobNotFound, nil
      ),
    ]
    for (number, (error, code, field)) in cases.enumerated() {
      #expect(error?.code == code && error?.violations.first?.field == field, "\(number)")
    }
    #expect(try harness.engine.job(waiting, context: harness.context).record == before)
    device.permit(nil)
    try await harness.finished(waiting)
    #expect(await refusal(waiting, harness, priority: 1)?.code == .jobAlreadyFinished)
    await harness.stop()
  }

  @Test("a full lane takes no job from another one, which waits on where it was")
  func fullLane() async throws {
    let device = FakeDevice(permits: 0, seconds: 1)
    let harness = try EngineHarness(
      device: device, clock: ManualClock(),
      configure: {
        $0.computeThreads = 1
        $0.jobsQueuedPerLane = ["long": 1]
      })
    _ = try await harness.submitted()
    await device.started(1)
    let (second, third) = (try await harness.submitted(), try await harness.submitted())
    try await change(second, harness, lane: "long")
    #expect(await refusal(third, harness, lane: "long")?.code == .queueCapacityExceeded)
    #expect(try harness.engine.job(third, context: harness.context).record.lane == "batch")
    try await change(second, harness, lane: "batch")
    #expect(try await change(third, harness, lane: "long").lane == "long")
    device.permit(nil)
    try await harness.finished(third)
    try await harness.finished(second)
    await harness.stop()
  }

  @Test("paused, dependent and drained jobs are changed and wait on for the same reasons")
  func withheld() async throws {
    let device = FakeDevice(permits: 0, seconds: 1)
    let (harness, jobs) = try await busy(device, waiting: 1)
    let dependent = try await harness.submitted(EngineHarness.spec { $0.after = [jobs[1]] })
    _ = try await withCheckedContinuation { continuation in
      harness.engine.pause(jobs[1], reason: "", context: harness.context) {
        continuation.resume(returning: $0)
      }
    }.get()
    let since = try harness.engine.explain(jobs[1], context: harness.context).constraints
    #expect(try await change(jobs[1], harness, lane: "long").reason == "PAUSED")
    #expect(try await change(dependent, harness, priority: 1).reason == "DEPENDENCY")
    #expect(try harness.engine.explain(jobs[1], context: harness.context).constraints == since)
    #expect(try harness.constraintKinds(dependent) == [.dependency])
    device.permit(nil)
    try await harness.finished(jobs[0])
    #expect(try harness.engine.job(jobs[1], context: harness.context).record.status == .queued)
    _ = try await withCheckedContinuation { continuation in
      harness.engine.resume(jobs[1], reason: "", context: harness.context) {
        continuation.resume(returning: $0)
      }
    }.get()
    #expect(try await harness.finished(dependent).status == .succeeded)
    await harness.stop()
  }

  @Test("a change that the store refuses leaves the job as it was, in its turn")
  func storeRefuses() async throws {
    let device = FakeDevice(permits: 0, seconds: 1)
    let (harness, jobs) = try await busy(device, waiting: 1)
    harness.store.state.signal {
      $0.failure = { $0.priority == nil ? nil : QubusError(.invariantViolated, "broken") }
    }
    #expect(await refusal(jobs[1], harness, lane: "long", priority: 2)?.code == .invariantViolated)
    harness.store.state.signal { $0.failure = nil }
    let record = try harness.engine.job(jobs[1], context: harness.context).record
    #expect(record.lane == "batch" && record.priority == 0)
    let lanes = harness.engine.queuePolicy(context: harness.context).lanes
    #expect(lanes.filter { $0.jobsQueued > 0 }.map(\.lane) == [.batch])
    device.permit(nil)
    #expect(try await harness.finished(jobs[1]).status == .succeeded)
    await harness.stop()
  }

  @Test("a cancel while the change is written ends the job once, and leaves nothing in the queue")
  func canceledMeanwhile() async throws {
    let device = FakeDevice(permits: 0, seconds: 1)
    let (harness, jobs) = try await busy(device, waiting: 1)
    harness.store.state.signal { $0.isHolding = true }
    async let changed = refusal(jobs[1], harness, lane: "long")
    await onThread { harness.store.state.wait { $0.held.isEmpty ? nil : () } }
    // Nobody changes it twice at one time.
    #expect(await refusal(jobs[1], harness, priority: 1)?.code == .illegalTransition)
    async let canceled = harness.cancel(jobs[1])
    await onThread { harness.store.state.wait { $0.held.count < 2 ? nil : () } }
    harness.store.release()
    #expect(await changed == nil)
    #expect(try await canceled.outcome == .beforeStart)
    device.permit(nil)
    try await harness.finished(jobs[0])
    #expect(try await harness.finished(jobs[1]).status == .canceled)
    let last = try await harness.submitted()
    try await harness.finished(last)
    #expect(harness.engine.load().jobsQueued == 0)
    #expect(device.state.withLock { $0.started } == 2)
    await harness.stop()
  }

  // MARK: Devices

  @Test("a job runs on the device that it was given, also after a restart")
  func device() async throws {
    let (store, codec) = (FakeStore(clock: SystemClock()), FakeCodec())
    let first = try EngineHarness(
      store: store, codec: codec, moreDevices: [FakeDevice(name: "qpu.other")])
    first.engine.drain(true)
    let (job, kept) = (try await first.submitted(), try await first.submitted())
    let changed = try await change(job, first, priority: 2, device: "qpu.other", reason: "free")
    #expect(changed.device == "qpu.other" && changed.lane == "interactive")
    let event = try #require(try first.events(job).last)
    #expect(event.kind == .deviceAssigned && event.body.device == "qpu.other")
    #expect(
      store.memory.audit.records.last?.entry.subject
        == "job \(job): priority from 0 to 2, device from sim.fake to qpu.other")
    await first.stop()
    let (fake, other) = (FakeDevice(), FakeDevice(name: "qpu.other"))
    let second = try EngineHarness(
      device: fake, store: store, codec: codec, moreDevices: [other])
    #expect(try await second.finished(job).device == "qpu.other")
    #expect(try await second.finished(kept).device == "sim.fake")
    #expect(other.state.withLock { $0.started } == 1 && fake.state.withLock { $0.started } == 1)
    await second.stop()
  }

  @Test("quotas of the other family are asked, and count from then on")
  func quotas() async throws {
    let clock = ManualClock()
    let own = QuotaScope.principal(EngineHarness.alice)
    let quotas = QuotaKeeper(
      [
        QuotaRecord(scope: own.on("qpu"), quota: .jobsQueued, limit: 1),
        QuotaRecord(scope: own.on("sim"), quota: .shotsPerDay, limit: 9000),
      ], clock: clock)
    let device = FakeDevice(permits: 0, seconds: 1)
    let (harness, jobs) = try await busy(
      device, clock: clock, waiting: 2, moreDevices: [FakeDevice(name: "qpu.other", seconds: 1)],
      quotas: quotas)
    func used(_ scope: QuotaScope, _ quota: Quota) -> Int64 {
      quotas.status(of: scope, quota).used
    }
    try await change(jobs[1], harness, device: "qpu.other")
    #expect(used(own.on("qpu"), .jobsQueued) == 1 && used(own.on("sim"), .shotsPerDay) == 2000)
    #expect(used(own, .jobsQueued) == 2 && used(own, .shotsPerDay) == 3000)
    #expect(await refusal(jobs[2], harness, device: "qpu.other")?.code == .quotaExceeded)
    #expect(try harness.engine.job(jobs[2], context: harness.context).record.device == "sim.fake")
    // One that the store refuses counts where it did.
    try await change(jobs[1], harness, device: "sim.fake")
    harness.store.state.signal {
      $0.failure = { $0.device == nil ? nil : QubusError(.invariantViolated, "broken") }
    }
    #expect(await refusal(jobs[2], harness, device: "qpu.other")?.code == .invariantViolated)
    harness.store.state.signal { $0.failure = nil }
    #expect(used(own.on("qpu"), .jobsQueued) == 0 && used(own.on("sim"), .shotsPerDay) == 3000)
    #expect(used(own, .jobsQueued) == 2 && used(own, .shotsPerDay) == 3000)
    device.permit(nil)
    for job in jobs { #expect(try await harness.finished(job).status == .succeeded) }
    #expect(used(own, .jobsQueued) == 0)
    await harness.stop()
  }

  @Test("a device with a price, of another tenant, or that takes an approval is refused")
  func refusedDevices() async throws {
    var snapshot = LedgerSnapshot()
    snapshot.prices = ["qpu.dear": Price(perJob: 5, perShot: 0, perDeviceSecond: 0)]
    snapshot.dedicated = ["sim.lab": "lab"]
    var policy = ApprovalPolicy(
      key: .init(tenant: "default", project: nil, experimentClass: ""))
    policy.deviceFamilies = ["sim", "qpu"]
    let device = FakeDevice(permits: 0, seconds: 1)
    let (harness, jobs) = try await busy(
      device, waiting: 1,
      moreDevices: ["qpu.dear", "sim.lab", "ion.trap"].map { FakeDevice(name: $0, seconds: 1) },
      ledger: LedgerBook(snapshot), approvalPolicies: ApprovalPolicies([policy]))
    for (name, code) in [
      ("qpu.dear", ErrorCode.illegalTransition), ("sim.lab", .unknownDevice),
      ("ion.trap", .illegalTransition),
    ] {
      #expect(await refusal(jobs[1], harness, device: name)?.code == code, "\(name)")
    }
    #expect(try harness.engine.job(jobs[1], context: harness.context).record.device == "sim.fake")
    device.permit(nil)
    #expect(try await harness.finished(jobs[1]).status == .succeeded)
    await harness.stop()
  }

  @Test("a job that waits for an approval is the approver's to move")
  func unapproved() async throws {
    var policy = ApprovalPolicy(
      key: .init(tenant: "default", project: nil, experimentClass: ""))
    policy.maxShots = 10
    let harness = try EngineHarness(approvalPolicies: ApprovalPolicies([policy]))
    let job = try await harness.submitted()
    let refused = await refusal(job, harness, priority: 1)
    #expect(refused?.code == .illegalTransition && refused?.message.contains("approv") == true)
    await harness.stop()
  }
}
