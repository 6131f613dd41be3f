internal import DequeModule
internal import QubusCore

/// Lets changes through one at a time, in order: what was checked against the directory still holds
/// when the store commits it.
///
/// Bounded by the calls in flight.
final class ChangeQueue: Sendable {
  /// Calls what it is given exactly once, when the change is in force or refused.
  typealias Work = @Sendable (_ done: @escaping @Sendable () -> Void) -> Void

  private struct State: Sendable {
    var waiting: Deque<Work> = []
    var isRunning = false
    /// Somebody runs works in a loop, so that a work that ends at once does not nest the next.
    var isLooping = false
  }
  private let state = Lock(State())

  func enter(_ work: @escaping Work) {
    state.withLock { $0.waiting.append(work) }
    proceed()
  }

  private func proceed() {
    let isMine = state.withLock { state -> Bool in
      defer { state.isLooping = true }
      return !state.isLooping
    }
    guard isMine else { return }
    while let work = next() {
      work { [self] in
        state.withLock { $0.isRunning = false }
        proceed()
      }
    }
  }

  /// The next work to begin; nil ends the loop.
  private func next() -> Work? {
    state.withLock { state in
      guard !state.isRunning, let work = state.waiting.popFirst() else {
        state.isLooping = false
        return nil
      }
      state.isRunning = true
      return work
    }
  }
}
