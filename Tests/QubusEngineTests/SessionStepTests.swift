import QubusCore
import QubusJobs
import QubusSimulator
import Testing

@testable import QubusEngine

struct BadStep: Sendable {
  var numbers: [Double]
  var rows: Int
  var code: ErrorCode

  init(_ numbers: [Double], _ rows: Int, _ code: ErrorCode) {
    self.numbers = numbers
    self.rows = rows
    self.code = code
  }
}

@Suite("Steps of a session")
struct SessionStepTests {
  @Test("a small step is answered in place, and its values are the evaluator's")
  func inPlace() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened()
    let answer = try #require(harness.step(id, 1, [1, 2]).answer)
    #expect(answer.values == [3])
    #expect(answer.gradients.isEmpty)
    #expect(answer.sequence == 1)
    #expect(answer.deviceNanoseconds == 10_000)
    #expect(!answer.wasRepeated && !answer.wasRebuilt)
    let both = try #require(
      harness.step(id, 2, [1, 5]) { $0.outputs = [.values, .gradients] }.answer)
    #expect(both.values == [6])
    #expect(both.gradients == [1, 1])
    let usage = try harness.view(id).record.usage
    #expect(usage.steps == 2 && usage.lastSequence == 2 && usage.deviceNanoseconds == 20_000)
    await harness.stop()
  }

  @Test("a batch gives one value for each row and observable")
  func batch() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened(
      SessionHarness.spec { $0.observables += $0.observables })
    let answer = try #require(harness.step(id, 1, [1, 2, 3, 4, 5, 6], rows: 3).answer)
    #expect(answer.values == [3, 13, 7, 17, 11, 21])
    await harness.stop()
  }

  @Test("a repeated step gives the stored answer and is charged once")
  func repeated() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened()
    let first = try #require(harness.step(id, 1, [1, 2]).answer)
    let again = try #require(harness.step(id, 1, [1, 2]).answer)
    #expect(again.wasRepeated && again.values == first.values)
    #expect(harness.device.steps.withLock { $0.finished } == 1)
    #expect(try harness.view(id).record.usage.steps == 1)
    #expect(harness.step(id, 1, [1, 3]).code == .stepOutOfOrder)
    #expect(harness.step(id, 1, [1, 2]) { $0.outputs = .gradients }.code == .stepOutOfOrder)
    await harness.stop()
  }

  @Test("a step beyond the next is refused, and the message names the next")
  func outOfOrder() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened()
    guard case .refused(let error) = harness.step(id, 3) else {
      Issue.record("step 3 was taken as the first")
      return
    }
    #expect(error.code == .stepOutOfOrder)
    #expect(error.details["expected_sequence"] == "1")
    #expect(harness.step(id, 0).code == .invalidStep)
    #expect(harness.step(id, .max).code == .stepOutOfOrder)
    await harness.stop()
  }

  @Test("of many answers the last are kept, older ones are not")
  func kept() async throws {
    let harness = try SessionHarness { $0.sessions.answersKept = 4 }
    let id = try await harness.opened()
    for sequence in 1...6 {
      let answer = harness.step(id, UInt64(sequence), [Double(sequence), 0]).answer
      #expect(answer?.values == [Double(sequence)])
      harness.engine.sessions?.door.roundNanoseconds = 0
    }
    for sequence in 3...6 {
      let answer = harness.step(id, UInt64(sequence), [Double(sequence), 0]).answer
      #expect(answer?.values == [Double(sequence)] && answer?.wasRepeated == true)
    }
    #expect(harness.step(id, 2, [2, 0]).code == .stepOutOfOrder)
    await harness.stop()
  }

  @Test(
    "what a step must not hold is refused by name",
    arguments: [
      BadStep([1.0], 1, .parameterCountMismatch), BadStep([1, 2, 3], 1, .parameterCountMismatch),
      BadStep([], 1, .parameterCountMismatch), BadStep([], 0, .invalidStep),
      BadStep([1, .nan], 1, .invalidParameterValue),
      BadStep([.infinity, 1], 1, .invalidParameterValue),
      BadStep([1, 2, 3, -.infinity], 2, .invalidParameterValue),
      BadStep([1, 2, 3], 2, .parameterCountMismatch),
    ])
  func badNumbers(_ bad: BadStep) async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened()
    #expect(harness.step(id, 1, bad.numbers, rows: bad.rows).code == bad.code)
    // Nothing happened to the session.
    #expect(harness.step(id, 1).answer?.values == [3])
    await harness.stop()
  }

  @Test("the first bad number is named by row and column")
  func firstBad() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened()
    guard case .refused(let error) = harness.step(id, 1, [1, 2, 3, .nan, .nan, 6], rows: 3) else {
      Issue.record("a step of NaN was taken")
      return
    }
    #expect(error.violations.first?.field == "parameters[1][1]")
    await harness.stop()
  }

  @Test("a batch of a million rows and an answer too large are refused with their limits")
  func tooLarge() async throws {
    let harness = try SessionHarness { $0.sessions.answerBytes = 80 }
    let id = try await harness.opened(SessionHarness.spec("2 0 a:float"))
    let million = [Double](repeating: 1, count: 1_000_000)
    guard case .refused(let error) = harness.step(id, 1, million, rows: 1_000_000) else {
      Issue.record("a million rows were taken")
      return
    }
    #expect(error.code == .invalidStep && error.violations.first?.limit == "65536")
    #expect(harness.step(id, 1, [Double](repeating: 1, count: 11), rows: 11).code == .invalidStep)
    #expect(harness.step(id, 1, [Double](repeating: 1, count: 10), rows: 10).code == nil)
    await harness.stop()
  }

  @Test("outputs and shots that the session was not opened for are refused")
  func foreignOutputs() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened(SessionHarness.spec { $0.outputs = .values })
    #expect(harness.step(id, 1) { $0.outputs = .gradients }.code == .invalidStep)
    #expect(harness.step(id, 1) { $0.outputs = .stateVector }.code == .invalidStep)
    #expect(harness.step(id, 1) { $0.outputs = .init(rawValue: 64) }.code == .invalidStep)
    #expect(harness.step(id, 1) { $0.shots = 10 }.code == .invalidStep)
    #expect(harness.step(id, 1) { $0.targetError = 0.1 }.code == .invalidStep)
    let sampled = try await harness.opened(SessionHarness.spec { $0.shots = 100 })
    #expect(harness.step(sampled, 1) { $0.shots = 1 << 33 }.code == .invalidStep)
    #expect(harness.step(sampled, 1) { $0.targetError = -.infinity }.code == .invalidStep)
    #expect(harness.step(sampled, 1) { $0.targetError = .nan }.code == .invalidStep)
    #expect(harness.step(sampled, 1) { $0.shots = 10 }.answer != nil)
    #expect(try harness.view(sampled).record.usage.shotsUsed == 10)
    await harness.stop()
  }

  @Test("a program without parameters is stepped with no numbers")
  func withoutParameters() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened(SessionHarness.spec("2 0"))
    #expect(harness.step(id, 1, []).answer?.values == [0])
    #expect(harness.step(id, 2, [], rows: 3, columns: 0).answer?.values == [0, 0, 0])
    await harness.stop()
  }

  @Test("another project's session, an unknown one and a closed one are not found")
  func notFound() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened()
    // Whoever shares the project knows of the session; stepping it is its owner's alone.
    #expect(harness.step(id, 1, as: SessionHarness.bob).code == .permissionDenied)
    #expect(harness.step(id, 1, as: SessionHarness.stranger) == .refused(.sessionNotFound(id)))
    #expect(harness.step(Identifier(high: 1, low: 2), 1).code == .sessionNotFound)
    let view = try await harness.close(id)
    #expect(view.record.state == .closed && view.record.closedAt != nil)
    #expect(harness.step(id, 1).code == .sessionNotFound)
    await harness.stop()
  }

  @Test("another connection is told that the session is held, until it resumes it")
  func held() async throws {
    let harness = try SessionHarness()
    let opened = try await harness.open()
    let id = opened.session.record.id
    #expect(harness.step(id, 1, holder: 1).answer != nil)
    #expect(harness.step(id, 2, holder: 2).code == .sessionHeldElsewhere)
    let resumed = try await harness.resume(id, opened.secret, last: 1, holder: 2)
    #expect(resumed.nextSequence == 2 && !resumed.wasRebuilt)
    #expect(harness.step(id, 2, holder: 1).code == .sessionHeldElsewhere)
    #expect(harness.step(id, 2, holder: 2).answer != nil)
    await harness.stop()
  }

  @Test("a failed step is not counted, and its number is free to be sent again")
  func failed() async throws {
    let harness = try SessionHarness()
    let id = try await harness.opened()
    harness.device.steps.withLock { $0.failure = QubusError(.simulatorNormDrift, "drifted") }
    #expect(harness.step(id, 1).code == .simulatorNormDrift)
    #expect(try harness.view(id).record.usage == SessionUsage())
    harness.device.steps.withLock { $0.failure = nil }
    #expect(harness.step(id, 1).answer?.values == [3])
    await harness.stop()
  }
}
