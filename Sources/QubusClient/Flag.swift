internal import Synchronization

/// A truth value that threads may share.
final class Flag: Sendable {
  private let storage = Atomic<Bool>(false)

  var value: Bool {
    get { storage.load(ordering: .acquiring) }
    set { storage.store(newValue, ordering: .releasing) }
  }
}
