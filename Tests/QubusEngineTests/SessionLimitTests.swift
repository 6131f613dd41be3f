import QubusCore
import QubusJobs
import Testing

@testable import QubusEngine

@Suite("Limits of a session, its journal and its life after a restart")
struct SessionLimitTests {
  @Test("the step after the last one that is allowed ends the session, naming limit and use")
  func maxSteps() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened(SessionHarness.spec { $0.maxSteps = 2 })
    _ = harness.step(id, 1)
    _ = harness.step(id, 2)
    // The last answer can still be had again.
    #expect(harness.step(id, 2).answer?.wasRepeated == true)
    guard case .refused(let error) = harness.step(id, 3) else {
      Issue.record("a third step was taken")
      return
    }
    #expect(error.code == .sessionLimitExceeded)
    #expect(error.message.contains("max_steps: 2 steps answered (limit: 2)"))
    #expect(harness.step(id, 3).code == .sessionLimitExceeded)
    let view = try harness.view(id)
    #expect(view.record.state == .ended && view.record.reason == "MAX_STEPS")
    #expect(try harness.store.session(id)?.state == .ended)
    #expect(harness.sessions.openCount == 0)
    await harness.stop()
  }

  @Test("device time that is used up ends the session with its next step")
  func deviceTime() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened(SessionHarness.spec { $0.maxDeviceSeconds = 15e-6 })
    _ = harness.step(id, 1)
    _ = harness.step(id, 2)
    #expect(harness.step(id, 3).code == .sessionLimitExceeded)
    #expect(try harness.view(id).record.reason == "DEVICE_TIME")
    await harness.stop()
  }

  @Test("an idle session ends by itself, one in use does not; wall time ends both")
  func time() async throws {
    let harness = try SessionHarness()
    let idle = try await harness.opened(
      SessionHarness.spec {
        $0.idleSeconds = 10; $0.wallSeconds = 100
      })
    let used = try await harness.opened(
      SessionHarness.spec {
        $0.idleSeconds = 10; $0.wallSeconds = 30
      })
    await harness.advance(seconds: 6)
    _ = harness.step(used, 1)
    await harness.advance(seconds: 6)
    #expect(try harness.view(idle).record.reason == "IDLE")
    #expect(try harness.view(used).record.state == .open)
    harness.sessions.door.roundNanoseconds = 0
    _ = harness.step(used, 2)
    for sequence in 3...4 {
      await harness.advance(seconds: 6)
      harness.sessions.door.roundNanoseconds = 0
      _ = harness.step(used, UInt64(sequence))
    }
    await harness.advance(seconds: 7)
    #expect(try harness.view(used).record.reason == "WALL_TIME")
    #expect(harness.sessions.openCount == 0)
    await harness.stop()
  }

  @Test("a step that comes too late is refused before the timer has looked")
  func lateStep() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened(SessionHarness.spec { $0.idleSeconds = 0.1 })
    harness.clock.advance(microseconds: 200_000)
    #expect(harness.step(id, 1).code == .sessionLimitExceeded)
    #expect(try harness.view(id).record.reason == "IDLE")
    await harness.stop()
  }

  @Test("what sessions used is journaled in one command, only when it is new, and tried again")
  func journal() async throws {
    let store = TroubledSessionStore()
    let harness = try SessionHarness(store: store)
    let a = try await harness.opened()
    let b = try await harness.opened()
    _ = harness.step(a, 1)
    _ = harness.step(b, 1)
    _ = harness.step(b, 2)
    await harness.advance(seconds: 0.6)
    await harness.advance(seconds: 0.6)
    let first = store.journals.withLock { $0 }
    #expect(first.count == 1 && first.first?.count == 2)
    #expect(store.session(b)?.usage.lastSequence == 2)
    _ = harness.step(a, 2)
    store.failure.withLock { $0 = QubusError(.diskFull, "no space") }
    await harness.advance(seconds: 0.6)
    store.failure.withLock { $0 = nil }
    #expect(store.session(a)?.usage.steps == 1)
    await harness.advance(seconds: 0.6)
    #expect(store.session(a)?.usage.steps == 2)
    #expect(store.session(a)?.usage.deviceNanoseconds == 20_000)
    await harness.stop()
  }

  @Test("stopping writes what is new")
  func flush() async throws {
    let store = MemorySessionStore()
    let harness = try SessionHarness(store: store)
    let id = try await harness.opened()
    _ = harness.step(id, 1)
    await harness.stop()
    #expect(store.session(id)?.usage.steps == 1)
    #expect(store.session(id)?.state == .open)
  }

  /// A session with so many steps of which the journal knows `journaled`, after a restart.
  private func restarted(
    steps: Int, journaled: Int
  ) async throws -> (SessionHarness, OpenedSession, [Answered]) {
    let store = TroubledSessionStore()
    let clock = ManualClock()
    let codec = FakeSessionCodec()
    let first = try SessionHarness(store: store, codec: codec, clock: clock)
    let opened = try await first.open(SessionHarness.spec { $0.shots = 100 })
    var answers: [Answered] = []
    for step in 1...steps {
      first.sessions.door.roundNanoseconds = 0
      answers.append(
        try #require(
          first.step(opened.session.record.id, UInt64(step), [Double(step), 0]).answer))
      if step == journaled { await first.advance(seconds: 0.6) }
    }
    store.failure.withLock { $0 = QubusError(.diskFull, "the power went") }
    await first.stop()
    store.failure.withLock { $0 = nil }
    return (try SessionHarness(store: store, codec: codec, clock: clock), opened, answers)
  }

  @Test("after a restart a session is resumed with its seed and goes on after what its client has")
  func restart() async throws {
    let (harness, opened, answers) = try await restarted(steps: 5, journaled: 3)
    let id = opened.session.record.id
    guard case .refused(let error) = harness.step(id, 6) else {
      Issue.record("a session was stepped that nobody resumed")
      return
    }
    #expect(error.code == .sessionHeldElsewhere && error.message.contains("resume"))
    let resumed = try await harness.resume(id, opened.secret, last: 5)
    #expect(resumed.wasRebuilt && resumed.nextSequence == 6)
    // Steps 4 and 5 were lost with the crash: they were answered, and are never charged.
    let next = try #require(harness.step(id, 6, [6, 0], holder: 2).answer)
    #expect(next.wasRebuilt && !next.wasRepeated)
    #expect(try harness.view(id).record.usage.steps == 4)
    #expect(try harness.view(id).record.seed == opened.session.record.seed)
    // Charged before the crash, its answer lost: the same bits again, for free.
    let again = try #require(harness.step(id, 3, [3, 0], holder: 2).answer)
    #expect(again.wasRepeated && again.values == answers[2].values)
    #expect(again.deviceNanoseconds == 0)
    #expect(harness.step(id, 4, [4, 0], holder: 2).code == .stepOutOfOrder)
    #expect(try harness.view(id).record.usage.steps == 4)
    await harness.stop()
  }

  @Test("a client that has not heard the last step gets the same answer from the rebuilt session")
  func unacknowledged() async throws {
    let (harness, opened, answers) = try await restarted(steps: 5, journaled: 3)
    let id = opened.session.record.id
    let resumed = try await harness.resume(id, opened.secret, last: 4)
    #expect(resumed.nextSequence == 5)
    let fifth = try #require(harness.step(id, 5, [5, 0], holder: 2).answer)
    #expect(fifth.values == answers[4].values && !fifth.wasRepeated)
    #expect(try harness.view(id).record.usage.steps == 4)
    await harness.stop()
  }

  @Test("sessions whose time is over at a restart end, others wait to be resumed or closed")
  func expired() async throws {
    let store = MemorySessionStore()
    let clock = ManualClock()
    let codec = FakeSessionCodec()
    let first = try SessionHarness(store: store, codec: codec, clock: clock)
    let short = try await first.open(SessionHarness.spec { $0.idleSeconds = 5 })
    let long = try await first.open()
    let unresumed = try await first.open()
    await first.stop()
    clock.advance(microseconds: 60_000_000)
    let second = try SessionHarness(store: store, codec: codec, clock: clock)
    #expect(store.session(short.session.record.id)?.reason == "IDLE")
    #expect(second.sessions.openCount == 2)
    await #expect {
      try await second.resume(short.session.record.id, short.secret)
    } throws: {
      ($0 as? QubusError)?.code == .sessionLimitExceeded
    }
    _ = try await second.resume(long.session.record.id, long.secret)
    #expect(second.step(long.session.record.id, 1, holder: 2).answer != nil)
    let closed = try await second.close(unresumed.session.record.id)
    #expect(closed.record.state == .closed)
    #expect(second.sessions.openCount == 1)
    await second.stop()
  }
}
