internal import QubusCore
internal import QubusJobs
internal import QubusSimulator
internal import Synchronization

extension SessionEngine {
  /// Time for which a step waits for memory that running steps hold.
  private static let patienceMicroseconds: Microseconds = 5_000_000

  /// The session's plan, built again when it was dropped. The session is claimed. May take as long
  /// as compiling does.
  func residentEvaluator(_ session: Session) throws(QubusError) -> any StepEvaluator {
    if let evaluator = session.core.evaluator { return evaluator }
    let evaluator = try build(session)
    session.core.wasRebuilt = true
    session.rebuilds.add(1, ordering: .relaxed)
    return evaluator
  }

  /// Builds the plan of a claimed session that has none.
  /// - Throws: `insufficient_memory`, what the device throws.
  func build(_ session: Session) throws(QubusError) -> any StepEvaluator {
    guard let plan = session.plan else { throw .heldElsewhere(session) }
    try reserve(plan.estimatedBytes, session)
    do throws(QubusError) {
      let evaluator = try plan.makeEvaluator(
        seed: session.base.seed, context(session, doorTeam))
      try preparation.checkMemory(evaluator.memoryBytes, plan.limits)
      session.core.evaluator = evaluator
      residency.settle(session, bytes: evaluator.memoryBytes)
      return evaluator
    } catch {
      residency.forget(session)
      throw error
    }
  }

  private func reserve(_ bytes: UInt64, _ session: Session) throws(QubusError) {
    let limit = clock.monotonic() + Self.patienceMicroseconds
    let pause = Monitor(())
    while !residency.reserve(bytes, for: session) {
      guard clock.monotonic() < limit, !isOver, !session.isEnded else {
        throw QubusError(
          .insufficientMemory,
          "the session's plan needs \(MemorySize.text(Double(bytes))), and all of the "
            + "\(MemorySize.text(Double(residency.limit))) for sessions is in use",
          retryAfterMilliseconds: 1000)
      }
      let _: Void? = pause.wait(microseconds: 500) { _ in nil }
    }
  }

  /// Evaluates once or twice, so that the first step finds everything in place and its time known.
  func warm(_ session: Session, _ evaluator: any StepEvaluator) {
    guard let plan = session.plan else { return }
    var order = StepOrder(sequence: 0, outputs: plan.standardOutputs, shots: plan.shots)
    order.targetError = plan.targetError
    let predicted = session.core.timing.predict(order, evaluator)
    session.costHint.store(UInt64(min(predicted, 1e6) * 1e9), ordering: .relaxed)
    guard predicted <= settings.allCoresSeconds else { return }
    let numbers = [Double](repeating: 0.5, count: plan.parameterCount)
    let answer = StepAnswer()
    for round in 0..<3 {
      let start = surroundings.nanoseconds()
      // A program that cannot take these numbers says so when it gets real ones.
      let isDone: Void? = numbers.withUnsafeBufferPointer { numbers in
        try? evaluator.evaluate(
          order, parameters: numbers, into: answer, context(session, doorTeam))
      }
      guard isDone != nil else { return }
      let seconds = Double(surroundings.nanoseconds() - start) / 1e9
      if round > 0 { session.core.timing.measured(order, seconds: seconds) }
    }
  }
}
