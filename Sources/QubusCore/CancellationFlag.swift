internal import Synchronization

/// A one-way switch that running work polls; set from any thread.
package final class CancellationFlag: Sendable {
  private let flag = Atomic<Bool>(false)

  package init() {}

  package func cancel() { flag.store(true, ordering: .releasing) }
  package var isCanceled: Bool { flag.load(ordering: .acquiring) }
}
