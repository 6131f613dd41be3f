import QubusCore
import QubusJobs
import QubusScheduler
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("Jobs that an operator holds") struct HoldTests {
  private enum Call { case hold, release, pause, resume }

  private static func context(
    _ name: String, _ role: Role, in scope: Scope = Scope(tenant: "default", project: "default")
  ) -> CallContext {
    CallContext(
      identity: Identity(
        principal: Principal(
          tenant: scope.tenant ?? "default", project: scope.project ?? "default", name: name),
        credential: .loopback, grants: [Grant(role, scope)]),
      clientVersion: "test/1", traceID: "trace")
  }
  private static let root = context("root", .operator, in: Scope())

  @discardableResult
  private func ask(
    _ call: Call, _ id: Identifier, _ harness: EngineHarness, as context: CallContext,
    reason: String = ""
  ) async throws -> JobRecord {
    let engine = harness.engine
    return try await withCheckedContinuation { continuation in
      let completion: @Sendable (Result<JobView, QubusError>) -> Void = {
        continuation.resume(returning: $0)
      }
      switch call {
      case .hold: engine.hold(id, reason: reason, context: context, completion: completion)
      case .release: engine.release(id, reason: reason, context: context, completion: completion)
      case .pause: engine.pause(id, reason: reason, context: context, completion: completion)
      case .resume: engine.resume(id, reason: reason, context: context, completion: completion)
      }
    }.get().record
  }

  private func refusal(
    _ call: Call, _ id: Identifier, _ harness: EngineHarness, as context: CallContext,
    reason: String = ""
  ) async -> QubusError? {
    do {
      try await ask(call, id, harness, as: context, reason: reason)
      return nil
    } catch { return error as? QubusError }
  }

  private func kinds(_ harness: EngineHarness, _ id: Identifier) throws -> [WaitConstraint.Kind] {
    try harness.engine.explain(id, context: harness.context).constraints.map(\.kind)
  }

  @Test("a held job lets others before it, its owner cannot release it, an operator can")
  func holds() async throws {
    let device = FakeDevice(permits: 0, seconds: 1)
    let harness = try EngineHarness(
      device: device, clock: ManualClock(), configure: { $0.computeThreads = 1 })
    let (owner, root) = (harness.context, Self.root)
    let first = try await harness.submitted()
    await device.started(1)
    let second = try await harness.submitted()
    let third = try await harness.submitted()
    #expect(try await ask(.hold, second, harness, as: root, reason: "look").reason == "HELD")
    #expect(try await ask(.hold, second, harness, as: root).reason == JobReason.held)
    #expect(try kinds(harness, second) == [.held])
    let denied = await refusal(.release, second, harness, as: owner)
    #expect(denied?.code == .permissionDenied && denied?.details["action"] == "jobs.hold")
    let refused = await refusal(.resume, second, harness, as: owner)
    #expect(refused?.code == .illegalTransition)
    #expect(refused?.message.contains("an operator holds it") == true)
    // What its owner does besides changes nothing of it.
    #expect(try await ask(.pause, second, harness, as: owner).reason == JobReason.held)
    #expect(try kinds(harness, second) == [.paused, .held])
    #expect(try await ask(.resume, second, harness, as: owner).reason == JobReason.held)
    #expect(try kinds(harness, second) == [.held])
    device.permit(nil)
    try await harness.finished(third)
    #expect(try harness.engine.job(second, context: owner).record.status == .queued)
    #expect(device.state.withLock { $0.started } == 2)
    #expect(try await ask(.release, second, harness, as: root, reason: "done").reason == "")
    #expect(try await harness.finished(second).status == .succeeded)
    let moves = try harness.events(second).filter { $0.kind == .queueMoved }
    #expect(moves.map(\.reason) == ["HELD", "PAUSED", "", ""])
    #expect(moves.compactMap { $0.body.details["message"] } == ["look", "done"])
    let entries = harness.store.memory.audit.records.map(\.entry)
      .filter { $0.method == "HoldJob" || $0.method == "ReleaseJob" }
    #expect(entries.map(\.method) == ["HoldJob", "ReleaseJob"])
    #expect(entries.map(\.reason) == ["look", "done"])
    #expect(entries.allSatisfy { $0.action == "jobs.hold" && $0.subject == "job \(second)" })
    #expect(try await harness.finished(first).status == .succeeded)
    await harness.stop()
  }

  @Test("what cannot be held or released is refused and stays as it is")
  func refusals() async throws {
    let device = FakeDevice(permits: 0, seconds: 1)
    let harness = try EngineHarness(
      device: device, clock: ManualClock(), configure: { $0.computeThreads = 1 })
    let root = Self.root
    let running = try await harness.submitted()
    await device.started(1)
    let waiting = try await harness.submitted()
    #expect(await refusal(.hold, running, harness, as: root)?.code == .illegalTransition)
    #expect(await refusal(.release, waiting, harness, as: root)?.code == .illegalTransition)
    let long = String(repeating: "x", count: 1025)
    #expect(
      await refusal(.hold, waiting, harness, as: root, reason: long)?.violations.first?.field
        == "reason")
    #expect(await refusal(.hold, waiting, harness, as: harness.context)?.code == .permissionDenied)
    let admin = Self.context("tia", .tenantAdmin, in: Scope(tenant: "default"))
    #expect(await refusal(.hold, waiting, harness, as: admin)?.code == .permissionDenied)
    let stranger = Self.context("eve", .tenantAdmin, in: Scope(tenant: "other"))
    #expect(await refusal(.hold, waiting, harness, as: stranger)?.code == .jobNotFound)
    // A pause is not an operator's hold.
    try await ask(.pause, waiting, harness, as: root)
    #expect(await refusal(.release, waiting, harness, as: root)?.code == .illegalTransition)
    try await ask(.resume, waiting, harness, as: harness.context)
    device.permit(nil)
    for id in [running, waiting] { try await harness.finished(id) }
    #expect(await refusal(.hold, running, harness, as: root)?.code == .jobAlreadyFinished)
    #expect(harness.store.memory.audit.records.allSatisfy { $0.entry.method != "HoldJob" })
    await harness.stop()
  }

  @Test("holds and pauses are kept apart over a restart, each with its time")
  func restart() async throws {
    let clock = ManualClock()
    let first = try EngineHarness(clock: clock)
    first.engine.drain(true)
    let both = try await first.submitted()
    let held = try await first.submitted()
    clock.advance(microseconds: 1_000_000)
    let pausedAt = clock.now()
    try await ask(.pause, both, first, as: first.context)
    clock.advance(microseconds: 1_000_000)
    let heldAt = clock.now()
    for id in [both, held] { try await ask(.hold, id, first, as: Self.root) }
    clock.advance(microseconds: 1_000_000)
    await first.stop()
    let second = try EngineHarness(store: first.store, codec: first.codec, clock: clock)
    let found = try second.engine.explain(both, context: second.context).constraints
    #expect(found.map(\.kind) == [.paused, .held] && found.map(\.since) == [pausedAt, heldAt])
    #expect(try kinds(second, held) == [.held])
    try await ask(.release, held, second, as: Self.root)
    #expect(try await second.finished(held).status == .succeeded)
    let record = try await ask(.release, both, second, as: Self.root)
    #expect(record.reason == JobReason.paused && record.withheld == .paused)
    try await ask(.resume, both, second, as: second.context)
    #expect(try await second.finished(both).status == .succeeded)
    await second.stop()
  }

  @Test("one that waits for an approval can be held; approved, it waits for its release")
  func approvals() async throws {
    var policy = ApprovalPolicy(
      key: .init(tenant: "default", project: nil, experimentClass: ""))
    policy.maxShots = 500
    let policies = ApprovalPolicies([policy])
    let clock = ManualClock()
    let first = try EngineHarness(clock: clock, approvalPolicies: policies)
    let id = try await first.submitted()
    let other = try await first.submitted()
    for each in [id, other] {
      #expect(try await ask(.hold, each, first, as: Self.root).reason == JobReason.approval)
      #expect(try kinds(first, each) == [.approval, .held])
    }
    #expect(try await ask(.release, other, first, as: Self.root).reason == JobReason.approval)
    await first.stop()
    let second = try EngineHarness(
      store: first.store, codec: first.codec, clock: clock, approvalPolicies: policies)
    #expect(try kinds(second, id) == [.approval, .held])
    #expect(try kinds(second, other) == [.approval])
    let ada = Self.context("ada", .approver)
    for each in [id, other] {
      let engine = second.engine
      let approved = try await withCheckedContinuation { continuation in
        engine.decide(each, .approve, reason: "", context: ada) {
          continuation.resume(returning: $0)
        }
      }.get()
      if each == id { #expect(approved.record.reason == JobReason.held) }
    }
    #expect(try await second.finished(other).status == .succeeded)
    #expect(try kinds(second, id) == [.held])
    try await ask(.release, id, second, as: Self.root)
    #expect(try await second.finished(id).status == .succeeded)
    await second.stop()
  }

  @Test("a held job is canceled by its owner, expires, and waits for others besides")
  func ends() async throws {
    let clock = ManualClock()
    let device = FakeDevice(permits: 0, seconds: 1)
    let harness = try EngineHarness(
      device: device, clock: clock, configure: { $0.computeThreads = 1 })
    let first = try await harness.submitted()
    await device.started(1)
    let canceled = try await harness.submitted()
    let mortal = try await harness.submitted(EngineHarness.spec { $0.execution.ttlSeconds = 60 })
    let dependent = try await harness.submitted(EngineHarness.spec { $0.after = [first] })
    for id in [canceled, mortal, dependent] { try await ask(.hold, id, harness, as: Self.root) }
    #expect(try kinds(harness, dependent) == [.dependency, .held])
    #expect(try await harness.cancel(canceled).outcome == .beforeStart)
    clock.advance(microseconds: 61_000_000)
    harness.engine.clockMoved()
    #expect(try await harness.finished(mortal).status == .expired)
    device.permit(nil)
    #expect(try await harness.finished(first).status == .succeeded)
    #expect(try kinds(harness, dependent) == [.held])
    #expect(try harness.engine.job(dependent, context: harness.context).record.reason == "HELD")
    try await ask(.release, dependent, harness, as: Self.root)
    #expect(try await harness.finished(dependent).status == .succeeded)
    #expect(harness.engine.load().jobsQueued == 0)
    await harness.stop()
  }

  @Test("jobs that many hold and release, pause and resume, all run once at the end")
  func race() async throws {
    let harness = try EngineHarness(configure: { $0.computeThreads = 2 })
    harness.engine.drain(true)
    var ids: [Identifier] = []
    for _ in 0..<30 { ids.append(try await harness.submitted()) }
    await withTaskGroup(of: Void.self) { group in
      for id in ids {
        if id == ids[15] { harness.engine.drain(false) }
        for calls in [[Call.hold, .release], [.pause, .resume], [.release, .hold]] {
          group.addTask { [self] in
            // Refused when the job runs already, or is not kept that way by now.
            for call in calls { _ = await refusal(call, id, harness, as: Self.root) }
          }
        }
      }
    }
    for id in ids {
      let record = try harness.engine.job(id, context: harness.context).record
      if record.isWithheld(by: .held) { try await ask(.release, id, harness, as: Self.root) }
      if record.isWithheld(by: .paused) { try await ask(.resume, id, harness, as: Self.root) }
      #expect(try await harness.finished(id).status == .succeeded)
    }
    #expect(harness.device.state.withLock { $0.started } == ids.count)
    #expect(harness.engine.load().jobsQueued == 0)
    await harness.stop()
  }
}
