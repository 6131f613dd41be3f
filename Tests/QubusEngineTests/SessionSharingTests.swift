import QubusCore
import QubusJobs
import QubusSimulator
import Synchronization
import Testing

@testable import QubusEngine

@Suite("Sessions share the machine")
struct SessionSharingTests {
  /// Steps of 1 ms: for step workers. They wait for permits.
  private func large(
    permits: Int? = 0, _ configure: (inout EngineConfiguration) -> Void = { _ in }
  ) throws -> SessionHarness {
    let harness = try SessionHarness(configure: configure)
    harness.device.steps.withLock { steps in
      steps.seconds = 1e-3
      steps.permits = permits
    }
    return harness
  }

  @Test("steps sent ahead are answered in order, and one beyond them is refused")
  func pipeline() async throws {
    let harness = try large()
    let id = try await harness.opened()
    var serials: [UInt64] = []
    for step in 1...5 {
      serials.append(
        try #require(harness.step(id, UInt64(step), [Double(step), 0]).serial))
    }
    #expect(harness.step(id, 7).code == .stepOutOfOrder)
    harness.device.permitSteps(nil)
    for (index, serial) in serials.enumerated() {
      let answer = try await harness.sink.outcome(serial).get()
      #expect(answer.sequence == UInt64(index + 1) && answer.values == [Double(index + 1)])
    }
    #expect(harness.device.steps.withLock { $0.order } == [1, 2, 3, 4, 5])
    #expect(try harness.view(id).record.usage.lastSequence == 5)
    await harness.stop()
  }

  @Test("only so many steps of a session wait")
  func busy() async throws {
    let harness = try large { $0.sessions.pipelinedSteps = 3 }
    let id = try await harness.opened()
    for step in 1...3 { #expect(harness.step(id, UInt64(step)).serial != nil) }
    #expect(harness.step(id, 4).code == .sessionBusy)
    harness.device.permitSteps(nil)
    _ = await harness.sink.outcome(3)
    await harness.stop()
  }

  @Test("a step repeated while it runs gets the answer of the one that runs")
  func repeatedInFlight() async throws {
    let harness = try large()
    let id = try await harness.opened()
    let first = try #require(harness.step(id, 1).serial)
    await harness.device.stepsStarted(1)
    let second = try #require(harness.step(id, 1).serial)
    let other = try #require(harness.step(id, 1, [9, 9]).serial)
    harness.device.permitSteps(nil)
    #expect(try await harness.sink.outcome(first).get().values == [3])
    let again = try await harness.sink.outcome(second).get()
    #expect(again.values == [3] && again.wasRepeated)
    await #expect {
      try await harness.sink.outcome(other).get()
    } throws: {
      ($0 as? QubusError)?.code == .stepOutOfOrder
    }
    #expect(harness.device.steps.withLock { $0.finished } == 1)
    await harness.stop()
  }

  @Test("a waiting step that is abandoned is dropped, a running one is kept for its repetition")
  func abandoned() async throws {
    let harness = try large()
    let id = try await harness.opened()
    let running = try #require(harness.step(id, 1).serial)
    await harness.device.stepsStarted(1)
    let waiting = try #require(harness.step(id, 2).serial)
    harness.abandon(id, sequence: 2, serial: waiting)
    harness.abandon(id, sequence: 1, serial: running)
    let again = try #require(harness.step(id, 1).serial)
    harness.device.permitSteps(nil)
    #expect(try await harness.sink.outcome(again).get().wasRepeated)
    #expect(harness.sink.serials == [again])
    #expect(harness.device.steps.withLock { $0.finished } == 1)
    #expect(try harness.view(id).record.usage.lastSequence == 1)
    await harness.stop()
  }

  @Test("a step that fails takes those behind it along, and all can be sent again")
  func failureInLine() async throws {
    let harness = try large()
    let id = try await harness.opened()
    harness.device.steps.withLock { $0.failure = QubusError(.simulatorNormDrift, "drifted") }
    let first = try #require(harness.step(id, 1).serial)
    let second = try #require(harness.step(id, 2).serial)
    harness.device.permitSteps(nil)
    var codes: [ErrorCode?] = []
    for serial in [first, second] {
      if case .failure(let error) = await harness.sink.outcome(serial) { codes.append(error.code) }
    }
    #expect(codes == [.simulatorNormDrift, .stepOutOfOrder])
    harness.device.steps.withLock { $0.failure = nil }
    let again = try #require(harness.step(id, 1).serial)
    #expect(try await harness.sink.outcome(again).get().values == [3])
    await harness.stop()
  }

  @Test("closing a session stops its running step and refuses the waiting ones")
  func closing() async throws {
    let harness = try large()
    let id = try await harness.opened()
    let running = try #require(harness.step(id, 1).serial)
    await harness.device.stepsStarted(1)
    let waiting = try #require(harness.step(id, 2).serial)
    let view = try await harness.close(id)
    #expect(view.record.state == .closed && view.record.usage.steps == 0)
    for serial in [running, waiting] {
      guard case .failure(let error) = await harness.sink.outcome(serial) else {
        Issue.record("a step of a closed session was answered")
        continue
      }
      #expect(error.code == .sessionNotFound)
    }
    #expect(harness.sessions.residency.total == 0)
    await harness.stop()
  }

  @Test("stopping refuses what waits and stops what runs")
  func stopping() async throws {
    let harness = try large()
    let id = try await harness.opened()
    let running = try #require(harness.step(id, 1).serial)
    await harness.device.stepsStarted(1)
    let waiting = try #require(harness.step(id, 2).serial)
    await harness.stop()
    for serial in [running, waiting] {
      guard case .failure(let error) = await harness.sink.outcome(serial) else {
        Issue.record("a step was answered by a service that had stopped")
        continue
      }
      #expect(error.code == .serverShuttingDown)
    }
    #expect(try harness.store.session(id)?.state == .open)
  }

  @Test("principals get equal shares of a worker, whatever the number of their sessions")
  func shares() async throws {
    let harness = try large { $0.computeThreads = 1 }
    var ids: [(Identifier, Principal)] = [
      (try await harness.opened(as: SessionHarness.alice), SessionHarness.alice)
    ]
    for _ in 0..<4 {
      ids.append((try await harness.opened(as: SessionHarness.bob), SessionHarness.bob))
    }
    var last: UInt64 = 0
    for (index, (id, principal)) in ids.enumerated() {
      for step in 1...40 {
        last = try #require(
          harness.step(id, UInt64(step), [Double(index), 0], as: principal).serial)
      }
    }
    harness.device.permitSteps(80)
    let device = harness.device
    await onThread { device.steps.wait { $0.finished >= 80 ? () : nil } }
    let order = device.steps.withLock { $0.order.prefix(80) }
    // Alice's one session has as much as Bob's four, until it has no more.
    #expect(abs(order.count { $0 == 0 } - 40) <= 4)
    for session in 1...4 { #expect(abs(order.count { $0 == Double(session) } - 10) <= 2) }
    harness.device.permitSteps(nil)
    _ = await harness.sink.outcome(last)
    await harness.stop()
  }

  @Test("a round's time for steps in place is bounded; the rest runs between rounds, in fair order")
  func rounds() async throws {
    let harness = try SessionHarness {
      $0.sessions.smallBacklog = 1000
      $0.sessions.roundSeconds = 35e-6
    }
    var ids: [Identifier] = []
    for _ in 0..<8 { ids.append(try await harness.opened()) }
    let dispositions = ids.map { harness.step($0, 1) }
    #expect(dispositions.count { $0.answer != nil } == 4)
    #expect(harness.sink.serials.isEmpty)
    #expect(harness.sessions.runDueSteps(sink: harness.sink) == false)
    let waiting = dispositions.compactMap(\.serial)
    #expect(harness.sink.serials == Set(waiting) && waiting.count == 4)
    // A new round: in place again.
    #expect(harness.step(ids[0], 2).answer != nil)
    await harness.stop()
  }

  @Test("while jobs run sessions have their share, and what is over waits for the next window")
  func lease() async throws {
    let device = FakeDevice(permits: 0)
    let harness = try SessionHarness(device: device) {
      $0.sessions.leaseShare = 0.25
      $0.sessions.leaseMicroseconds = 100
      $0.sessions.roundSeconds = 1
    }
    let id = try await harness.opened()
    // 25 % of two cores for 100 µs: five steps of 10 µs.
    let job = try await harness.job()
    await device.started(1)
    for step in 1...5 { #expect(harness.step(id, UInt64(step)).answer != nil) }
    let sixth = try #require(harness.step(id, 6).serial)
    #expect(harness.sessions.runDueSteps(sink: harness.sink) == false)
    #expect(harness.sink.serials.isEmpty)
    await harness.advance(seconds: 200e-6)
    #expect(try await harness.sink.outcome(sixth).get().sequence == 6)
    device.permit(nil)
    try await harness.jobEnded(job)
    await harness.stop()
  }

  @Test("a plan that another needs the memory of is dropped, and rebuilt with its next step")
  func dropped() async throws {
    let harness = try SessionHarness { $0.sessions.memoryBytes = 2500 }
    let a = try await harness.opened()
    harness.clock.advance(microseconds: 1000)
    let b = try await harness.opened()
    harness.clock.advance(microseconds: 1000)
    #expect(harness.step(a, 1).answer?.wasRebuilt == false)
    harness.clock.advance(microseconds: 1000)
    let c = try await harness.opened()
    // b was used least recently.
    #expect(try harness.view(b).memoryBytes == 0)
    #expect(try harness.view(a).memoryBytes == 1000 && harness.view(c).memoryBytes == 1000)
    #expect(harness.sessions.residency.total == 2000)
    harness.clock.advance(microseconds: 1000)
    let serial = try #require(harness.step(b, 1).serial)
    #expect(try await harness.sink.outcome(serial).get().wasRebuilt)
    #expect(try harness.view(b).rebuilds == 1 && harness.view(b).memoryBytes == 1000)
    #expect(try harness.view(a).memoryBytes == 0)
    #expect(harness.step(b, 2).answer?.wasRebuilt == false)
    await harness.stop()
  }

  @Test("small steps behind a worker's step do not wait for the transport thread")
  func behindWorker() async throws {
    let harness = try SessionHarness { $0.sessions.memoryBytes = 1500 }
    let a = try await harness.opened()
    _ = try await harness.opened()
    // Its plan is gone, so that the first step goes to a worker; the others wait behind it, unless
    // it is done already.
    let steps = (1...3).map { harness.step(a, UInt64($0)) }
    #expect(steps[0].serial != nil)
    for (index, step) in steps.enumerated() {
      var sequence = step.answer?.sequence
      if let serial = step.serial {
        sequence = try await harness.sink.outcome(serial).get().sequence
      }
      #expect(sequence == UInt64(index + 1))
    }
    await harness.stop()
  }

  @Test("a small step whose principal is ahead is a worker's, in its turn")
  func ahead() async throws {
    let room = StepRoom(smallBacklog: 100, smallSeconds: 1)
    func session(_ number: Int, costNanoseconds: UInt64) -> Session {
      let record = SessionRecord(
        id: Identifier(high: 0, low: UInt64(number)), principal: SessionHarness.alice,
        request: [], seed: 0, openedAt: 0)
      let account = SessionAccount(SessionHarness.alice, number: number)
      let session = Session(
        record, account: account, number: number, plan: nil, evaluator: nil, holder: 1,
        secret: [], configuration: SessionConfiguration())
      session.costHint.store(costNanoseconds, ordering: .relaxed)
      return session
    }
    func ticket(_ sequence: UInt64) -> StepTicket {
      let ticket = room.ticket()
      ticket.order.sequence = sequence
      return ticket
    }
    let tiny = session(1, costNanoseconds: 2_000_000)
    let huge = session(2, costNanoseconds: 50_000_000)
    try room.enter(ticket(1), huge, limit: 9, isLarge: true)
    try room.enter(ticket(1), tiny, limit: 9, isLarge: false)
    try room.enter(ticket(2), tiny, limit: 9, isLarge: false)
    #expect(room.takeSmall()?.0 === tiny)
    room.finish(tiny, nanoseconds: 2_000_000, by: false)
    #expect(room.smallWaiting.load(ordering: .relaxed) == 1)
    #expect(room.takeSmall() == nil)
    let order = await onThread { () -> [Int] in
      (0..<2).compactMap { _ in
        guard let (session, _) = room.take(isOpen: { true }) else { return nil }
        room.finish(session, nanoseconds: 50_000_000, by: true)
        return session.number
      }
    }
    #expect(order == [2, 1])
  }

  @Test("a session larger than all of the memory is refused with both figures")
  func tooLarge() async throws {
    let harness = try SessionHarness { $0.sessions.memoryBytes = 999 }
    let error = await harness.refusal(SessionHarness.spec())
    #expect(error?.code == .insufficientMemory)
    #expect(error?.details["memory_bytes"] == "1000" && error?.details["limit_bytes"] == "999")
    await harness.stop()
  }

  @Test("a long step gets all cores while nothing else runs")
  func allCores() async throws {
    let harness = try large(permits: nil) {
      $0.computeThreads = 2
      $0.sessions.allCoresSeconds = 0.5e-3
    }
    let id = try await harness.opened()
    let serial = try #require(harness.step(id, 1).serial)
    _ = await harness.sink.outcome(serial)
    #expect(harness.device.steps.withLock { $0.threads } == [2])
    await harness.stop()
  }
}

extension SessionHarness {
  /// A job that holds a core until the device permits its chunk.
  func job() async throws -> Identifier {
    let spec = EngineHarness.spec()
    let report = await withCheckedContinuation { continuation in
      engine.submit(
        spec, request: engine.codec.encode(spec), context: Self.context(),
        completion: { continuation.resume(returning: $0) })
    }
    return try report.get().job.record.id
  }

  func jobEnded(_ id: Identifier) async throws {
    let ended = Monitor(false)
    let watch = try engine.observe(id, context: Self.context()) { _, status in
      if status.isTerminal { ended.signal { $0 = true } }
    }
    await onThread { ended.wait { $0 ? () : nil } }
    watch.end()
  }
}
