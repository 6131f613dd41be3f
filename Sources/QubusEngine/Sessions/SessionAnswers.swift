internal import QubusSimulator

/// Answers that a repeated step is given again: the last of a session, in a ring by sequence.
/// Memory of answers that nobody holds any more is used by the next steps. Used by one thread at a
/// time.
struct SessionAnswers {
  private struct Kept {
    var result: StepResult
    var order: StepOrder
    var checksum: UInt32
  }
  private var ring: [Kept?]
  private var spare: StepResult?
  private var last: Int?
  /// Of one answer; a larger one is kept only while it is the last.
  private let byteLimit: Int

  init(count: Int, byteLimit: UInt64) {
    precondition(count > 0)
    ring = Array(repeating: nil, count: count)
    self.byteLimit = Int(byteLimit)
  }

  enum Found {
    case same(StepResult)
    /// Answered, with another order or other numbers.
    case other
    case none
  }

  func find(_ order: StepOrder, checksum: UInt32) -> Found {
    guard let kept = ring[slot(order.sequence)], kept.order.sequence == order.sequence
    else { return .none }
    return kept.order == order && kept.checksum == checksum ? .same(kept.result) : .other
  }

  /// Memory for the next answer, which nobody else holds. Until `keep` nothing of it shows.
  mutating func take() -> StepResult {
    if isKnownUniquelyReferenced(&spare), let result = spare { return result }
    let result = StepResult()
    spare = result
    return result
  }

  /// Keeps what was taken last as the answer to this step.
  mutating func keep(_ order: StepOrder, checksum: UInt32) {
    guard let result = spare else { return }
    spare = nil
    if let last, let before = ring[last], before.result.bytes > byteLimit {
      spare = before.result
      ring[last] = nil
    }
    let slot = slot(order.sequence)
    if spare == nil { spare = ring[slot]?.result }
    ring[slot] = Kept(result: result, order: order, checksum: checksum)
    last = slot
  }

  private func slot(_ sequence: UInt64) -> Int { Int(sequence % UInt64(ring.count)) }
}

extension StepResult {
  fileprivate var bytes: Int {
    let numbers =
      answer.values.count + answer.standardErrors.count + answer.gradients.count
      + answer.amplitudes.count
    return answer.counts.reduce(8 * numbers) { $0 + 8 * ($1.keys.count + $1.values.count) }
  }
}
