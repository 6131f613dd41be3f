import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("Approvals")
struct ApprovalTests {
  private static let place = Scope(tenant: "default", project: "default")

  private static func context(_ name: String, _ roles: Role..., in scope: Scope = place)
    -> CallContext
  {
    CallContext(
      identity: Identity(
        principal: Principal(
          tenant: scope.tenant ?? "", project: scope.project ?? "default", name: name),
        credential: .loopback, grants: roles.map { Grant($0, scope) }),
      clientVersion: "test/1", traceID: "trace")
  }

  private static let ada = context("ada", .approver)

  private static func policy(
    _ edit: (inout ApprovalPolicy) -> Void = { $0.maxShots = 500 }
  ) -> ApprovalPolicies {
    var policy = ApprovalPolicy(
      key: .init(tenant: "default", project: nil, experimentClass: ""))
    edit(&policy)
    return ApprovalPolicies([policy])
  }

  private func decide(
    _ harness: EngineHarness, _ id: Identifier, _ action: ApprovalAction, reason: String = "fine",
    as context: CallContext = ada
  ) async throws -> JobView {
    let result = await withCheckedContinuation { continuation in
      harness.engine.decide(id, action, reason: reason, context: context) {
        continuation.resume(returning: $0)
      }
    }
    return try result.get()
  }

  private func refusal(
    _ harness: EngineHarness, _ id: Identifier, _ action: ApprovalAction = .approve,
    reason: String = "fine", as context: CallContext = ada
  ) async -> QubusError? {
    do {
      _ = try await decide(harness, id, action, reason: reason, as: context)
      return nil
    } catch { return error as? QubusError }
  }

  private func waiting(_ harness: EngineHarness) throws -> [PendingApproval] {
    try harness.engine.approvals(ApprovalFilter(), context: Self.ada).waiting
  }

  @Test("a job beyond the policy waits with the reason APPROVAL, and runs once approved")
  func approved() async throws {
    let harness = try EngineHarness(approvalPolicies: Self.policy())
    let id = try await harness.submitted()
    let record = try harness.engine.job(id, context: harness.context).record
    #expect(record.status == .queued && record.reason == JobReason.approval)
    let told = try #require(try harness.events(id).last)
    #expect(told.reason == JobReason.approval && told.body.details["message"]?.isEmpty == false)
    #expect(try waiting(harness).map(\.job.record.id) == [id])
    #expect(harness.device.state.withLock { $0.started } == 0)
    let small = try await harness.submitted(EngineHarness.spec(shots: 500))
    #expect(try await harness.finished(small).status == .succeeded)
    _ = try await decide(harness, id, .approve, reason: "go on")
    #expect(try await harness.finished(id).status == .succeeded)
    let decision = try #require(try harness.events(id).first { $0.kind == .approvalDecided })
    #expect(decision.body.details["by"] == "default/default/ada")
    #expect(decision.body.details["message"] == "go on")
    #expect(try waiting(harness).isEmpty)
    let entry = try #require(
      harness.store.memory.audit.records.map(\.entry).first { $0.method == "ApproveJob" })
    #expect(entry.reason == "go on" && entry.action == "jobs.approve")
    #expect(entry.principal?.name == "ada" && entry.subject == "job \(id): approve")
    #expect(entry.policy == "approver of default/default")
    #expect(await refusal(harness, id)?.code == .approvalNotPending)
    await harness.stop()
  }

  @Test("a refused job ends as canceled, with the reason for its submitter")
  func refused() async throws {
    let harness = try EngineHarness(approvalPolicies: Self.policy())
    let id = try await harness.submitted()
    #expect(await refusal(harness, id, .refuse, reason: "")?.code == .missingField)
    _ = try await decide(harness, id, .refuse, reason: "too dear")
    let record = try await harness.finished(id)
    #expect(record.status == .canceled && record.reason == JobReason.approvalRefused)
    #expect(record.error?.code == .approvalRefused)
    #expect(record.error?.message.contains("too dear") == true)
    #expect(await refusal(harness, id)?.code == .approvalNotPending)
    #expect(harness.device.state.withLock { $0.started } == 0)
    await harness.stop()
  }

  @Test("nobody decides over a job of their own, whatever their roles")
  func own() async throws {
    let harness = try EngineHarness(approvalPolicies: Self.policy())
    let alice = Self.context("alice", .submitter, .approver, .tenantAdmin, .operator)
    let id = try await harness.submit(EngineHarness.spec(), as: alice).job.record.id
    for action in [ApprovalAction.approve, .refuse, .changeDevice("sim.fake")] {
      #expect(await refusal(harness, id, action, as: alice)?.code == .permissionDenied)
    }
    _ = try await decide(harness, id, .approve)
    await harness.stop()
  }

  @Test("without the role it is denied; of another tenant's job nothing is known")
  func rights() async throws {
    let harness = try EngineHarness(approvalPolicies: Self.policy())
    let id = try await harness.submitted()
    let viewer = await refusal(harness, id, as: Self.context("vic", .viewer))
    #expect(viewer?.code == .permissionDenied && viewer?.details["action"] == "jobs.approve")
    let foreign = Self.context("eve", .approver, in: Scope(tenant: "acme", project: "main"))
    let unknown = IdentifierSource(clock: harness.clock).next()
    let hidden = await refusal(harness, id, as: foreign)
    let absent = await refusal(harness, unknown, as: foreign)
    #expect(hidden?.code == .jobNotFound && absent?.code == .jobNotFound)
    #expect(
      hidden?.message.replacing("\(id)", with: "")
        == absent?.message.replacing(
          "\(unknown)", with: ""))
    #expect(
      try harness.engine.approvals(ApprovalFilter(), context: foreign).waiting.isEmpty)
    #expect(throws: QubusError.self) {
      try harness.engine.approvals(ApprovalFilter(), context: Self.context("vic", .viewer))
    }
    let qpuOnly = Self.context(
      "quinn", .approver, in: Scope(tenant: "default", project: "default", deviceFamily: "qpu"))
    #expect(await refusal(harness, id, as: qpuOnly)?.code != nil)
    await harness.stop()
  }

  @Test("a job is approved on another device, on which it runs, also after a restart")
  func device() async throws {
    let (clock, other) = (ManualClock(), FakeDevice(name: "sim.other"))
    let harness = try EngineHarness(
      clock: clock, approvalPolicies: Self.policy(), moreDevices: [other])
    let id = try await harness.submitted()
    #expect(await refusal(harness, id, .changeDevice("qpu.mars"))?.code == .unknownDevice)
    #expect(try waiting(harness).count == 1)
    harness.engine.drain(true)
    let view = try await decide(harness, id, .changeDevice("sim.other"), reason: "cheaper")
    #expect(view.record.device == "sim.other" && view.record.reason.isEmpty)
    let entry = try #require(harness.store.memory.audit.records.last?.entry)
    #expect(entry.subject.hasSuffix("change_device from sim.fake to sim.other"))
    await harness.stop()
    let another = FakeDevice(name: "sim.other")
    let next = try EngineHarness(
      store: harness.store, codec: harness.codec, clock: clock, moreDevices: [another])
    #expect(try await next.finished(id).status == .succeeded)
    #expect(another.state.withLock { $0.started } == 1)
    #expect(next.device.state.withLock { $0.started } == 0)
    await next.stop()
  }

  @Test("waiting jobs survive a restart, with or without their policy")
  func restart() async throws {
    let clock = ManualClock()
    let first = try EngineHarness(clock: clock, approvalPolicies: Self.policy())
    let id = try await first.submitted()
    await first.stop()
    let second = try EngineHarness(store: first.store, codec: first.codec, clock: clock)
    let pending = try waiting(second)
    #expect(pending.map(\.job.record.id) == [id] && pending.first?.causes.count == 1)
    #expect(pending.first?.job.record.reason == JobReason.approval)
    _ = try await decide(second, id, .approve)
    #expect(try await second.finished(id).status == .succeeded)
    await second.stop()
  }

  @Test("nobody decides: the job expires, and a later decision comes too late")
  func expiry() async throws {
    let clock = ManualClock()
    let harness = try EngineHarness(
      clock: clock,
      approvalPolicies: Self.policy {
        $0.maxShots = 1
        $0.expirySeconds = 60
      })
    let id = try await harness.submitted()
    #expect(try waiting(harness).first?.expiresAt == clock.now() + 60_000_000)
    clock.advance(microseconds: 59_999_999)
    harness.engine.clockMoved()
    #expect(try waiting(harness).count == 1)
    clock.advance(microseconds: 1)
    harness.engine.clockMoved()
    let record = try await harness.finished(id)
    #expect(record.status == .expired && record.reason == JobReason.approval)
    #expect(record.error?.code == .approvalExpired)
    #expect(await refusal(harness, id)?.code == .approvalNotPending)
    await harness.stop()
  }

  @Test("expiry and approval at the same moment: one of them, never both", arguments: 0..<20)
  func race(round: Int) async throws {
    let clock = ManualClock()
    let harness = try EngineHarness(
      clock: clock,
      approvalPolicies: Self.policy {
        $0.maxShots = 1
        $0.expirySeconds = 1
      })
    let id = try await harness.submitted()
    clock.advance(microseconds: 1_000_000)
    async let decided = refusal(harness, id)
    harness.engine.clockMoved()
    let error = await decided
    let record = try await harness.finished(id)
    #expect(record.status == (error == nil ? .succeeded : .expired))
    #expect(error == nil || error?.code == .approvalNotPending)
    await harness.stop()
  }

  @Test("a waiting job is canceled by its submitter, and its own time to live holds")
  func otherEnds() async throws {
    let clock = ManualClock()
    let harness = try EngineHarness(clock: clock, approvalPolicies: Self.policy())
    let id = try await harness.submitted()
    #expect(try await harness.cancel(id).outcome == .beforeStart)
    #expect(await refusal(harness, id)?.code == .approvalNotPending)
    #expect(try waiting(harness).isEmpty)
    let short = try await harness.submitted(EngineHarness.spec { $0.execution.ttlSeconds = 5 })
    clock.advance(microseconds: 5_000_000)
    harness.engine.clockMoved()
    let record = try await harness.finished(short)
    #expect(record.status == .expired && record.reason == JobReason.timeToLive)
    await harness.stop()
  }

  @Test("a job that never waited, and one that runs, cannot be decided over")
  func notWaiting() async throws {
    let device = FakeDevice(permits: 0, seconds: 1)
    let harness = try EngineHarness(device: device, approvalPolicies: Self.policy { _ in })
    let id = try await harness.submitted()
    await device.started(1)
    #expect(await refusal(harness, id)?.code == .approvalNotPending)
    #expect(await refusal(harness, id, .refuse)?.code == .approvalNotPending)
    device.permit(nil)
    #expect(try await harness.finished(id).status == .succeeded)
    await harness.stop()
  }

  @Test("a plan says beforehand that a job would have to be approved")
  func plan() async throws {
    let harness = try EngineHarness(approvalPolicies: Self.policy())
    let plan = try await withCheckedContinuation { continuation in
      harness.engine.plan(EngineHarness.spec(), context: harness.context) {
        continuation.resume(returning: $0)
      }
    }.get()
    #expect(plan.approvalCauses.count == 1)
    await harness.stop()
  }
}
