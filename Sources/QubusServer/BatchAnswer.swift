internal import QubusCore
internal import QubusEngine

/// Gathers the outcomes of a batch's items, in their order, and answers after the last.
final class BatchAnswer: Sendable {
  typealias Outcome = Result<SubmitReport, QubusError>

  private struct State {
    var outcomes: [Outcome?]
    var missing: Int
  }
  private let state: Lock<State>
  private let id: Identifier
  private let traceID: String
  private let completion: @Sendable ([UInt8]) -> Void

  init(
    _ id: Identifier, count: Int, traceID: String,
    completion: @escaping @Sendable ([UInt8]) -> Void
  ) {
    self.id = id
    state = Lock(State(outcomes: Array(repeating: nil, count: count), missing: count))
    self.traceID = traceID
    self.completion = completion
    if count == 0 { completion(Responses.batch(id, [], traceID: traceID)) }
  }

  func set(_ index: Int, _ outcome: Outcome) {
    let all = state.withLock { state -> [Outcome?]? in
      guard state.outcomes[index] == nil else { return nil }
      state.outcomes[index] = outcome
      state.missing -= 1
      return state.missing == 0 ? state.outcomes : nil
    }
    guard let all else { return }
    completion(Responses.batch(id, all.compactMap { $0 }, traceID: traceID))
  }
}
