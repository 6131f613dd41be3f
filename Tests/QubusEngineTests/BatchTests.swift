import QubusCore
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("Jobs that are submitted together") struct BatchTests {
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

  private func submitted(
    _ harness: EngineHarness, _ batch: Identifier, _ spec: JobSpec = EngineHarness.spec()
  ) async throws -> Identifier {
    try await withCheckedContinuation { continuation in
      harness.engine.submit(
        spec, request: harness.codec.encode(spec), batch: batch, context: harness.context
      ) { continuation.resume(returning: $0) }
    }.get().job.record.id
  }

  private func cancel(
    _ batch: Identifier, _ harness: EngineHarness, reason: String = "",
    as context: CallContext? = nil
  ) async throws -> BatchCancelReport {
    try await withCheckedContinuation { continuation in
      harness.engine.cancelBatch(batch, reason: reason, context: context ?? harness.context) {
        continuation.resume(returning: $0)
      }
    }.get()
  }

  private func refusal(
    _ batch: Identifier, _ harness: EngineHarness, reason: String = "",
    as context: CallContext? = nil
  ) async -> QubusError? {
    do {
      _ = try await cancel(batch, harness, reason: reason, as: context)
      return nil
    } catch { return error as? QubusError }
  }

  @Test("they are canceled as one, those that wait first; others go on")
  func cancels() async throws {
    let device = FakeDevice(permits: 1, seconds: 1)
    let harness = try EngineHarness(
      device: device, clock: ManualClock(), configure: { $0.computeThreads = 1 })
    let batch = harness.engine.newBatch()
    let ended = try await submitted(harness, batch)
    try await harness.finished(ended)
    var jobs = [try await submitted(harness, batch)]
    await device.started(2)
    for _ in 0..<3 { jobs.append(try await submitted(harness, batch)) }
    let other = try await harness.submitted()
    #expect(
      try await cancel(batch, harness, reason: "wrong angle")
        == BatchCancelReport(beforeStart: 3, duringRun: 1, tooLate: 1))
    for job in jobs { #expect(try await harness.finished(job).status == .canceled) }
    #expect(try harness.engine.job(ended, context: harness.context).record.status == .succeeded)
    // None of those that waited began when the slot fell free.
    device.permit(nil)
    try await harness.finished(other)
    #expect(device.state.withLock { $0.started } == 3)
    let entries = harness.store.memory.audit.records.map(\.entry)
      .filter { $0.method == "CancelJob" }
    #expect(entries.count == 4 && entries.allSatisfy { $0.reason == "wrong angle" })
    #expect(try await cancel(batch, harness) == BatchCancelReport(tooLate: 5))
    await harness.stop()
  }

  @Test("the batch of a job is told, is a filter of lists, and outlives a restart")
  func lists() async throws {
    let (store, codec) = (FakeStore(clock: SystemClock()), FakeCodec())
    let first = try EngineHarness(store: store, codec: codec)
    first.engine.drain(true)
    let batch = first.engine.newBatch()
    let jobs = [try await submitted(first, batch), try await submitted(first, batch)]
    let other = try await first.submitted()
    #expect(try first.engine.job(jobs[0], context: first.context).record.batch == batch)
    #expect(try first.engine.job(other, context: first.context).record.batch == nil)
    // One that is submitted again under its key stays in the batch that it was accepted in.
    let key = EngineHarness.spec { $0.idempotencyKey = "k" }
    let known = try await submitted(first, batch, key)
    #expect(try await submitted(first, first.engine.newBatch(), key) == known)
    await first.stop()
    let second = try EngineHarness(store: store, codec: codec, start: false)
    second.engine.drain(true)
    try second.engine.start()
    var filter = JobFilter()
    filter.batch = batch
    let listed = try second.engine.jobs(filter, context: second.context).map(\.record.id)
    #expect(listed == [known] + jobs.reversed())
    filter.batch = second.engine.newBatch()
    #expect(try second.engine.jobs(filter, context: second.context).isEmpty)
    #expect(try await cancel(batch, second) == BatchCancelReport(beforeStart: 3))
    #expect(try second.engine.job(other, context: second.context).record.status == .queued)
    await second.stop()
  }

  @Test("a batch of others is denied or not there, as one that does not exist")
  func rights() async throws {
    let harness = try EngineHarness()
    harness.engine.drain(true)
    let batch = harness.engine.newBatch()
    let job = try await submitted(harness, batch)
    let stranger = Self.context("eve", .submitter, tenant: "other")
    let hidden = await refusal(batch, harness, as: stranger)
    let unknown = harness.engine.newBatch()
    let absent = await refusal(unknown, harness)
    #expect(hidden?.code == .jobNotFound && absent?.code == .jobNotFound)
    #expect(
      hidden?.message.replacing("\(batch)", with: "")
        == absent?.message.replacing("\(unknown)", with: ""))
    #expect(hidden?.violations.first?.field == "batch_id")
    for (name, role) in [("vic", Role.viewer), ("bob", .submitter)] {
      #expect(
        await refusal(batch, harness, as: Self.context(name, role))?.code == .permissionDenied)
    }
    let long = String(repeating: "x", count: 5000)
    #expect(await refusal(batch, harness, reason: long)?.violations.first?.field == "reason")
    #expect(try harness.engine.job(job, context: harness.context).record.status == .queued)
    let admin = Self.context("pia", .projectAdmin)
    #expect(try await cancel(batch, harness, as: admin) == BatchCancelReport(beforeStart: 1))
    await harness.stop()
  }
}

@Suite("Ended jobs that are submitted again") struct ResubmitTests {
  private func resubmit(
    _ id: Identifier, _ harness: EngineHarness, key: String = "", as context: CallContext? = nil
  ) async throws -> SubmitReport {
    try await withCheckedContinuation { continuation in
      harness.engine.resubmit(id, idempotencyKey: key, context: context ?? harness.context) {
        continuation.resume(returning: $0)
      }
    }.get()
  }

  private func refusal(
    _ id: Identifier, _ harness: EngineHarness, key: String = "", as context: CallContext? = nil
  ) async -> QubusError? {
    do {
      _ = try await resubmit(id, harness, key: key, as: context)
      return nil
    } catch { return error as? QubusError }
  }

  @Test("a new job with the same request runs, and names the former one")
  func again() async throws {
    let harness = try EngineHarness()
    harness.engine.drain(true)
    let gone = try await harness.submitted()
    let first = try await harness.submitted(
      EngineHarness.spec(shots: 700) {
        $0.after = [gone]
        $0.afterOK = []
        $0.idempotencyKey = "first"
        $0.experiment.name = "bell"
        $0.execution.seed = 7
      })
    #expect(await refusal(first, harness)?.code == .illegalTransition)
    _ = try await harness.cancel(first)
    harness.engine.drain(false)
    let report = try await resubmit(first, harness, key: "second")
    let again = report.job.record
    #expect(!report.isDuplicate && again.resubmitOf == first && again.id != first)
    #expect(again.replayOf == nil && again.batch == nil)
    let record = try await harness.finished(again.id)
    #expect(record.status == .succeeded && record.seed == 7 && record.shotsDone == 700)
    #expect(record.name == "bell" && record.idempotencyKey == "second")
    #expect(try harness.engine.job(first, context: harness.context).record.status == .canceled)
    let queued = try #require(try harness.events(again.id).first { $0.status == .queued })
    #expect(queued.body.details["resubmit_of"] == "\(first)")
    let entry = harness.store.memory.audit.records.map(\.entry).last { $0.method == "ResubmitJob" }
    #expect(entry?.subject == "job \(again.id) (again \(first))")
    // Under the same key it is the same job.
    let known = try await resubmit(first, harness, key: "second")
    #expect(known.isDuplicate && known.job.record.id == again.id)
    // Of one that succeeded too, and of one that was submitted again itself.
    let third = try await resubmit(again.id, harness)
    #expect(third.job.record.resubmitOf == again.id)
    #expect(try await harness.finished(third.job.record.id).status == .succeeded)
    await harness.stop()
  }

  @Test("a seed that nobody asked for is drawn anew")
  func seeds() async throws {
    let harness = try EngineHarness()
    let first = try await harness.finished(try await harness.submitted())
    let second = try await resubmit(first.id, harness)
    #expect(second.job.record.seed != first.seed)
    try await harness.finished(second.job.record.id)
    await harness.stop()
  }

  @Test("what one may not read cannot be run again; a key that means another job is a conflict")
  func refusals() async throws {
    let harness = try EngineHarness()
    let first = try await harness.submitted()
    try await harness.finished(first)
    func context(_ name: String, _ role: Role, tenant: String = "default") -> CallContext {
      CallContext(
        identity: Identity(
          principal: Principal(tenant: tenant, project: "default", name: name),
          credential: .loopback,
          grants: [Grant(role, Scope(tenant: tenant, project: "default"))]),
        clientVersion: "test/1", traceID: "trace")
    }
    let jobs = try harness.engine.jobs(JobFilter(), context: harness.context).count
    let eve = context("eve", .submitter, tenant: "other")
    #expect(await refusal(first, harness, as: eve)?.code == .jobNotFound)
    #expect(await refusal(harness.engine.identifiers.next(), harness)?.code == .jobNotFound)
    #expect(await refusal(first, harness, as: context("vic", .viewer))?.code == .permissionDenied)
    #expect(
      await refusal(first, harness, as: context("ann", .approver))?.code == .permissionDenied)
    let long = String(repeating: "k", count: 1025)
    #expect(await refusal(first, harness, key: long)?.violations.first?.field == "idempotency_key")
    _ = try await harness.submitted(EngineHarness.spec(shots: 5) { $0.idempotencyKey = "taken" })
    #expect(await refusal(first, harness, key: "taken")?.code == .idempotencyConflict)
    #expect(try harness.engine.jobs(JobFilter(), context: harness.context).count == jobs + 1)
    await harness.stop()
  }
}
