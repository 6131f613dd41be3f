internal import QubusCore

/// What the tasks of a region bring back, put together in order of tasks.
final class TaskResults: Sendable {
  struct Part: Sendable {
    var words: [UInt64] = []
    var drift = 0.0
  }

  private let parts: Lock<[Result<Part, QubusError>?]>

  init(_ tasks: Int) { parts = Lock([Result<Part, QubusError>?](repeating: nil, count: tasks)) }

  func set(_ task: Int, _ result: Result<Part, QubusError>) {
    parts.withLock { $0[task] = result }
  }

  /// - Throws: the error of the lowest task that failed.
  func collect() throws(QubusError) -> (words: [UInt64], drift: Double) {
    var words: [UInt64] = []
    var drift = 0.0
    for part in parts.withLock({ $0 }) {
      guard let part = try part?.get() else {
        throw QubusError(.invariantViolated, "a task brought no result")
      }
      words.append(contentsOf: part.words)
      drift = max(drift, part.drift)
    }
    return (words, drift)
  }
}
