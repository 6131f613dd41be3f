import QubusCore
import QubusJobs
import QubusScheduler
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("Jobs that start after others") struct DependencyTests {
  private static func context(
    _ name: String, _ roles: Role..., in scope: Scope = Scope(tenant: "default", project: "default")
  ) -> CallContext {
    CallContext(
      identity: Identity(
        principal: Principal(
          tenant: scope.tenant ?? "", project: scope.project ?? "default", name: name),
        credential: .loopback, grants: roles.map { Grant($0, scope) }),
      clientVersion: "test/1", traceID: "trace")
  }

  private func spec(
    after: [Identifier] = [], afterOK: [Identifier] = [],
    _ edit: (inout JobSpec) -> Void = { _ in }
  ) -> JobSpec {
    EngineHarness.spec {
      $0.after = after
      $0.afterOK = afterOK
      edit(&$0)
    }
  }

  private func record(_ harness: EngineHarness, _ id: Identifier) throws -> JobRecord {
    try harness.engine.job(id, context: harness.context).record
  }

  private func constraints(
    _ harness: EngineHarness, _ id: Identifier, as context: CallContext? = nil
  ) throws -> [WaitConstraint] {
    try harness.engine.explain(id, context: context ?? harness.context).constraints
  }

  private func perform(
    _ body: (@escaping @Sendable (Result<JobView, QubusError>) -> Void) -> Void
  ) async throws -> JobView {
    try await withCheckedContinuation { continuation in
      body { continuation.resume(returning: $0) }
    }.get()
  }

  /// An engine of which the device holds the first job, which runs.
  private func blocked(
    residentJobs: Int = 1000, clock: any Clock = ManualClock()
  ) async throws -> (EngineHarness, Identifier) {
    let harness = try EngineHarness(
      device: FakeDevice(permits: 0, seconds: 1), clock: clock,
      configure: {
        $0.computeThreads = 1
        $0.residentJobs = residentJobs
      })
    let first = try await harness.submitted()
    await harness.device.started(1)
    return (harness, first)
  }

  private func isLeftEmpty(_ harness: EngineHarness, _ ids: [Identifier]) {
    for id in ids { #expect(!harness.engine.dependencyBook.withLock { $0.isWaiting(id) }) }
    #expect(harness.engine.load().jobsQueued == 0)
  }

  @Test("a job starts after the end of others, and says so meanwhile", arguments: [1, 1000])
  func waits(residentJobs: Int) async throws {
    let (harness, first) = try await blocked(residentJobs: residentJobs)
    let second = try await harness.submitted(spec(after: [first]))
    let third = try await harness.submitted(spec(after: [first], afterOK: [second]))
    let fourth = try await harness.submitted()
    for id in [second, third] {
      #expect(try record(harness, id).reason == JobReason.dependency)
      #expect(try harness.engine.job(id, context: harness.context).queuePosition == nil)
    }
    #expect(try harness.engine.job(fourth, context: harness.context).queuePosition == 1)
    let found = try constraints(harness, third)
    #expect(found.map(\.kind) == [.dependency])
    let queuedAt = try record(harness, third).phases.queuedAt
    #expect(queuedAt != nil && found.first?.since == queuedAt)
    #expect(
      found.first?.detail == "it starts after the end of job \(first), which is running; "
        + "job \(second), which is queued and has to succeed")
    let told = try harness.events(third)[1]
    #expect(told.status == .queued && told.reason == JobReason.dependency)
    #expect(
      told.body.details == ["after": first.description, "after_ok": second.description])
    harness.device.permit(nil)
    for id in [first, second, third, fourth] {
      #expect(try await harness.finished(id).status == .succeeded)
    }
    #expect(try record(harness, third).reason == "")
    isLeftEmpty(harness, [second, third])
    let subjects = harness.store.memory.audit.records.map(\.entry.subject)
    #expect(subjects.contains("job \(third) (after others)"))
    await harness.stop()
  }

  @Test("what was waited for is told once it has ended, in whatever way")
  func met() async throws {
    let harness = try EngineHarness(clock: ManualClock())
    harness.engine.drain(true)
    let first = try await harness.submitted()
    let second = try await harness.submitted(spec(after: [first]))
    _ = try await harness.cancel(first)
    let observed = Monitor(false)
    let observation = try harness.engine.observe(second, context: harness.context) {
      sequence, _ in if sequence > 2 { observed.signal { $0 = true } }
    }
    await onThread { observed.wait { $0 ? () : nil } }
    observation.end()
    #expect(try record(harness, second).reason == "")
    let last = try #require(try harness.events(second).last)
    #expect(last.kind == .queueMoved && last.body.details["message"]?.contains("ended") == true)
    #expect(try constraints(harness, second).map(\.kind).contains(.dependency) == false)
    harness.engine.drain(false)
    #expect(try await harness.finished(second).status == .succeeded)
    await harness.stop()
  }

  @Test(
    "when one that had to succeed does not, those that wait for it are canceled, and theirs",
    arguments: [JobStatus.failed, .canceled, .expired], [1, 1000])
  func failed(ending: JobStatus, residentJobs: Int) async throws {
    let clock = ManualClock()
    let (harness, first) = try await blocked(residentJobs: residentJobs, clock: clock)
    let mortal = try await harness.submitted(EngineHarness.spec { $0.execution.ttlSeconds = 60 })
    let bad = ending == .failed ? first : mortal
    let second = try await harness.submitted(spec(afterOK: [bad]))
    let third = try await harness.submitted(spec(afterOK: [second]))
    let fourth = try await harness.submitted(spec(after: [third]))
    switch ending {
    case .failed:
      harness.device.state.signal { $0.failure = QubusError(.internalError, "broken") }
      harness.device.permit(1)
      #expect(try await harness.finished(first).status == .failed)
      harness.device.state.signal { $0.failure = nil }
    case .canceled: _ = try await harness.cancel(mortal)
    default:
      clock.advance(microseconds: 61_000_000)
      harness.engine.clockMoved()
    }
    let canceled = try await harness.finished(second)
    #expect(canceled.status == .canceled && canceled.reason == JobReason.dependencyFailed)
    #expect(canceled.error?.code == .dependencyFailed)
    #expect(canceled.error?.details == ["job_id": bad.description, "status": ending.word])
    #expect(try await harness.finished(third).error?.details["status"] == "canceled")
    harness.device.permit(nil)
    // It asked for an end, not for a success.
    #expect(try await harness.finished(fourth).status == .succeeded)
    let error = #expect(throws: QubusError.self) {
      try harness.engine.result(second, context: harness.context)
    }
    #expect(error?.code == .dependencyFailed)
    for id in [first, mortal] { try await harness.finished(id) }
    isLeftEmpty(harness, [second, third, fourth])
    await harness.stop()
  }

  @Test("jobs that have ended already are not waited for; one that failed cancels at once")
  func ended() async throws {
    let harness = try EngineHarness(clock: ManualClock())
    let good = try await harness.submitted()
    try await harness.finished(good)
    harness.device.state.signal { $0.failure = QubusError(.internalError, "broken") }
    let bad = try await harness.submitted()
    try await harness.finished(bad)
    harness.device.state.signal { $0.failure = nil }
    harness.engine.drain(true)
    let second = try await harness.submitted(spec(after: [bad], afterOK: [good]))
    #expect(try record(harness, second).reason == "")
    #expect(try constraints(harness, second).map(\.kind).contains(.dependency) == false)
    let third = try await harness.submitted(spec(after: [good], afterOK: [bad]))
    #expect(try await harness.finished(third).error?.code == .dependencyFailed)
    harness.engine.drain(false)
    #expect(try await harness.finished(second).status == .succeeded)
    isLeftEmpty(harness, [second, third])
    await harness.stop()
  }

  @Test("ids that are not the caller's to see answer as those of no job, naming the field")
  func refusals() async throws {
    let harness = try EngineHarness(clock: ManualClock())
    harness.engine.drain(true)
    let stranger = CallContext(
      identity: .submitter(Principal(tenant: "other", project: "p", name: "eve")),
      clientVersion: "test/1", traceID: "trace")
    let own = try await harness.submitted()
    let foreign = try await harness.submit(EngineHarness.spec(), as: stranger).job.record.id
    let absent = IdentifierSource(clock: SystemClock()).next()
    let many = (0..<65).map { Identifier(high: 1, low: UInt64($0)) }
    let cases: [(JobSpec, ErrorCode, String)] = [
      (spec(after: [own, absent]), .jobNotFound, "after[1]"),
      (spec(after: [own], afterOK: [foreign]), .jobNotFound, "after_ok[0]"),
      (spec(after: [own, own]), .invalidRequest, "after[1]"),
      (spec(after: [own], afterOK: [own]), .invalidRequest, "after_ok[0]"),
      (spec(after: many), .invalidRequest, "after"),
    ]
    for (spec, code, field) in cases {
      let error = await #expect(throws: QubusError.self) { try await harness.submit(spec) }
      #expect(error?.code == code && error?.violations.map(\.field) == [field])
      let planned = await withCheckedContinuation { continuation in
        harness.engine.plan(spec, context: harness.context) {
          continuation.resume(returning: $0)
        }
      }
      #expect(throws: QubusError.self) { try planned.get() }
    }
    #expect(try harness.store.unfinishedJobs().map(\.id) == [own, foreign])
    #expect(harness.engine.load().jobsQueued == 2)
    #expect(harness.engine.scheduler.withScheduler { $0.promisedCount } == 0)
    // Whoever sees every tenant begins nothing behind the jobs of another.
    let everywhere = CallContext(
      identity: Identity(
        principal: EngineHarness.alice, credential: .loopback,
        grants: [Grant(.operator, Scope()), Grant(.submitter, Scope(tenant: "default"))]),
      clientVersion: "test/1", traceID: "trace")
    let error = await #expect(throws: QubusError.self) {
      try await harness.submit(spec(after: [foreign]), as: everywhere)
    }
    #expect(error?.code == .jobNotFound)
    let blind = CallContext(
      identity: Identity(
        principal: EngineHarness.alice, credential: .loopback,
        grants: [Grant(.submitter, Scope(tenant: "default", project: "default"))],
        token: TokenRights(
          id: "t", actions: Actions([.submitJobs]), project: "default", expiresAt: .max,
          maxShots: nil)),
      clientVersion: "test/1", traceID: "trace")
    let denied = await #expect(throws: QubusError.self) {
      try await harness.submit(spec(after: [own]), as: blind)
    }
    #expect(denied?.code == .permissionDenied && denied?.details["action"] == "jobs.read")
    await harness.stop()
  }

  @Test("a restart keeps who waits for whom, and sees what ended meanwhile")
  func restart() async throws {
    let clock = ManualClock()
    let first = try EngineHarness(clock: clock)
    first.engine.drain(true)
    let a = try await first.submitted()
    let b = try await first.submitted()
    let c = try await first.submitted(spec(after: [a, b]))
    let d = try await first.submitted(spec(afterOK: [b]))
    let e = try await first.submitted(spec(afterOK: [a]))
    clock.advance(microseconds: 1_000_000)
    await first.stop()
    // As of a service that died after the end of one and before those behind it were told.
    let record = try #require(try first.store.job(b))
    first.store.perform(
      .update(
        .end(record, .canceled, reason: "", error: nil, at: clock.now()), completion: { _ in }))
    let second = try EngineHarness(
      device: FakeDevice(permits: 0, seconds: 1), store: first.store, codec: first.codec,
      clock: clock)
    #expect(try await second.finished(d).error?.code == .dependencyFailed)
    await second.device.started(1)
    for id in [c, e] {
      let found = try constraints(second, id)
      #expect(found.map(\.kind) == [.dependency])
      let queuedAt = try self.record(second, id).phases.queuedAt
      #expect(queuedAt != nil && found.first?.since == queuedAt)
      #expect(found.first?.detail == constraintDetail(a, mustSucceed: id == e))
    }
    #expect(second.device.state.withLock { $0.started } == 1)
    second.device.permit(nil)
    for id in [a, c, e] { #expect(try await second.finished(id).status == .succeeded) }
    isLeftEmpty(second, [c, d, e])
    await second.stop()
  }

  private func constraintDetail(_ id: Identifier, mustSucceed: Bool) -> String {
    "it starts after the end of job \(id), which is running"
      + (mustSucceed ? " and has to succeed" : "")
  }

  @Test("a job that is paused and waits for another starts when neither holds")
  func paused() async throws {
    let (harness, first) = try await blocked()
    let (engine, context) = (harness.engine, harness.context)
    let second = try await harness.submitted(spec(after: [first]))
    let third = try await harness.submitted(spec(after: [first]))
    for id in [second, third] {
      _ = try await perform { engine.pause(id, reason: "", context: context, completion: $0) }
    }
    #expect(try constraints(harness, second).map(\.kind) == [.paused, .dependency])
    let view = try await perform {
      engine.resume(second, reason: "", context: context, completion: $0)
    }
    #expect(view.record.reason == JobReason.dependency)
    #expect(try constraints(harness, second).map(\.kind) == [.dependency])
    harness.device.permit(nil)
    #expect(try await harness.finished(second).status == .succeeded)
    #expect(try record(harness, third).reason == JobReason.paused)
    #expect(try constraints(harness, third).map(\.kind) == [.paused])
    _ = try await perform { engine.resume(third, reason: "", context: context, completion: $0) }
    #expect(try await harness.finished(third).status == .succeeded)
    await harness.stop()
  }

  @Test("an approval does not replace the end of others, nor they an approval")
  func approvals() async throws {
    var policy = ApprovalPolicy(
      key: .init(tenant: "default", project: nil, experimentClass: "demo"))
    policy.maxShots = 500
    let harness = try EngineHarness(
      device: FakeDevice(permits: 0, seconds: 1), clock: ManualClock(),
      approvalPolicies: ApprovalPolicies([policy]), configure: { $0.computeThreads = 1 })
    let engine = harness.engine
    let first = try await harness.submitted()
    await harness.device.started(1)
    let behind = try await harness.submitted()
    var demos: [Identifier] = []
    for other in [first, first, behind] {
      let demo = spec(afterOK: [other]) { $0.experiment.experimentClass = "demo" }
      demos.append(try await harness.submitted(demo))
    }
    for id in demos {
      #expect(try record(harness, id).reason == JobReason.approval)
      #expect(try constraints(harness, id).map(\.kind) == [.approval, .dependency])
    }
    let ada = Self.context("ada", .approver)
    let approved = try await perform {
      engine.decide(demos[0], .approve, reason: "", context: ada, completion: $0)
    }
    #expect(approved.record.reason == JobReason.dependency)
    #expect(try constraints(harness, demos[0]).map(\.kind) == [.dependency])
    // Nobody has to decide over one that cannot run any more.
    _ = try await harness.cancel(behind)
    #expect(try await harness.finished(demos[2]).error?.code == .dependencyFailed)
    harness.device.permit(nil)
    #expect(try await harness.finished(demos[0]).status == .succeeded)
    #expect(try record(harness, demos[1]).reason == JobReason.approval)
    #expect(try constraints(harness, demos[1]).map(\.kind) == [.approval])
    _ = try await perform {
      engine.decide(demos[1], .approve, reason: "", context: ada, completion: $0)
    }
    #expect(try await harness.finished(demos[1]).status == .succeeded)
    isLeftEmpty(harness, demos)
    await harness.stop()
  }

  @Test("a job that waits for others is canceled and expires like any other")
  func ends() async throws {
    let clock = ManualClock()
    let (harness, first) = try await blocked(clock: clock)
    let second = try await harness.submitted(spec(after: [first]))
    let mortal = try await harness.submitted(
      spec(after: [first]) { $0.execution.ttlSeconds = 60 })
    #expect(try await harness.cancel(second).outcome == .beforeStart)
    clock.advance(microseconds: 61_000_000)
    harness.engine.clockMoved()
    #expect(try await harness.finished(mortal).status == .expired)
    harness.device.permit(nil)
    #expect(try await harness.finished(first).status == .succeeded)
    #expect(harness.device.state.withLock { $0.started } == 1)
    isLeftEmpty(harness, [second, mortal])
    await harness.stop()
  }

  @Test("the jobs to wait for belong to a request: another list under its key is another request")
  func idempotency() async throws {
    let (harness, first) = try await blocked()
    let other = try await harness.submitted()
    let keyed = spec(after: [first, other]) { $0.idempotencyKey = "k" }
    let id = try await harness.submitted(keyed)
    var same = keyed
    same.after = [other, first]
    let again = try await harness.submit(same)
    #expect(again.isDuplicate && again.job.record.id == id)
    for list in [[first], []] {
      var changed = keyed
      changed.after = list
      let error = await #expect(throws: QubusError.self) { try await harness.submit(changed) }
      #expect(error?.code == .idempotencyConflict)
    }
    #expect(harness.engine.load().jobsQueued == 2)
    #expect(harness.engine.scheduler.withScheduler { $0.promisedCount } == 0)
    harness.device.permit(nil)
    #expect(try await harness.finished(id).status == .succeeded)
    // A replay is compared with what came out, whatever ran before it.
    let replay = try await harness.replay(id).job.record
    let stored = try harness.codec.decodeRequest(replay.request)
    #expect(stored.after.isEmpty && stored.afterOK.isEmpty)
    #expect(try await harness.finished(replay.id).status == .succeeded)
    await harness.stop()
  }

  @Test("of jobs that somebody may not see only the number is told")
  func hidden() async throws {
    let (harness, first) = try await blocked()
    let tia = Self.context("tia", .tenantAdmin, in: Scope(tenant: "default"))
    let nina = Self.context(
      "nina", .submitter, in: Scope(tenant: "default", project: "nmr"))
    let unseen = try await harness.submit(EngineHarness.spec(), as: nina).job.record.id
    let both = try await harness.submit(spec(after: [first, unseen]), as: tia).job.record.id
    let one = try await harness.submit(spec(after: [unseen]), as: tia).job.record.id
    let viewer = Self.context("vic", .viewer)
    #expect(
      try constraints(harness, both, as: viewer).map(\.detail)
        == ["it starts after the end of job \(first), which is running; 1 more job"])
    #expect(
      try constraints(harness, one, as: viewer).map(\.detail)
        == ["it starts after the end of 1 job"])
    #expect(
      try constraints(harness, one, as: tia).first?.detail.contains(unseen.description) == true)
    harness.device.permit(nil)
    await harness.stop()
  }

  @Test("in any graph every job runs after those it names, or ends because one of them did not run")
  func graphs() async throws {
    for seed in UInt64(1)...6 {
      var random = SplitMix(state: seed)
      let harness = try EngineHarness(configure: {
        $0.computeThreads = 2
        $0.residentJobs = 8
      })
      var specs: [Identifier: JobSpec] = [:]
      var ids: [Identifier] = []
      for _ in 0..<60 {
        let named = (0..<3).compactMap { _ in ids.randomElement(using: &random) }
        let distinct = Set(named).sorted()
        let split = Int.random(in: 0...distinct.count, using: &random)
        let spec = spec(
          after: Array(distinct[..<split]), afterOK: Array(distinct[split...]))
        let id = try await harness.submitted(spec)
        specs[id] = spec
        ids.append(id)
        if Int.random(in: 0..<6, using: &random) == 0, let victim = ids.randomElement() {
          _ = try await harness.cancel(victim)
        }
      }
      for id in ids {
        let job = try await harness.finished(id)
        let spec = try #require(specs[id])
        let others = try (spec.after + spec.afterOK).map { try record(harness, $0) }
        let needed = try spec.afterOK.map { try record(harness, $0) }
        if job.error?.code == .dependencyFailed {
          #expect(needed.contains { $0.status != .succeeded }, "seed \(seed)")
        }
        guard let start = job.phases.startedAt else { continue }
        #expect(needed.allSatisfy { $0.status == .succeeded }, "seed \(seed)")
        let ends = others.compactMap(\.phases.finishedAt)
        #expect(ends.count == others.count && ends.allSatisfy { $0 <= start }, "seed \(seed)")
      }
      isLeftEmpty(harness, ids)
      await harness.stop()
    }
  }
}
