internal import Dispatch
internal import QubusCore

#if canImport(Glibc)
  internal import Glibc
#endif

/// Threads for reads that may block on the disk. The queue is bounded.
final class ReaderPool: Sendable {
  typealias Task = @Sendable () -> Void

  private struct State {
    var tasks: [Task] = []
    var next = 0
    var isClosed = false
    var threads: [pthread_t] = []

    var count: Int { tasks.count - next }

    mutating func take() -> Task? {
      guard next < tasks.count else { return nil }
      let task = tasks[next]
      next += 1
      if next == tasks.count || next > 1024 {
        tasks.removeFirst(next)
        next = 0
      }
      return task
    }
  }

  private let state = Lock(State())
  private let available = DispatchSemaphore(value: 0)
  private let capacity: Int

  init(threads: Int, capacity: Int) throws(QubusError) {
    self.capacity = capacity
    for index in 0..<max(1, threads) {
      guard let thread = ServerThread.start(name: "qubus-read-\(index)", { [self] in work() })
      else { throw QubusError(.serverOverloaded, "the system gives no more threads") }
      state.withLock { $0.threads.append(thread) }
    }
  }

  /// False when the queue is full or closed; the caller answers `server_overloaded`.
  func submit(_ task: @escaping Task) -> Bool {
    let isTaken = state.withLock { state in
      guard !state.isClosed, state.count < capacity else { return false }
      state.tasks.append(task)
      return true
    }
    if isTaken { available.signal() }
    return isTaken
  }

  /// Lets what was taken finish and joins the threads.
  func close() {
    let threads = state.withLock { state in
      state.isClosed = true
      defer { state.threads = [] }
      return state.threads
    }
    for _ in threads { available.signal() }
    for thread in threads { pthread_join(thread, nil) }
  }

  private func work() {
    while true {
      available.wait()
      let (task, isClosed) = state.withLock { ($0.take(), $0.isClosed) }
      if let task { task() } else if isClosed { return }
    }
  }
}
