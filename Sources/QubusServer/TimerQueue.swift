internal import QubusCore

/// Times at which something is due, earliest first: a binary heap. What was ended meanwhile is
/// skipped by whoever takes it out.
struct TimerQueue {
  enum Purpose {
    /// The call's own time-out.
    case timeout
    /// The end of a long poll.
    case wait
    /// A stream that went too fast for a quota.
    case pace
  }

  struct Entry {
    let time: Microseconds
    let key: CallKey
    let purpose: Purpose
  }

  private var heap: [Entry] = []

  var earliest: Microseconds? { heap.first?.time }

  mutating func add(_ entry: Entry) {
    heap.append(entry)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].time < heap[parent].time else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  /// The earliest entry that is due, or nil.
  mutating func take(dueAt now: Microseconds) -> Entry? {
    guard let first = heap.first, first.time <= now else { return nil }
    let last = heap.removeLast()
    guard !heap.isEmpty else { return first }
    heap[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && heap[child].time < heap[least].time {
        least = child
      }
      guard least != parent else { return first }
      heap.swapAt(least, parent)
      parent = least
    }
  }
}
