import QubusCore
import QubusJobs
import QubusScheduler
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("Why a job waits") struct ExplainTests {
  @Test("turn and room while another runs, nothing while it runs itself or has ended")
  func turn() async throws {
    let device = FakeDevice(permits: 0, seconds: 1)
    let harness = try EngineHarness(
      device: device, clock: ManualClock(), configure: { $0.computeThreads = 1 })
    let first = try await harness.submitted()
    await device.started(1)
    let second = try await harness.submitted()
    let third = try await harness.submitted()
    #expect(try harness.constraintKinds(first).isEmpty)
    #expect(try harness.constraintKinds(second) == [.tooLarge])
    let explanation = try harness.engine.explain(third, context: harness.context)
    #expect(explanation.constraints.map(\.kind) == [.shareTurn, .tooLarge])
    #expect(explanation.constraints.map(\.delay) == [1_000_000, 1_000_000])
    #expect(explanation.job.record.id == third && explanation.job.queuePosition == 2)
    device.permit(nil)
    try await harness.finished(third)
    #expect(try harness.constraintKinds(third).isEmpty)
    await harness.stop()
  }

  @Test("a drained service and a quota are named; who may not see the job learns nothing")
  func quota() async throws {
    let clock = ManualClock()
    let keeper = QuotaKeeper(
      [QuotaRecord(scope: .tenant("default"), quota: .jobsRunning, limit: 0)], clock: clock)
    let harness = try EngineHarness(
      device: FakeDevice(seconds: 1), clock: clock, quotas: keeper)
    harness.engine.drain(true)
    let id = try await harness.submitted()
    #expect(try harness.constraintKinds(id) == [.deviceOffline, .quota])
    harness.engine.drain(false)
    let found = try harness.engine.explain(id, context: harness.context).constraints
    #expect(found.map(\.kind) == [.quota])
    #expect(found.first?.detail.contains("0 of 0 jobs") == true)
    let stranger = CallContext(
      identity: .submitter(Principal(tenant: "other", project: "p", name: "eve")),
      clientVersion: "test/1", traceID: "trace")
    let error = #expect(throws: QubusError.self) {
      try harness.engine.explain(id, context: stranger)
    }
    #expect(error?.code == .jobNotFound)
    await harness.stop()
  }

  @Test("a job that waits for an approval says so, and until when")
  func approval() async throws {
    let clock = ManualClock()
    var policy = ApprovalPolicy(
      key: .init(tenant: "default", project: nil, experimentClass: ""))
    policy.maxShots = 10
    policy.expirySeconds = 60
    let harness = try EngineHarness(
      clock: clock, approvalPolicies: ApprovalPolicies([policy]))
    let id = try await harness.submitted()
    let found = try harness.engine.explain(id, context: harness.context).constraints
    #expect(found.map(\.kind) == [.approval] && found.map(\.since) == [clock.now()])
    let limit = TimeText.rfc3339(clock.now() + 60_000_000)
    #expect(found.first?.remedy.contains(limit) == true)
    await harness.stop()
  }
}
