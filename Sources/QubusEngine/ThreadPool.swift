internal import DequeModule

/// A few threads that take work in order of arrival from a bounded queue.
final class ThreadPool: Sendable {
  typealias Work = @Sendable (_ worker: Int) -> Void
  private struct State {
    var work: Deque<Work> = []
    var isStopping = false
  }
  private let state = Monitor(State())
  private let threads: [EngineThread]
  private let limit: Int

  init(threads count: Int, niceness: Int32 = 0, limit: Int = .max) {
    self.limit = limit
    let state = self.state
    threads = (0..<count).map { worker in
      EngineThread(niceness: niceness) {
        while let next = Self.next(state) { next(worker) }
      }
    }
  }

  /// False when the queue is full or the pool has stopped.
  func submit(_ work: @escaping Work) -> Bool {
    state.signalOne { state in
      guard !state.isStopping, state.work.count < limit else { return false }
      state.work.append(work)
      return true
    }
  }

  /// Finishes what is queued and ends the threads.
  func stop() {
    state.signal { $0.isStopping = true }
    for thread in threads { thread.join() }
  }

  private static func next(_ state: Monitor<State>) -> Work? {
    state.wait { state -> Work?? in
      if let work = state.work.popFirst() { return .some(work) }
      return state.isStopping ? .some(nil) : nil
    }
  }
}
