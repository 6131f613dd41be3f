import QubusCore
import QubusJobs
import Testing

@testable import QubusEngine

/// For the thread sanitizer, and for what only many threads at once bring about.
@Suite("Sessions under many threads")
struct SessionRaceTests {
  @Test("steps, opens, closes, resumes, evictions and the journal at once change no answer")
  func race() async throws {
    let harness = try SessionHarness {
      // Room for six of up to ten plans.
      $0.sessions.memoryBytes = 6500
    }
    var opened: [OpenedSession] = []
    for _ in 0..<4 { opened.append(try await harness.open()) }
    let sessions = opened
    async let comings: Void = {
      for _ in 0..<60 {
        var ids: [Identifier] = []
        for _ in 0..<4 { ids.append(try await harness.opened(as: SessionHarness.bob)) }
        for id in ids { _ = try await harness.close(id, as: SessionHarness.bob) }
      }
    }()
    async let readers: Void = {
      for _ in 0..<100 {
        for session in sessions {
          _ = try harness.view(session.session.record.id)
          _ = try await harness.resume(session.session.record.id, session.secret, holder: 1)
        }
        await harness.advance(seconds: 0.6)
      }
    }()
    let transport = await onThread { Self.steps(harness, sessions.map(\.session.record.id)) }
    _ = try await (comings, readers)
    #expect(transport.wrong == 0)
    for session in sessions {
      let usage = try harness.view(session.session.record.id).record.usage
      #expect(usage.steps == 500 && usage.lastSequence == 500)
      #expect(usage.deviceNanoseconds >= 500 * 10_000)
    }
    await harness.stop()
    #expect(harness.sessions.residency.total <= 6500)
  }

  /// The transport thread: five hundred steps of each session, one after another.
  private static func steps(
    _ harness: SessionHarness, _ ids: [Identifier]
  ) -> (wrong: Int, waited: Int) {
    var wrong = 0
    var waited = 0
    for sequence in 1...500 {
      for id in ids {
        let numbers = [Double(sequence), 1]
        var answer = harness.step(id, UInt64(sequence), numbers)
        if case .pending(let serial) = answer {
          waited += 1
          while harness.sessions.runDueSteps(sink: harness.sink) { continue }
          answer = harness.sink.wait(serial)
        }
        if answer.answer?.values != [Double(sequence) + 1] { wrong += 1 }
      }
      _ = harness.sessions.runDueSteps(sink: harness.sink)
    }
    return (wrong, waited)
  }
}

extension FakeSink {
  /// Blocks the caller's thread.
  func wait(_ serial: UInt64) -> Disposition {
    switch waitForOutcome(serial) {
    case .success(let answer): .answered(answer)
    case .failure(let error): .refused(error)
    }
  }
}
