import Dispatch
import Foundation
import QubusCore

@testable import QubusStoreSQLite

/// Holds the writer at a known place, so that a test decides what shares a group.
final class Gate: Sendable {
  private let reached = DispatchSemaphore(value: 0)
  private let opened = DispatchSemaphore(value: 0)

  func pass() {
    reached.signal()
    opened.wait()
  }
  func open() { opened.signal() }

  /// Stops the writer of `store`; it goes on when the gate opens. On a thread of its own, because
  /// blocked threads of the cooperative pool would leave none for the test.
  static func hold(_ store: SQLiteJobStore) -> Gate {
    let gate = Gate()
    Thread { try? store.control { _ in gate.pass() } }.start()
    gate.reached.wait()
    return gate
  }
}

/// Counts from any thread.
final class Tally: Sendable {
  private let value = Lock(0)

  var count: Int { value.withLock { $0 } }
  func add() { value.withLock { $0 += 1 } }
}
