internal import Synchronization

/// A one-way switch that running work polls; set from any thread.
package final class CancellationFlag: Sendable {
  private let flag = Atomic<Bool>(false)
  /// Looks that are left before it sets itself; below 0: never.
  private let looksLeft: Atomic<Int>

  package init() { looksLeft = Atomic(-1) }

  /// For tests: sets itself at one of the looks at it, so that work is canceled at a certain place.
  /// - Parameter looks: that find it unset before.
  package init(afterLooks looks: Int) { looksLeft = Atomic(looks) }

  package func cancel() { flag.store(true, ordering: .releasing) }

  package var isCanceled: Bool {
    if looksLeft.load(ordering: .relaxed) >= 0, countsDown() { cancel() }
    return flag.load(ordering: .acquiring)
  }

  private func countsDown() -> Bool {
    looksLeft.subtract(1, ordering: .relaxed).newValue < 0
  }

  /// Looks that are left, when it counts them.
  package var remainingLooks: Int { looksLeft.load(ordering: .relaxed) }

  /// - Throws: `execution_canceled` once the flag is set.
  package func check() throws(QubusError) {
    if isCanceled { throw QubusError(.executionCanceled, "the execution was canceled") }
  }

  /// The same at every 4096th step of a loop.
  /// - Throws: `execution_canceled`.
  package func poll(_ step: Int) throws(QubusError) {
    if step & 0xFFF == 0 { try check() }
  }
}

extension CancellationFlag? {
  /// - Throws: `execution_canceled` once there is a flag and it is set.
  package func check() throws(QubusError) { try self?.check() }

  /// The same at every 4096th step of a loop.
  /// - Throws: `execution_canceled`.
  package func poll(_ step: Int) throws(QubusError) {
    if step & 0xFFF == 0 { try check() }
  }
}
