import QubusCore
import QubusDevices
import QubusJobs
import Testing

@testable import QubusEngine

@Suite struct CancelTests {
  @Test("a queued job is canceled at once; a second cancel is too late and answers its state")
  func queued() async throws {
    let harness = try EngineHarness()
    harness.engine.drain(true)
    let id = try await harness.submitted()
    let report = try await harness.cancel(id)
    #expect(report.outcome == .beforeStart)
    #expect(report.job.record.status == .canceled)
    #expect(report.job.record.reason == JobReason.canceledByClient)
    let again = try await harness.cancel(id)
    #expect(again.outcome == .tooLate)
    #expect(again.job.record.status == .canceled)
    #expect(try harness.statuses(id) == [.accepted, .queued, .canceled])
    await harness.stop()
  }

  @Test("a running job stops inside its chunk, and the shots that were done stay, marked partial")
  func running() async throws {
    let device = FakeDevice(permits: 3, seconds: 1, shotsPerChunk: 100)
    let harness = try EngineHarness(device: device)
    let id = try await harness.submitted()
    await device.started(4)
    // No further permit comes: only the flag can end the fourth chunk.
    let report = try await harness.cancel(id)
    #expect(report.outcome == .duringRun)
    #expect(report.shotsDone == 300)
    let (_, manifest, _) = try harness.engine.result(id, context: harness.context)
    #expect(manifest.isPartial)
    #expect(manifest.shotsDone == 300)
    #expect(try harness.words(id, "counts.values") == [300])
    #expect(try harness.words(id, "counts.offsets") == [0, 1])
    let record = try await harness.finished(id)
    #expect(record.status == .canceled && record.cancelRequested)
    await harness.stop()
  }

  @Test("rows that never ran have no counts in a partial result")
  func rows() async throws {
    let device = FakeDevice(permits: 3, seconds: 1)
    let harness = try EngineHarness(device: device)
    let spec = EngineHarness.spec("2 2 a:float") { spec in
      spec.pubs[0].parameters = [ParameterArray(name: "a", shape: [5], values: [1, 2, 3, 4, 5])]
    }
    let id = try await harness.submitted(spec)
    await device.started(4)
    _ = try await harness.cancel(id)
    #expect(try harness.words(id, "counts.offsets") == [0, 1, 2, 3, 3, 3])
    await harness.stop()
  }

  @Test("cancels racing with the end leave one terminal event, and all answers agree with it")
  func races() async throws {
    let harness = try EngineHarness()
    let outcomes = try await withThrowingTaskGroup(of: CancelOutcome.self) { group in
      for number in 0..<1000 {
        group.addTask {
          let id = try await harness.submitted()
          if number % 3 == 0 { await Task.yield() }
          async let first = harness.cancel(id)
          async let second = harness.cancel(id)
          let reports = try await [first, second]
          let statuses = try harness.statuses(id)
          let last = try #require(statuses.last)
          #expect(statuses.filter(\.isTerminal).count == 1)
          for report in reports {
            #expect(report.job.record.status == last)
            if last == .succeeded { #expect(report.outcome == .tooLate) }
          }
          if last == .canceled { #expect(reports.contains { $0.outcome != .tooLate }) }
          return reports[0].outcome
        }
      }
      return try await group.reduce(into: [CancelOutcome: Int]()) { $0[$1, default: 0] += 1 }
    }
    #expect(outcomes.values.reduce(0, +) == 1000)
    // A turn of the scheduler may still be taking in the last of them.
    while harness.engine.load().jobsQueued > 0 { await Task.yield() }
    await harness.stop()
  }

  @Test("a cancel while the end is being written waits for it and comes too late")
  func whileEnding() async throws {
    let device = FakeDevice(permits: 0)
    let harness = try EngineHarness(device: device)
    let id = try await harness.submitted()
    await device.started(1)
    harness.store.state.signal { $0.isHolding = true }
    device.permit(nil)
    await harness.store.held(1)
    async let report = harness.cancel(id)
    harness.store.release()
    #expect(try await report.outcome == .tooLate)
    #expect(try harness.statuses(id).last == .succeeded)
    await harness.stop()
  }

  @Test("a cancel between the last chunk and the handing over ends the job, with all its shots")
  func whileAssembling() async throws {
    let device = FakeDevice(seconds: 1, shotsPerChunk: 500)
    let harness = try EngineHarness(device: device)
    device.state.signal { $0.outcomes = 200 }
    let reports = Monitor<[CancelReport]>([])
    device.state.signal { state in
      state.whenDone = FakeDevice.Hook { request in
        guard case .shots(let first, _, _) = request.work, first == 500 else { return }
        harness.engine.cancel(request.jobID, reason: "late", context: harness.context) { report in
          if let report = try? report.get() { reports.signal { $0.append(report) } }
        }
      }
    }
    let id = try await harness.submitted(EngineHarness.spec("2 9"))
    let record = try await harness.finished(id)
    #expect(record.status == .canceled && record.cancelRequested)
    await onThread { reports.wait { $0.isEmpty ? nil : () } }
    let report = try #require(reports.withLock { $0.first })
    #expect(report.outcome == .duringRun && report.shotsDone == 1000)
    let (_, manifest, _) = try harness.engine.result(id, context: harness.context)
    #expect(manifest.isPartial && manifest.shotsDone == 1000)
    #expect(try harness.words(id, "counts.values").reduce(0, +) == 1000)
    #expect(try harness.words(id, "counts.offsets") == [0, 200])
    device.state.signal { $0.whenDone = nil }
    await harness.stop()
  }

  @Test("a stop after the last look at the flag still counts until the running has ended")
  func beforeHandingOver() async throws {
    let harness = try EngineHarness()
    let result = JobResult(
      manifest: ResultManifest(jobID: Identifier(high: 0, low: 1), attempt: 1),
      provenance: Provenance(jobID: Identifier(high: 0, low: 1)), data: [])
    for isStopped in [false, true] {
      let record = JobRecord(
        id: Identifier(high: 0, low: 1), principal: EngineHarness.alice, request: [])
      let job = ActiveJob(record, prepared: nil)
      if isStopped { job.withLock { $0.stop = .canceled(reason: "") } }
      let ending = harness.engine.finish(job, .succeeded(result))
      #expect(job.withLock { $0.phase } == .finishing)
      switch ending {
      case .succeeded: #expect(!isStopped)
      case .stopped(.canceled): #expect(isStopped)
      case .stopped, .failed: Issue.record("ended as \(ending)")
      }
    }
    await harness.stop()
  }

  @Test("an unknown job cannot be canceled")
  func unknown() async throws {
    let harness = try EngineHarness()
    let error = await #expect(throws: QubusError.self) {
      try await harness.cancel(Identifier(high: 1, low: 2))
    }
    #expect(error?.code == .jobNotFound)
    await harness.stop()
  }

  @Test("a waiting job expires, a running one is stopped at its run limit and at its ttl")
  func deadlines() async throws {
    let clock = ManualClock()
    let device = FakeDevice(permits: 0, seconds: 1)
    let harness = try EngineHarness(device: device, clock: clock)
    let limited = try await harness.submitted(
      EngineHarness.spec { $0.execution.maxRunSeconds = 2 })
    await device.started(1)
    let waiting = try await harness.submitted(EngineHarness.spec { $0.execution.ttlSeconds = 1 })
    clock.advance(microseconds: 1_500_000)
    harness.engine.clockMoved()
    let expired = try await harness.finished(waiting)
    #expect(expired.status == .expired && expired.reason == JobReason.timeToLive)
    clock.advance(microseconds: 1_000_000)
    harness.engine.clockMoved()
    let stopped = try await harness.finished(limited)
    #expect(stopped.status == .failed)
    #expect(stopped.error?.code == .executionTimedOut)
    let running = try await harness.submitted(
      EngineHarness.spec { $0.execution.deadlineSeconds = 3 })
    await device.started(2)
    clock.advance(microseconds: 3_000_000)
    harness.engine.clockMoved()
    let late = try await harness.finished(running)
    #expect(late.status == .expired && late.reason == JobReason.deadline)
    #expect(late.error?.code == .jobExpired)
    await harness.stop()
  }
}
