package import QubusCore

/// Threads that work on one region together (fork-join). Stub of the interface; see the owner.
package final class ComputeTeam: Sendable {
  package let threadCount: Int

  package init(threadCount: Int) { self.threadCount = threadCount }

  /// Runs `body(0) … body(tasks - 1)`, spread over the team; returns when all are done.
  package func run(tasks: Int, _ body: (Int) -> Void) {
    for task in 0..<tasks { body(task) }
  }
}
