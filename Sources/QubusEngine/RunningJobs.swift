internal import Synchronization

/// How many jobs compute threads run, for those who share the cores with them.
final class RunningJobs: Sendable {
  private let count = Atomic<Int>(0)

  var isAny: Bool { count.load(ordering: .relaxed) > 0 }
  func begin() { count.add(1, ordering: .relaxed) }
  func end() { count.subtract(1, ordering: .relaxed) }
}
